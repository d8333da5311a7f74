// Compares what our kustomize builds with what the pinned kubectl's does.
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { MissingRemoteError } from "@tiphys/kustomize";
import { type HelmOptions, type RenderedObject, renderSource, type SourceTree } from "@tiphys/render";
import { toGoYaml } from "@tiphys/yaml";
import { answer, ask, judge, type Outcome } from "./compare.js";

/** The files below a folder of the disk, as a render sees them. */
export function treeAt(root: string): SourceTree {
  const at = (path: string) => join(root, path);
  const stat = (path: string) => statSync(at(path), { throwIfNoEntry: false });
  return {
    file: (path) => (stat(path)?.isFile() ? readFileSync(at(path)) : undefined),
    isFolder: (path) => stat(path)?.isDirectory() ?? false,
    list: (folder) => readdirSync(at(folder)).sort(),
  };
}

/** The top of the repository that a folder is in, or of the disk where there is none: bases may lie above the folder. */
function topOf(folder: string): string {
  for (let at = folder; ; at = dirname(at)) if (existsSync(join(at, ".git")) || dirname(at) === at) return at;
}

const helm: HelmOptions = { releaseName: "release" };
const environment = { now: () => Date.now(), random: (count: number) => randomBytes(count) };

/** Text of objects as `kubectl kustomize` prints them. */
const textOf = (objects: readonly RenderedObject[]): string =>
  objects.map(({ object }) => toGoYaml(object)).join("---\n");

/** Builds a folder with both and compares objects and text. */
export async function compareKustomization(programs: string, folder: string): Promise<Outcome> {
  const full = resolve(folder);
  const top = topOf(full);
  const ours = answer(() => {
    const { objects } = renderSource(treeAt(top), relative(top, full), { environment, helm });
    return { text: textOf(objects), objects: objects.map(({ object }) => object) };
  });
  if ("cause" in ours && ours.cause instanceof MissingRemoteError)
    return { kind: "not comparable", reason: `a base lies elsewhere: ${ours.error}` };
  const theirs = await ask(join(programs, "kubectl"), [
    ...["kustomize", full, "--enable-helm", "--helm-command", join(programs, "helm")],
  ]);
  return judge("kubectl", ours, theirs);
}
