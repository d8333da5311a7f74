// Which sources lie in a folder.
import { type Dirent, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { FILE_NAMES } from "@tiphys/kustomize";

export type Found =
  | { readonly kind: "chart"; readonly path: string; readonly values: readonly string[] }
  | { readonly kind: "kustomization"; readonly path: string }
  | { readonly kind: "jsonnet"; readonly path: string };

/** What is no source, however it looks. */
const LEFT_OUT = new Set([".git", "node_modules"]);

const isChart = (names: readonly string[]): boolean => names.includes("Chart.yaml");

/** Values files that a chart brings for its own tests: `ci/*.yaml`. */
function ciValues(chart: string): string[] {
  const folder = join(chart, "ci");
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return [];
  return readdirSync(folder)
    .filter((name) => /\.ya?ml$/.test(name))
    .sort()
    .map((name) => join(folder, name));
}

/**
 * The sources at a path: a chart, packed or not, a kustomization, a Jsonnet program, or whatever of these lies below the folder.
 * The charts inside a chart, and Jsonnet inside a library folder, belong to what holds them. A component is part of its kustomizations.
 */
export function* findSources(path: string): Iterable<Found> {
  if (statSync(path).isFile()) {
    if (/\.tgz$/.test(path)) yield { kind: "chart", path, values: [] };
    else if (/\.jsonnet$/.test(path)) yield { kind: "jsonnet", path };
    return;
  }
  yield* walk(path, true);
}

function* walk(folder: string, isTop: boolean): Iterable<Found> {
  const entries: Dirent[] = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  const names = entries.map(({ name }) => name);
  if (isChart(names)) {
    yield { kind: "chart", path: folder, values: ciValues(folder) };
    return;
  }
  const kustomization = names.find((name) => FILE_NAMES.some((known) => known === name));
  if (kustomization && (isTop || !/^kind:\s*Component\s*$/m.test(readFileSync(join(folder, kustomization), "utf8"))))
    yield { kind: "kustomization", path: folder };
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && !LEFT_OUT.has(entry.name)) yield* walk(path, false);
    else if (entry.isFile() && /\.jsonnet$/.test(entry.name)) yield { kind: "jsonnet", path };
  }
}
