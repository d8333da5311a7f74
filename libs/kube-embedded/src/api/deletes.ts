import type { DeleteOptions } from "@tiphys/kube";
import { statusError } from "@tiphys/kube";
import type { KubeObject } from "@tiphys/resources";
import { checkNamespaceDeletion } from "./admission.js";
import { CLEANUP_FINALIZER, CRDS } from "./crds.js";
import type { ServedKind } from "./kinds.js";
import { timestamp } from "./names.js";
import { inVersion, type Parts, type Target, toStored } from "./parts.js";
import * as status from "./status.js";
import { current, isFinished } from "./writes.js";

export type Deletion =
  /** Gone; its last state. */
  | { readonly gone: true; readonly object: KubeObject }
  /** Marked; finalizers or a grace period keep it for now. */
  | { readonly gone: false; readonly object: KubeObject };

const FOREGROUND = "foregroundDeletion";
const ORPHAN = "orphan";
const DEFAULT_GRACE_SECONDS = 30;

/** Kinds whose dependents stay when the request says nothing. */
const orphansByDefault = new Set(["batch/jobs", "/replicationcontrollers"]);

export async function remove(
  parts: Parts,
  target: Target,
  options: DeleteOptions & { orphanDependents?: boolean },
): Promise<Deletion> {
  const result = removeNow(parts, target, options);
  await parts.store.settled();
  return result;
}

/** The deletion itself, in one step with everything it looks at. */
export function removeNow(parts: Parts, target: Target, options: DeleteOptions): Deletion {
  const { store, clock } = parts;
  const { kind, name } = target;
  const found = current(parts, target);
  if (!found) throw status.notFound(kind, name);
  checkNamespaceDeletion(kind, name);
  checkPreconditions(kind, found, options);
  const draft: KubeObject = { ...found, metadata: { ...found.metadata } };
  const { metadata } = draft;
  const finalizers = new Set(metadata.finalizers);
  const marked = metadata.deletionTimestamp !== undefined;
  policyFinalizers(kind, finalizers, options);
  if (kind.collection === CRDS && !marked) finalizers.add(CLEANUP_FINALIZER);
  const grace = graceOf(kind, found, options);
  const now = clock.now();
  if (!marked) {
    metadata.deletionTimestamp = timestamp(new Date(now.getTime() + grace * 1000));
    if (kind.collection !== "/namespaces") metadata.deletionGracePeriodSeconds = grace;
    if (metadata.generation !== undefined) metadata.generation++;
  } else if (kind.collection === "/pods" && grace < (metadata.deletionGracePeriodSeconds ?? 0)) {
    metadata.deletionTimestamp = timestamp(new Date(now.getTime() + grace * 1000));
    metadata.deletionGracePeriodSeconds = grace;
  }
  if (finalizers.size > 0) metadata.finalizers = [...finalizers];
  else delete metadata.finalizers;
  if (kind.collection === "/namespaces") draft["status"] = { ...draft["status"], phase: "Terminating" };
  if (isFinished(kind, draft)) {
    // Only pods are told to end; everything else goes in the state it was in.
    const last = marked || kind.collection === "/pods" ? draft : found;
    if (options.dryRun) return { gone: true, object: last };
    return { gone: true, object: inVersion(kind, store.remove(kind.collection, toStored(kind, last))) };
  }
  if (options.dryRun || same(draft, found)) return { gone: false, object: options.dryRun ? draft : found };
  return { gone: false, object: inVersion(kind, store.put(kind.collection, toStored(kind, draft))) };
}

const same = (a: KubeObject, b: KubeObject): boolean =>
  a.metadata.deletionTimestamp === b.metadata.deletionTimestamp &&
  a.metadata.deletionGracePeriodSeconds === b.metadata.deletionGracePeriodSeconds &&
  (a.metadata.finalizers ?? []).join() === (b.metadata.finalizers ?? []).join() &&
  a["status"]?.phase === b["status"]?.phase;

export function checkPreconditions(
  kind: ServedKind,
  found: KubeObject,
  { preconditions }: Pick<DeleteOptions, "preconditions">,
): void {
  const { uid, resourceVersion, name } = found.metadata;
  if (kind.collection === "/namespaces") {
    for (const [what, wanted, is] of [
      ["UID", preconditions?.uid, uid],
      ["ResourceVersion", preconditions?.resourceVersion, resourceVersion],
    ] as const) {
      if (!wanted || wanted === is) continue;
      const problem = `Precondition failed: ${what} in precondition: ${wanted}, ${what} in object meta: ${is}`;
      throw status.conflict(kind, name, problem);
    }
  }
  const named = { group: kind.group, resource: kind.kind, kind: kind.kind };
  const wrong = (what: string, wanted: string, is: string | undefined) =>
    statusError(
      409,
      "Conflict",
      `Operation cannot be fulfilled on ${named.resource}${kind.group ? `.${kind.group}` : ""} "${name}": the ${what} in the precondition (${wanted}) does not match the ${what} in record (${is}). The object might have been ${what === "UID" ? "deleted and then recreated" : "modified"}`,
      { name, ...(kind.group ? { group: kind.group } : {}), kind: kind.kind },
    );
  if (preconditions?.uid && preconditions.uid !== uid) throw wrong("UID", preconditions.uid, uid);
  if (preconditions?.resourceVersion && preconditions.resourceVersion !== resourceVersion) {
    throw wrong("ResourceVersion", preconditions.resourceVersion, resourceVersion);
  }
}

function policyFinalizers(kind: ServedKind, finalizers: Set<string>, { propagation }: DeleteOptions): void {
  const asked =
    propagation ??
    (finalizers.has(FOREGROUND)
      ? "Foreground"
      : finalizers.has(ORPHAN) || orphansByDefault.has(kind.collection)
        ? "Orphan"
        : "Background");
  finalizers.delete(FOREGROUND);
  finalizers.delete(ORPHAN);
  if (asked === "Foreground") finalizers.add(FOREGROUND);
  if (asked === "Orphan") finalizers.add(ORPHAN);
}

/** Seconds a pod has to end; everything else, and a pod that no node runs, goes at once. */
function graceOf(kind: ServedKind, object: KubeObject, { gracePeriodSeconds }: DeleteOptions): number {
  if (kind.collection !== "/pods") return 0;
  const phase = object["status"]?.phase;
  if (!object["spec"]?.nodeName || phase === "Succeeded" || phase === "Failed") return 0;
  const wanted = gracePeriodSeconds ?? object["spec"].terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
  return Math.max(0, wanted);
}
