import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseYamlDocuments } from "@tiphys/yaml";
import { build, type FileTree } from "../index.js";
import type { Files } from "./corpus.js";

export type Outcome = { readonly objects: unknown } | { readonly error: string };

/** A lone surrogate stands for the byte that it ends in, so that files with any bytes can be written as texts. */
const bytesOf = (text: string): Buffer =>
  text.startsWith("\udcff") ? Buffer.concat([Buffer.from([0xff]), Buffer.from(text.slice(1))]) : Buffer.from(text);

export const treeOf = (files: Files): FileTree => ({
  file: (path) => (Object.hasOwn(files, path) ? bytesOf(files[path] as string) : undefined),
  isFolder: (path) => path === "" || Object.keys(files).some((name) => name.startsWith(`${path}/`)),
});

const plain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, member) => (typeof member === "bigint" ? `${member}` : member)));

/** What our engine makes of a source. */
export function ours(files: Files): Outcome {
  try {
    return { objects: plain(build({ files: treeOf(files), folder: "app" })) };
  } catch (error) {
    return { error: error instanceof Error ? `${error.name}: ${error.message}` : String(error) };
  }
}

/** What kubectl makes of it. */
export function theirs(kubectl: string, files: Files): Outcome {
  const folder = mkdtempSync(join(tmpdir(), "tiphys-kustomize-"));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), bytesOf(text));
    }
    mkdirSync(join(folder, "app"), { recursive: true });
    const { status, stdout, stderr } = spawnSync(kubectl, ["kustomize", join(folder, "app")], {
      encoding: "utf8",
      timeout: 30_000,
    });
    if (status !== 0) return { error: stderr };
    return { objects: plain([...parseYamlDocuments(stdout)].map(({ value }) => value)) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
