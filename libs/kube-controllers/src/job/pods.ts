import { controllerRef, type KubeObject, types } from "@tiphys/resources";
import { changeAnnotationsOf } from "../shared.js";
import type { Write } from "../writes.js";
import { INDEX } from "./indexes.js";

/** On every pod of a job until the job has counted its end. */
export const TRACKED = "batch.kubernetes.io/job-tracking";
export const INDEX_FAILURES = "batch.kubernetes.io/job-index-failure-count";
export const INDEX_IGNORED = "batch.kubernetes.io/job-index-ignored-failure-count";
const INDEX_VARIABLE = "JOB_COMPLETION_INDEX";
/** Names end in five more characters and have to fit 63. */
const LONGEST_PREFIX = 58;

export const isTracked = (pod: KubeObject): boolean => pod.metadata.finalizers?.includes(TRACKED) ?? false;

export const untrack = (object: KubeObject): Write => {
  const rest = (object.metadata.finalizers ?? []).filter((name) => name !== TRACKED);
  return { do: "patch", type: types.pods, object, body: { metadata: { finalizers: rest.length > 0 ? rest : null } } };
};

export const remove = (job: KubeObject, pod: KubeObject): Write => ({
  do: "delete",
  type: types.pods,
  object: pod,
  tell: {
    about: job,
    type: "Normal",
    reason: "SuccessfulDelete",
    message: "Deleted pod: {name}",
    failure: { reason: "FailedDelete", verb: "deleting" },
  },
});

/** A pod of an Indexed job, and how often its index has failed before. */
export interface Place {
  readonly index: number;
  readonly failures?: number;
  readonly ignored?: number;
}

export function create(job: KubeObject, place?: Place): Write {
  const { metadata, spec } = job.spec.template;
  const { name, namespace = "" } = job.metadata;
  const annotations: Record<string, string> = { ...metadata?.annotations, ...changeAnnotationsOf(job) };
  const labels: Record<string, string> = { ...metadata?.labels };
  let generateName = `${name}-`;
  if (place) {
    annotations[INDEX] = String(place.index);
    labels[INDEX] = String(place.index);
    if (place.failures !== undefined) annotations[INDEX_FAILURES] = String(place.failures);
    if (place.ignored) annotations[INDEX_IGNORED] = String(place.ignored);
    const end = `-${place.index}-`;
    generateName = `${name.slice(0, LONGEST_PREFIX - end.length)}${end}`;
  }
  return {
    do: "create",
    type: types.pods,
    object: {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name: "",
        generateName,
        namespace,
        labels,
        ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
        finalizers: [...(metadata?.finalizers ?? []).filter((finalizer: string) => finalizer !== TRACKED), TRACKED],
        ownerReferences: [controllerRef(job)],
      },
      spec: place ? { ...withIndexVariable(spec), hostname: `${name}-${place.index}` } : spec,
    },
    tell: {
      about: job,
      type: "Normal",
      reason: "SuccessfulCreate",
      message: "Created pod: {name}",
      failure: { reason: "FailedCreate", verb: "creating" },
    },
  };
}

type Container = { readonly env?: readonly { readonly name: string }[] };

function withIndexVariable(spec: KubeObject["spec"]): KubeObject["spec"] {
  const valueFrom = { fieldRef: { fieldPath: `metadata.labels['${INDEX}']` } };
  const add = (container: Container) =>
    container.env?.some(({ name }) => name === INDEX_VARIABLE)
      ? container
      : { ...container, env: [...(container.env ?? []), { name: INDEX_VARIABLE, valueFrom }] };
  return {
    ...spec,
    containers: spec.containers.map(add),
    ...(spec.initContainers ? { initContainers: spec.initContainers.map(add) } : {}),
  };
}
