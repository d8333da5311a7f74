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

it("finds this workspace in order", () => {
  expect(layerProblems(process.cwd())).toEqual([]);
});
