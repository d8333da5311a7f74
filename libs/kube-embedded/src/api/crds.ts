import { approvalOf } from "@tiphys/kube-schema";
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
  const { names } = crd["spec"];
  const versions = crd["spec"].versions ?? [];
  const before: CrdCondition[] = crd["status"]?.conditions ?? [];
  const wasAccepted: AcceptedNames = crd["status"]?.acceptedNames ?? { plural: "", kind: "" };
  const { accepted, conflict } = acceptNames(crd, wasAccepted, store);
  const condition = (type: string, ok: boolean, reason: string, message: string): CrdCondition => {
    const status = ok ? "True" : "False";
    const old = before.find((other) => other.type === type);
    return { lastTransitionTime: old?.status === status ? old.lastTransitionTime : now, message, reason, status, type };
  };
  const wasEstablished = before.find(({ type, status }) => type === "Established" && status === "True");
  const approval = approvalOf(crd);
  const own = new Set(["NamesAccepted", "Established", APPROVED]);
  const conditions = [
    conflict
      ? condition("NamesAccepted", false, conflict.reason, conflict.message)
      : condition("NamesAccepted", true, "NoConflicts", "no conflicts found"),
    // What is served stays served when later names are refused.
    wasEstablished ??
      (conflict
        ? condition("Established", false, "NotAccepted", "not all names are accepted")
        : condition("Established", true, "InitialNamesAccepted", "the initial names have been accepted")),
    ...(approval
      ? [condition(APPROVED, approval.state === "approved", approvalReason[approval.state], approval.reason)]
      : []),
    ...before.filter(({ type }) => !own.has(type)),
  ];
  const stored: string[] = crd["status"]?.storedVersions ?? [];
  const storage = versions.find(({ storage }: { storage: boolean }) => storage)?.name;
  return {
    conditions,
    acceptedNames: conflict ? accepted : names,
    storedVersions: storage && !stored.includes(storage) ? [...stored, storage] : stored,
  };
}

const APPROVED = "KubernetesAPIApprovalPolicyConformant";
const approvalReason = {
  approved: "ApprovedAnnotation",
  unapproved: "UnapprovedAnnotation",
  missing: "MissingAnnotation",
  invalid: "InvalidAnnotation",
} as const;

interface AcceptedNames {
  plural: string;
  singular?: string;
  shortNames?: readonly string[];
  kind: string;
  listKind?: string;
  categories?: readonly string[];
}

/** The names a definition may have: those that no other one of its group has. */
function acceptNames(crd: KubeObject, before: AcceptedNames, store: Store) {
  const { group, names } = crd["spec"];
  const resources = new Set<string>();
  const kinds = new Set<string>();
  for (const key of store.keys(CRDS)) {
    const other = store.byKey(CRDS, key);
    if (!other || other.metadata.name === crd.metadata.name || other["spec"].group !== group) continue;
    const theirs: Partial<AcceptedNames> = other["status"]?.acceptedNames ?? {};
    for (const name of [theirs.plural, theirs.singular, ...(theirs.shortNames ?? [])]) if (name) resources.add(name);
    for (const name of [theirs.kind, theirs.listKind]) if (name) kinds.add(name);
  }
  const accepted: AcceptedNames = { ...before };
  let conflict: { reason: string; message: string } | undefined;
  const taken = (name: string) => `"${name}" is already in use`;
  for (const [field, used, reason] of [
    ["plural", resources, "PluralConflict"],
    ["singular", resources, "SingularConflict"],
    ["kind", kinds, "KindConflict"],
    ["listKind", kinds, "ListKindConflict"],
  ] as const) {
    const wanted = names[field];
    if (wanted !== before[field] && used.has(wanted)) conflict = { reason, message: taken(wanted) };
    else accepted[field] = wanted;
    if (field !== "singular") continue;
    // In the order of the original: the last conflict is the one told.
    const wantedShort: readonly string[] = names.shortNames ?? [];
    const fresh = wantedShort.filter((name) => !before.shortNames?.includes(name) && resources.has(name));
    if (fresh.length > 0) {
      const texts = [...new Set(fresh.map(taken))];
      conflict = { reason: "ShortNamesConflict", message: texts.length === 1 ? texts[0]! : `[${texts.join(", ")}]` };
    } else if (names.shortNames) accepted.shortNames = names.shortNames;
    else delete accepted.shortNames;
  }
  if (names.categories) accepted.categories = names.categories;
  else delete accepted.categories;
  return { accepted, conflict };
}

/** Definitions whose names may be free now that another one of their group has changed or gone. */
export function waitingForNames(group: string, store: Store): KubeObject[] {
  return store.keys(CRDS).flatMap((key) => {
    const crd = store.byKey(CRDS, key);
    const refused = crd?.["status"]?.conditions?.some(
      ({ type, status }: CrdCondition) => type === "NamesAccepted" && status === "False",
    );
    return crd && refused && crd["spec"].group === group ? [crd] : [];
  });
}
