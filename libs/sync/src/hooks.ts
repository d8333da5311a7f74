import type { HookType, KubeObject } from "@tiphys/resources";

const HOOK = "argocd.argoproj.io/hook";
const DELETE_POLICY = "argocd.argoproj.io/hook-delete-policy";
const WAVE = "argocd.argoproj.io/sync-wave";
const HELM_HOOK = "helm.sh/hook";
const HELM_WEIGHT = "helm.sh/hook-weight";
const HELM_DELETE_POLICY = "helm.sh/hook-delete-policy";

export type DeletePolicy = "HookSucceeded" | "HookFailed" | "BeforeHookCreation";

const types: ReadonlySet<string> = new Set([
  "PreSync",
  "Sync",
  "PostSync",
  "SyncFail",
  "PreDelete",
  "PostDelete",
  "Skip",
]);
const helmTypes: Readonly<Record<string, HookType>> = {
  "pre-install": "PreSync",
  "pre-upgrade": "PreSync",
  "post-install": "PostSync",
  "post-upgrade": "PostSync",
  "pre-delete": "PreDelete",
  "post-delete": "PostDelete",
};
const policies: ReadonlySet<string> = new Set(["HookSucceeded", "HookFailed", "BeforeHookCreation"]);
const helmPolicies: Readonly<Record<string, DeletePolicy>> = {
  "before-hook-creation": "BeforeHookCreation",
  "hook-succeeded": "HookSucceeded",
  "hook-failed": "HookFailed",
};

const words = (text: string | undefined): string[] =>
  (text ?? "")
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");

/** When a manifest runs as a hook; empty for a plain resource. Argo's annotation wins over Helm's. */
export function hookTypes(object: KubeObject): HookType[] {
  const annotations = object.metadata.annotations ?? {};
  const own = words(annotations[HOOK]);
  if (own.length > 0) return own.filter((word): word is HookType => types.has(word));
  const helm = words(annotations[HELM_HOOK]).filter((word) => word !== "crd-install");
  if (helm.length === 0) return [];
  const mapped = new Set(helm.map((word) => helmTypes[word]).filter((word) => word !== undefined));
  // Rollback and test hooks have no counterpart and are left out.
  return mapped.size > 0 ? [...mapped] : ["Skip"];
}

/** True for manifests that are no part of the desired state but run at a sync, and for their live objects. */
export const isHook = (object: KubeObject): boolean => hookTypes(object).length > 0;

export function deletePolicies(object: KubeObject): DeletePolicy[] {
  const annotations = object.metadata.annotations ?? {};
  const own = words(annotations[DELETE_POLICY]).filter((word): word is DeletePolicy => policies.has(word));
  const helm = words(annotations[HELM_DELETE_POLICY])
    .map((word) => helmPolicies[word])
    .filter((word) => word !== undefined);
  const found = own.length > 0 ? own : helm;
  return found.length > 0 ? found : ["BeforeHookCreation"];
}

/** Wave of a manifest; 0 when it has none or no number. */
export function syncWave(object: KubeObject): number {
  const annotations = object.metadata.annotations ?? {};
  const wave = Number.parseInt(annotations[WAVE] ?? annotations[HELM_WEIGHT] ?? "0", 10);
  return Number.isNaN(wave) ? 0 : wave;
}
