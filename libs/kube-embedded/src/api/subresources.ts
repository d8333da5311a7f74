import type { KubeObject } from "@tiphys/resources";
import { removeNow } from "./deletes.js";
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
  const node = body["target"]?.name;
  if (!node) {
    throw status.invalid({ group: "", kind: "Binding" }, name, [
      status.fieldError("target.name", "FieldValueRequired", "Required value"),
    ]);
  }
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
  const options = body["deleteOptions"] ?? {};
  removeNow(
    parts,
    { ...target, subresource: "" },
    {
      ...(options.gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds: options.gracePeriodSeconds }),
      ...(options.preconditions ? { preconditions: options.preconditions } : {}),
      ...(context.dryRun ? { dryRun: true } : {}),
    },
  );
  await parts.store.settled();
}

/** True when the kind has this subresource with this verb. */
export const serves = (kind: ServedKind, subresource: string, verb: string): boolean =>
  kind.subresources.some(({ name, verbs }) => name === subresource && verbs.includes(verb));
