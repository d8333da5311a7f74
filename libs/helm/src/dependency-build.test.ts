import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describeWith, programPath } from "@tiphys/testing";
import { buildDependencies, type Chart, type DependencySource, lacksDependencies, loadDirectory } from "./index.js";

const file = (name: string, text: string) => ({ name, data: Buffer.from(text) });
const chart = (text: string, ...more: ReturnType<typeof file>[]) => loadDirectory([file("Chart.yaml", text), ...more]);
const leaf = (name: string, version: string) => chart(`apiVersion: v2\nname: ${name}\nversion: ${version}\n`);
const nothing: DependencySource = {
  archive: () => {
    throw new Error("nothing is asked for");
  },
  local: () => undefined,
};
const parent = (dependency: string, ...more: ReturnType<typeof file>[]) =>
  chart(`apiVersion: v2\nname: parent\nversion: 1.0.0\ndependencies:\n- ${dependency}\n`, ...more);

it("tells a chart that lacks what it names from one that has it", () => {
  const wanting = "{name: child, version: 1.x, repository: 'https://charts.example'}";
  expect(lacksDependencies(parent(wanting))).toBe(true);
  const child = file("charts/child/Chart.yaml", "apiVersion: v2\nname: child\nversion: 1.0.0\n");
  expect(lacksDependencies(parent(wanting, child))).toBe(false);
});

it("asks for everything that is not known yet before it gives up", () => {
  const asked: string[] = [];
  const both = chart(
    "apiVersion: v2\nname: p\nversion: 1.0.0\ndependencies:\n" +
      "- {name: a, version: ^1, repository: 'https://charts.example'}\n- {name: b, version: '*', repository: '@stable'}\n",
  );
  const source: DependencySource = {
    ...nothing,
    archive(...question) {
      asked.push(question.join(" "));
      throw new RangeError("later");
    },
  };
  expect(() => buildDependencies(both, source)).toThrow(RangeError);
  expect(asked).toEqual(["https://charts.example a ^1", "@stable b *"]);
});

it.each([
  {
    why: "a folder that is not there",
    dependency: "{name: child, version: 1.x, repository: 'file://../none'}",
    error: "directory ../none not found",
  },
  {
    why: "a local chart of another version",
    dependency: "{name: child, version: 2.x, repository: 'file://../child'}",
    error: "can't get a valid version for dependency child",
  },
  {
    why: "no repository and no chart",
    dependency: "{name: child, version: 1.x}",
    error: "directory charts/child not found",
  },
  {
    why: "a version that is none",
    dependency: "{name: child, version: new, repository: 'https://charts.example'}",
    error: 'dependency "child" has an invalid version/constraint format',
  },
])("refuses $why", ({ dependency, error }) => {
  const source = { ...nothing, local: (path: string) => (path === "../child" ? leaf("child", "1.0.0") : undefined) };
  expect(() => buildDependencies(parent(dependency), source)).toThrow(error);
});

describeWith(["helm"], "dependencies as helm builds them", () => {
  const folder = mkdtempSync(join(tmpdir(), "tiphys-dependencies-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  const helm = (...args: string[]) =>
    execFileSync(programPath("helm")!, args, { cwd: folder, env: { HOME: folder, PATH: "/usr/bin" }, stdio: "pipe" });
  const filesOf = (path: string): { name: string; data: Buffer }[] =>
    readdirSync(join(folder, path)).flatMap((name) => {
      const full = join(path, name);
      if (!statSync(join(folder, full)).isDirectory()) return [{ name, data: readFileSync(join(folder, full)) }];
      return filesOf(full).map((each) => ({ ...each, name: `${name}/${each.name}` }));
    });
  const load = (path: string): Chart => loadDirectory(filesOf(path));
  const source: DependencySource = { ...nothing, local: (path) => load(join("parent", path)) };
  const summary = ({ dependencies }: Chart) => dependencies.map(({ name, metadata }) => `${name} ${metadata.version}`);

  it.each([
    {
      why: "v2 with every field",
      chart:
        "apiVersion: v2\nname: parent\nversion: 1.0.0\ndependencies:\n" +
        '- {name: one, version: ">=1.0.0 <3", repository: "file://../one", condition: "one.on & more", tags: [a, "<b>"], alias: uno}\n' +
        '- {name: two, version: "^2.1", repository: "file://../two", import-values: [data, {parent: p, child: c}]}\n',
      lock: "Chart.lock",
    },
    {
      why: "v1 with requirements.yaml",
      chart: "apiVersion: v1\nname: parent\nversion: 1.0.0\n",
      requirements: 'dependencies:\n- {name: one, version: "~1.2", repository: "file://../one"}\n',
      lock: "requirements.lock",
    },
  ])("by its lock, $why", ({ chart: text, requirements, lock }) => {
    rmSync(join(folder, "parent"), { recursive: true, force: true });
    write("one/Chart.yaml", "apiVersion: v2\nname: one\nversion: 1.2.3\n");
    write("two/Chart.yaml", "apiVersion: v2\nname: two\nversion: 2.5.0\n");
    write("parent/Chart.yaml", text);
    if (requirements) write("parent/requirements.yaml", requirements);
    helm("dependency", "update", "parent");
    const theirs = summary(load("parent"));
    rmSync(join(folder, "parent/charts"), { recursive: true });
    const bare = load("parent");
    expect(bare.lock?.digest).toMatch(/^sha256:/);
    expect(summary(buildDependencies(bare, source))).toEqual(theirs);
    // A Chart.yaml that has changed since fails there and here, in the same words.
    const changed = requirements ? "parent/requirements.yaml" : "parent/Chart.yaml";
    const before = readFileSync(join(folder, changed), "utf8");
    write(changed, before.replace(/"(?:>=1\.0\.0 <3|~1\.2)"/, '"1.x"'));
    const words = `the lock file (${lock}) is out of sync with the dependencies file (${changed.slice(7)})`;
    expect(() => helm("dependency", "build", "parent")).toThrow(words);
    expect(() => buildDependencies(load("parent"), source)).toThrow(words);
  });
});
