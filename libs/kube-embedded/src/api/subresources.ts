import { type Patch, statusError } from "@tiphys/kube";
import { jsonPatch, mergePatch } from "@tiphys/kube-patch";
import type { KubeObject } from "@tiphys/resources";
import { removeNow } from "./deletes.js";
import type { ScalePaths, ServedKind } from "./kinds.js";
import { timestamp } from "./names.js";
import type { Parts, Target, WriteContext } from "./parts.js";
import * as status from "./status.js";
import { commitUpdate, current } from "./writes.js";

const at = (object: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((value, step) => (value as Record<string, unknown> | undefined)?.[step], object);

function withValue(object: KubeObject, path: readonly string[], value: unknown): KubeObject {
  const [step = "", ...rest] = path;
  const member = rest.length === 0 ? value : withValue((object[step] ?? {}) as KubeObject, rest, value);
  return { ...object, [step]: member };
}

/** A label selector as text, which is how a Scale's status has it. */
function selectorText(selector: unknown): string {
  if (typeof selector === "string") return selector;
  const { matchLabels = {}, matchExpressions = [] } = (selector ?? {}) as {
    matchLabels?: Record<string, string>;
    matchExpressions?: { key: string; operator: string; values?: string[] }[];
  };
  const parts = Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`);
  for (const { key, operator, values = [] } of matchExpressions) {
    if (operator === "Exists") parts.push(key);
    else if (operator === "DoesNotExist") parts.push(`!${key}`);
    else parts.push(`${key} ${operator.toLowerCase()} (${[...values].sort().join(",")})`);
  }
  return parts.sort().join(",");
}

/** The autoscaling/v1 Scale of an object. */
export function scaleOf(object: KubeObject, { scale: paths, crd }: ServedKind & { scale: ScalePaths }): KubeObject {
  const isCustom = crd !== undefined;
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const replicas = at(object, paths.replicas);
  if (replicas === undefined && isCustom) {
    const message = `the spec replicas field ".${paths.replicas.join(".")}" does not exist`;
    throw statusError(500, "InternalError", `Internal error occurred: ${message}`, { causes: [{ message }] });
  }
  const selector = paths.selector ? selectorText(at(object, paths.selector)) : "";
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: {
      name,
      ...(namespace ? { namespace } : {}),
      ...(uid ? { uid } : {}),
      ...(resourceVersion ? { resourceVersion } : {}),
      ...(creationTimestamp ? { creationTimestamp } : {}),
    },
    spec: { ...(replicas ? { replicas } : {}) },
    status: { replicas: at(object, paths.statusReplicas) ?? 0, ...(selector ? { selector } : {}) },
  };
}

export async function writeScale(
  parts: Parts,
  target: Target,
  change: { readonly body: KubeObject } | { readonly patch: Patch },
  context: WriteContext,
): Promise<KubeObject> {
  const { kind, name } = target;
  const old = current(parts, target);
  if (!old || !hasScale(kind)) throw status.notFound(kind, name);
  const scale = scaleOf(old, kind);
  const wanted = "body" in change ? change.body : patchedScale(scale, change.patch);
  const replicas = wanted["spec"]?.replicas ?? 0;
  if (!Number.isInteger(replicas) || replicas < 0) {
    throw status.invalid({ group: "autoscaling", kind: "Scale" }, name, [
      status.fieldError(
        "spec.replicas",
        "FieldValueInvalid",
        `Invalid value: ${JSON.stringify(replicas)}: must be greater than or equal to 0`,
      ),
    ]);
  }
  const { uid, resourceVersion } = wanted.metadata ?? {};
  const metadata = { ...old.metadata };
  if (resourceVersion) metadata.resourceVersion = resourceVersion;
  if (uid) metadata.uid = uid;
  const next = withValue({ ...old, metadata }, kind.scale.replicas, replicas);
  return scaleOf(await commitUpdate(parts, { ...target, subresource: "scale" }, next, old, context), kind);
}

function patchedScale(scale: KubeObject, patch: Patch): KubeObject {
  if (patch.type === "json") return jsonPatch(scale, patch.body);
  if (patch.type === "apply") throw status.unimplemented("server-side apply of the scale subresource");
  return mergePatch(scale, patch.body);
}

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

export const hasScale = (kind: ServedKind): kind is ServedKind & { scale: ScalePaths } => kind.scale !== undefined;
