import type { KubeObject } from "@tiphys/resources";
import type { Store } from "../store/store.js";

export const CRDS = "apiextensions.k8s.io/customresourcedefinitions";
export const CLEANUP_FINALIZER = "customresourcecleanup.apiextensions.k8s.io";

interface CrdCondition {
  type: string;
  status: string;
  lastTransitionTime: string;
  reason: string;
  message: string;
}

/** The status a definition deserves: whether its names are free, and so whether it is served. */
export function crdStatus(crd: KubeObject, store: Store, now: string): KubeObject["status"] {
  const { names, versions } = crd["spec"];
  const before: CrdCondition[] = crd["status"]?.conditions ?? [];
  const taken = nameTaken(crd, store);
  const condition = (type: string, ok: boolean, reason: string, message: string): CrdCondition => {
    const status = ok ? "True" : "False";
    const old = before.find((other) => other.type === type);
    return { lastTransitionTime: old?.status === status ? old.lastTransitionTime : now, message, reason, status, type };
  };
  const stored: string[] = crd["status"]?.storedVersions ?? [];
  const storage = versions.find(({ storage }: { storage: boolean }) => storage)?.name;
  return {
    conditions: [
      taken
        ? condition("NamesAccepted", false, taken.reason, taken.message)
        : condition("NamesAccepted", true, "NoConflicts", "no conflicts found"),
      taken
        ? condition("Established", false, "NotAccepted", "not all names are accepted")
        : condition("Established", true, "InitialNamesAccepted", "the initial names have been accepted"),
      ...before.filter(({ type }) => type !== "NamesAccepted" && type !== "Established"),
    ],
    acceptedNames: taken ? (crd["status"]?.acceptedNames ?? { plural: "", kind: "" }) : names,
    storedVersions: storage && !stored.includes(storage) ? [...stored, storage] : stored,
  };
}

function nameTaken(crd: KubeObject, store: Store): { reason: string; message: string } | undefined {
  const { group, names } = crd["spec"];
  for (const key of store.keys(CRDS)) {
    const other = store.byKey(CRDS, key);
    if (!other || other.metadata.name === crd.metadata.name || other["spec"].group !== group) continue;
    const theirs = other["status"]?.acceptedNames ?? {};
    const resources = [theirs.plural, theirs.singular, ...(theirs.shortNames ?? [])];
    for (const [reason, name] of [
      ["PluralConflict", names.plural],
      ["SingularConflict", names.singular],
      ...(names.shortNames ?? []).map((short: string) => ["ShortNamesConflict", short]),
    ]) {
      if (name && resources.includes(name)) return { reason, message: `"${name}" is already in use` };
    }
    if ([theirs.kind, theirs.listKind].includes(names.kind)) {
      return { reason: "KindConflict", message: `"${names.kind}" is already in use` };
    }
  }
  return undefined;
}
