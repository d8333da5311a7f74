import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { layerProblems } from "./check-layers.mjs";

let root: string;

function project(name: string, layer: string, source: string): void {
  const folder = join(root, "libs", name);
  mkdirSync(join(folder, "src"), { recursive: true });
  writeFileSync(
    join(folder, "package.json"),
    JSON.stringify({ name: `@tiphys/${name}`, nx: { tags: [`layer:${layer}`] } }),
  );
  writeFileSync(join(folder, "src", "index.ts"), source);
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "layers-"));
});
afterEach(() => rmSync(root, { recursive: true }));

it("refuses an import from a layer above", () => {
  project("low", "domain", 'import { x } from "@tiphys/high";\n');
  project("high", "adapter", "export const x = 1;\n");
  expect(layerProblems(root)).toEqual([
    expect.stringContaining("layer domain must not import @tiphys/high of layer adapter"),
  ]);
});

it("allows an import from a layer below", () => {
  project("low", "domain", "export const x = 1;\n");
  project("high", "adapter", 'import { x } from "@tiphys/low";\n');
  expect(layerProblems(root)).toEqual([]);
});

it("refuses I/O in domain code", () => {
  project("low", "domain", 'import { readFileSync } from "node:fs";\n');
  expect(layerProblems(root)).toEqual([expect.stringContaining("domain code must not import node:fs")]);
});

describe("the outside world", () => {
  const now = "export const now = () => Date.now();\n";

  it.each([
    ["Date.now", now, "the machine's time"],
    ["new Date without an argument", "export const now = () => new Date();\n", "the machine's time"],
    ["setTimeout", "setTimeout(() => {}, 1);\n", "the machine's time"],
    ["setInterval", "setInterval(() => {}, 1);\n", "the machine's time"],
    ["Math.random", "export const x = Math.random();\n", "the machine's randomness"],
    ["process.env", 'export const x = process.env["HOME"];\n', "the environment"],
  ])("does not come in by itself through %s", (_name, source, what) => {
    project("low", "framework", source);
    expect(layerProblems(root)).toEqual([expect.stringContaining(`index.ts:1: takes ${what}`)]);
  });

  it("may come in where the file says why", () => {
    project("low", "adapter", `// Real time: the other side lives in it.\n${now}`);
    expect(layerProblems(root)).toEqual([]);
  });

  it("may never come into decisions", () => {
    project("low", "domain", `// Real time: I am in a hurry.\n${now}`);
    expect(layerProblems(root)).toEqual([expect.stringContaining("takes the machine's time")]);
  });

  it("is not a word in a comment, a date with an argument or a socket's own limit", () => {
    project("low", "domain", "// Date.now() is not called.\nexport const at = (n: number) => new Date(n);\n");
    project("high", "adapter", "export const f = (socket: Socket) => socket.setTimeout(5);\n");
    expect(layerProblems(root)).toEqual([]);
  });

  it("comes in through main.ts", () => {
    const folder = join(root, "apps", "shop", "src");
    mkdirSync(folder, { recursive: true });
    writeFileSync(
      join(root, "apps", "shop", "package.json"),
      JSON.stringify({ name: "@tiphys/shop", nx: { tags: ["layer:app"] } }),
    );
    writeFileSync(join(folder, "main.ts"), now);
    writeFileSync(join(folder, "node-main.ts"), now);
    writeFileSync(join(folder, "create.ts"), now);
    expect(layerProblems(root)).toEqual([expect.stringContaining("create.ts:1")]);
  });
});

it("finds this workspace in order", () => {
  expect(layerProblems(process.cwd())).toEqual([]);
});
