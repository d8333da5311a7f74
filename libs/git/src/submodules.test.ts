import { execFile, execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { systemClock } from "@tiphys/clock";
import { Secret } from "@tiphys/secret";
import {
  createTestRepository,
  describeWith,
  type GitServer,
  startGitServer,
  type TestRepository,
  temporaryDirectory,
} from "@tiphys/testing";
import { parseGitmodules, submodulePath, submoduleUrl } from "./gitmodules.js";
import { type CommitFiles, createRepositories, createSubmodules, type RepositoryCredentials } from "./index.js";

const hundred = 100_000;

describeWith(["git"], "submodules", () => {
  const auth = { username: "bot", password: "hunter2-secret" };
  let folder: ReturnType<typeof temporaryDirectory>;
  let server: GitServer;
  let parent: TestRepository;
  let middle: TestRepository;
  let leaf: TestRepository;
  let tip: string;
  let made = 0;

  const add = (to: TestRepository, url: string, path: string, commit: string) => {
    to.git("config", "-f", ".gitmodules", `submodule.${path}.path`, path);
    to.git("config", "-f", ".gitmodules", `submodule.${path}.url`, url);
    to.git("add", ".gitmodules");
    to.git("update-index", "--add", "--cacheinfo", `160000,${commit},${path}`);
    to.git("commit", "--quiet", "-m", `add ${path}`);
    return to.git("rev-parse", "HEAD");
  };
  beforeAll(async () => {
    folder = temporaryDirectory();
    [parent, middle, leaf] = ["parent", "middle", "leaf"].map((name) =>
      createTestRepository(join(folder.path, name)),
    ) as [TestRepository, TestRepository, TestRepository];
    const pinned = leaf.commit({ "values.yaml": "leaf: 1\n" });
    leaf.commit({ "values.yaml": "leaf: 2\n" });
    middle.commit({ "chart/Chart.yaml": "name: middle\n" });
    const inner = add(middle, "../../leaf/.git", "chart/deep", pinned);
    parent.commit({ "app/a.yaml": "a: 1\n", "app/lib/own.yaml": "own: 1\n", "other/b.yaml": "b: 1\n" });
    tip = add(parent, "./../../middle/.git", "app/lib/middle", inner);
    server = await startGitServer(folder.path, { auth });
  });
  afterAll(async () => {
    await server.close();
    folder.dispose();
  });

  const opened = (listed = true) => {
    const own: RepositoryCredentials = { username: auth.username, password: new Secret(auth.password) };
    const repositories = createRepositories({
      directory: join(folder.path, `mirrors-${made++}`),
      searchPath: process.env["PATH"] ?? "",
      clock: systemClock(),
      credentials: async (url) => (url.startsWith(server.url) ? own : undefined),
    });
    const submodules = createSubmodules({ repositories, isListed: async () => listed });
    const files = async (url: string, commit: string, enabled = true) =>
      submodules.files(await repositories.open(url), commit, { project: "", enabled });
    return { repositories, files };
  };
  const walk = async (files: CommitFiles, id = files.id, prefix = ""): Promise<Record<string, string>> => {
    const found: Record<string, string> = {};
    for (const entry of await files.entries(id)) {
      const path = prefix + entry.name;
      if (entry.kind === "tree") Object.assign(found, await walk(files, entry.id, `${path}/`));
      else if (entry.kind === "blob") found[path] = (await files.blob(entry.id, hundred)).toString();
    }
    return found;
  };

  it("puts the files of submodules in their place, nested ones too, as a recursive clone does", async () => {
    const { repositories, files } = opened();
    const url = `${server.url}/parent/.git`;
    const repository = await repositories.open(url);
    expect(await repository.resolve("main", 0)).toBe(tip);
    const found = await walk(await files(url, tip));
    const clone = join(folder.path, "clone");
    const basic = Buffer.from(`${auth.username}:${auth.password}`).toString("base64");
    const config = ["-c", `http.extraHeader=Authorization: Basic ${basic}`];
    // Not at once: the server is in this process.
    await promisify(execFile)("git", [...config, "clone", "--quiet", "--recurse-submodules", url, clone]);
    const listed = execFileSync("git", ["ls-files", "--recurse-submodules"], { cwd: clone })
      .toString()
      .trim()
      .split("\n");
    expect(found).toEqual(Object.fromEntries(listed.map((path) => [path, readFileSync(join(clone, path), "utf8")])));
    expect(found["app/lib/middle/chart/deep/values.yaml"]).toBe("leaf: 1\n");
    repositories.close();
  });

  it("keeps the ids of what no submodule is in", async () => {
    const { repositories, files } = opened();
    const url = `${server.url}/parent/.git`;
    await (await repositories.open(url)).resolve("main", 0);
    const [on, off] = [await files(url, tip), await files(url, tip, false)];
    const idOf = async (from: CommitFiles, name: string) =>
      (await from.entries(from.id)).find((each) => each.name === name)?.id;
    expect(await idOf(on, "other")).toBe(await idOf(off, "other"));
    expect(await idOf(on, "app")).not.toBe(await idOf(off, "app"));
    expect(Object.keys(await walk(off)).sort()).toEqual([
      ".gitmodules",
      "app/a.yaml",
      "app/lib/own.yaml",
      "other/b.yaml",
    ]);
    // Another opening knows the ids that the first one gave.
    const again = await files(url, tip);
    expect(again.id).toBe(on.id);
    expect(await walk(again)).toEqual(await walk(on));
    repositories.close();
  });

  it("says what is wrong with one when it is looked into, and not before", async () => {
    const source = createTestRepository(join(folder.path, `broken-${made}`));
    source.commit({ "a.yaml": "a: 1\n" });
    const commit = add(source, "file:///etc", "lib", tip);
    const { repositories, files } = opened();
    const url = `${server.url}/broken-${made - 1}/.git`;
    await (await repositories.open(url)).resolve("main", 0);
    const found = await files(url, commit);
    const lib = (await found.entries(found.id)).find(({ name }) => name === "lib");
    expect(lib?.kind).toBe("tree");
    await expect(found.entries(lib?.id ?? "")).rejects.toThrow(
      '.gitmodules: the url "file:///etc" is a folder of this',
    );
    repositories.close();
  });

  it("follows no .gitmodules that is a symbolic link", async () => {
    const source = createTestRepository(join(folder.path, "linked"));
    writeFileSync(join(source.directory, "target"), "elsewhere");
    const link = source.git("hash-object", "-w", "target");
    // git itself refuses to make one.
    const made = execFileSync("git", ["mktree"], {
      cwd: source.directory,
      input: `120000 blob ${link}\t.gitmodules\n`,
    });
    const commit = source.git("commit-tree", "-m", "link", made.toString().trim());
    source.git("update-ref", "refs/heads/main", commit);
    const { repositories, files } = opened();
    await (await repositories.open(source.url)).resolve("main", 0);
    await expect(files(source.url, commit)).rejects.toThrow(/\.gitmodules of .* is no file: it is not followed/);
    repositories.close();
  });

  it.each([
    '[submodule "a b"]\n\tpath = lib/a b \n\turl = https://git.example/a ; where\n',
    '# first\n[submodule "q\\"x"] path = p\nurl="https://git.example/#b"\n[core]\n\tpath = no\n',
    '[submodule "twice"]\npath = one\nurl = ./a\n[submodule "twice"]\npath = two\n',
    '[Submodule "c"]\nPATH = long\\\ner\nurl = "a b"c\n\tupdate = none\n',
  ])("reads .gitmodules as git does: %j", (text) => {
    const file = join(folder.path, "modules");
    writeFileSync(file, text);
    const listed = execFileSync("git", ["config", "-f", file, "-z", "--list"]).toString().split("\0").filter(Boolean);
    const names = new Map<string, Record<string, string>>();
    for (const line of listed) {
      const [, name, key, value] = /^submodule\.(.*)\.(path|url|update)\n(.*)$/s.exec(line) ?? [];
      if (name !== undefined && key) names.set(name, { ...names.get(name), [key]: value ?? "" });
    }
    expect(parseGitmodules(text)).toEqual([...names.values()].map((each) => ({ update: undefined, ...each })));
  });
});

it.each([
  ["https://git.example/org/app.git", "../lib.git", "https://git.example/org/lib.git"],
  ["https://git.example/org/app", "./lib", "https://git.example/org/app/lib"],
  ["https://git.example/org/app/", "../../other/lib", "https://git.example/other/lib"],
  ["git@git.example:org/app.git", "../lib.git", "git@git.example:org/lib.git"],
  ["git@git.example:app.git", "../lib.git", "git@git.example:lib.git"],
  ["ssh://git@git.example:2222/org/app", "../lib", "ssh://git@git.example:2222/org/lib"],
  ["https://git.example/org/app", "ssh://git@other.example/lib", "ssh://git@other.example/lib"],
])("of %s the submodule %s is %s", (parent, url, want) => expect(submoduleUrl(parent, url)).toBe(want));

it.each([
  ["https://git.example/org/app", "file:///srv/secret"],
  ["https://git.example/org/app", "/srv/secret"],
  ["https://git.example/org/app", "ext::sh -c id"],
  ["https://git.example/org/app", "--upload-pack=id"],
  ["https://git.example/org/app", "../../../other.example/lib"],
  ["https://git.example/org/app", "../../../../etc"],
  ["git@git.example:app", "../../lib"],
  ["https://git.example/org/app", "ftp://git.example/lib"],
])("of %s refuses the submodule %s", (parent, url) => expect(() => submoduleUrl(parent, url)).toThrow(/gitmodules/));

it.each(["../out", "/etc", "a/../../b", "a/.git/hooks", ".GIT", "a\\b", ""])("refuses the path %j", (path) =>
  expect(() => submodulePath(path)).toThrow("is not one inside of the repository"),
);
