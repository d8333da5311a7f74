import { InvalidArgumentError } from "@tiphys/errors";
import type { KubeObject } from "@tiphys/resources";

const KEY = /^kustomize\.(?:version|path)\.(.+)$/;

/** Versions of kustomize that `argocd-cm` registers, by `kustomize.path.NAME` or the older `kustomize.version.NAME`; sorted. */
export function kustomizeVersions(settings: KubeObject | undefined): string[] {
  const data: Record<string, string> = settings?.["data"] ?? {};
  const names = Object.keys(data).flatMap((key) => KEY.exec(key)?.[1] ?? []);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new InvalidArgumentError("argocd-cm", `found duplicate kustomize version: ${twice}`);
  }
  return names.sort();
}
