import type { KubeObject } from "@tiphys/resources";
import { checkPreconditions, removeNow } from "./deletes.js";
import type { ServedKind } from "./kinds.js";
import { timestamp } from "./names.js";
import type { Parts, Target, WriteContext } from "./parts.js";
import * as status from "./status.js";
import { current } from "./writes.js";

/** POST pods/binding: the scheduler's decision. */
export async function bind(parts: Parts, target: Target, body: KubeObject, context: WriteContext): Promise<void> {
  const { kind, name } = target;
  const pod = current(parts, { ...target, subresource: "" });
  if (!pod) throw status.notFound(kind, name);
  const { name: node, kind: targetKind = "" } = (body["target"] ?? {}) as { name?: string; kind?: string };
  const problems = [
    ...(targetKind === "" || targetKind === "Node"
      ? []
      : [`target.kind: Unsupported value: ${JSON.stringify(targetKind)}: supported values: "Node", "<empty>"`]),
    ...(node ? [] : ["target.name: Required value"]),
  ];
  // As the real server has it, which does not take this for a refusal of its own.
  if (problems.length > 0) throw status.bare(problems.length === 1 ? problems.join() : `[${problems.join(", ")}]`);
  const operation = { group: kind.group, resource: "pods/binding", kind: kind.kind };
  if (pod["spec"].nodeName) {
    throw status.conflict(operation, name, `pod ${name} is already assigned to node "${pod["spec"].nodeName}"`);
  }
  if (pod.metadata.deletionTimestamp) {
    throw status.conflict(operation, name, `pod ${name} is being deleted, cannot be assigned to a host`);
  }
  const conditions = ((pod["status"]?.conditions ?? []) as { type: string }[]).filter(
    ({ type }) => type !== "PodScheduled",
  );
  if (context.dryRun) return;
  const stored: KubeObject = {
    ...pod,
    metadata: { ...pod.metadata, annotations: { ...pod.metadata.annotations, ...body.metadata?.annotations } },
    spec: { ...pod["spec"], nodeName: node },
    status: {
      ...pod["status"],
      conditions: [
        ...conditions,
        { type: "PodScheduled", status: "True", lastProbeTime: null, lastTransitionTime: timestamp(parts.clock.now()) },
      ],
    },
  };
  if (Object.keys(stored.metadata.annotations ?? {}).length === 0) delete stored.metadata.annotations;
  parts.store.put(kind.collection, stored);
  await parts.store.settled();
}

/** POST pods/eviction: a deletion that disruption budgets may refuse; there are no budgets yet. */
export async function evict(parts: Parts, target: Target, body: KubeObject, context: WriteContext): Promise<void> {
  const { kind, name } = target;
  const pod = { ...target, subresource: "" };
  const { gracePeriodSeconds, preconditions, dryRun } = (body["deleteOptions"] ?? {}) as {
    gracePeriodSeconds?: number;
    preconditions?: { uid?: string; resourceVersion?: string };
    dryRun?: string[];
  };
  const options = {
    ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
    ...(preconditions ? { preconditions } : {}),
    ...(context.dryRun || dryRun?.includes("All") ? { dryRun: true } : {}),
  };
  const found = current(parts, pod);
  if (!found) throw status.notFound(kind, name);
  checkPreconditions(kind, found, options);
  if (!options.dryRun) {
    const { resourceVersion: _, ...uid } = preconditions ?? {};
    tellEviction(parts, pod, found);
    removeNow(parts, pod, { ...options, ...(preconditions ? { preconditions: uid } : {}) });
  }
  await parts.store.settled();
}

/** Writes on the pod why it will end: what runs it has to know this from other ends. */
function tellEviction({ store, clock }: Parts, { kind }: Target, pod: KubeObject): void {
  const now = timestamp(clock.now());
  const before = (pod["status"]?.conditions ?? []) as { type: string; status: string; lastTransitionTime?: string }[];
  const known = before.find(({ type }) => type === "DisruptionTarget");
  const told = {
    type: "DisruptionTarget",
    status: "True",
    lastProbeTime: null,
    lastTransitionTime: known?.status === "True" ? known.lastTransitionTime : now,
    reason: "EvictionByEvictionAPI",
    message: "Eviction API: evicting",
  };
  const conditions = [...before.filter((one) => one !== known), told];
  store.put(kind.collection, { ...pod, metadata: { ...pod.metadata }, status: { ...pod["status"], conditions } });
}

/** True when the kind has this subresource with this verb. */
export const serves = (kind: ServedKind, subresource: string, verb: string): boolean =>
  kind.subresources.some(({ name, verbs }) => name === subresource && verbs.includes(verb));
