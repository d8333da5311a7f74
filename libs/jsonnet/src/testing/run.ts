import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { evaluate } from "../index.js";

export type Outcome = { readonly value: unknown } | { readonly error: string };

const EXTERNAL = "tiphys";

/** What our engine makes of a program. */
export function ours(text: string): Outcome {
  try {
    return { value: evaluate({ file: "program.jsonnet", text, extVars: { name: { text: EXTERNAL } } }) };
  } catch (error) {
    return { error: error instanceof Error ? `${error.name}: ${error.message}` : String(error) };
  }
}

/** What a `jsonnet` program makes of it. */
export function theirs(program: string, text: string): Outcome {
  const folder = mkdtempSync(join(tmpdir(), "tiphys-jsonnet-"));
  try {
    writeFileSync(join(folder, "program.jsonnet"), text);
    const { status, stdout, stderr } = spawnSync(program, ["-V", `name=${EXTERNAL}`, "program.jsonnet"], {
      cwd: folder,
      encoding: "utf8",
      timeout: 20_000,
    });
    return status === 0 ? { value: JSON.parse(stdout) } : { error: stderr };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
