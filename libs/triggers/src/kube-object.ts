import { createHash } from "node:crypto";
import { clone } from "@tiphys/canonical-json";
import { AlreadyExistsError, codeOf, InvalidArgumentError, UnimplementedError } from "@tiphys/errors";
import { applyParameters, patchTypes } from "@tiphys/eventing";
import { changeAnnotations } from "@tiphys/identity";
import { limits } from "@tiphys/limits";
import type { ArgoWorkflowTrigger, K8sTrigger, KubeObject, ResourceType, TriggerSource } from "@tiphys/resources";
import { parseYaml } from "@tiphys/yaml";
import type { TriggerContext, TriggerResult } from "./context.js";

export const SENSOR_LABEL = "events.argoproj.io/sensor";
export const TRIGGER_LABEL = "events.argoproj.io/trigger";
export const ACTION_TIMESTAMP_LABEL = "events.argoproj.io/action-timestamp";
/** Annotation that tells which run made an object: the ids of its events lead to it. */
export const RUN_ANNOTATION = "events.tiphys.dev/run";

const FIELD_MANAGER = "tiphys-events";
const LONGEST_NAME = 63;

/** The object that a trigger's source gives, as plain data. */
function objectOf(source: TriggerSource | undefined): KubeObject {
  if (source?.resource) return clone(source.resource);
  if (typeof source?.inline === "string") {
    if (source.inline.length > limits.kubeObjectBytes) throw new InvalidArgumentError("source.inline", "is too large");
    return parseYaml(source.inline) as KubeObject;
  }
  throw new UnimplementedError(`trigger source ${Object.keys(source ?? {}).join(", ") || "(none)"}`);
}

function checkObject(object: KubeObject): void {
  if (typeof object !== "object" || object === null) throw new InvalidArgumentError("source", "is not an object");
  for (const field of ["apiVersion", "kind"] as const) {
    if (typeof object[field] !== "string" || !object[field])
      throw new InvalidArgumentError(`source.${field}`, "is missing");
  }
  if (!object.metadata?.name && !object.metadata?.generateName) {
    throw new InvalidArgumentError("source.metadata", "has neither name nor generateName");
  }
}

/** A generated name that is the same for every try of a run, so that trying again makes nothing twice. */
export function runName(generateName: string, sensor: string, trigger: string, runId: string): string {
  const tail = createHash("sha256").update(`${sensor}\n${trigger}\n${runId}`).digest("hex").slice(0, 10);
  return generateName.slice(0, LONGEST_NAME - tail.length) + tail;
}

/** Labels may be shorter than the names they hold. */
const labelValue = (text: string) => text.slice(0, LONGEST_NAME).replace(/[^A-Za-z0-9]+$/, "");

function marked(object: KubeObject, type: ResourceType, context: TriggerContext): KubeObject {
  const { name, generateName, namespace, ...metadata } = object.metadata;
  const finalName = name || runName(generateName ?? "", context.sensor, context.trigger, context.runId);
  return {
    ...object,
    metadata: {
      ...metadata,
      name: finalName,
      ...(type.namespaced ? { namespace: namespace || context.namespace } : {}),
      labels: {
        ...metadata.labels,
        [SENSOR_LABEL]: labelValue(context.sensor),
        [TRIGGER_LABEL]: labelValue(context.trigger),
        [ACTION_TIMESTAMP_LABEL]: String(context.now.getTime()),
      },
      annotations: {
        ...metadata.annotations,
        ...changeAnnotations(context.change),
        [RUN_ANNOTATION]: context.runId,
      },
    },
  };
}

const reference = ({ apiVersion, kind, metadata: { name, namespace } }: KubeObject): TriggerResult["object"] => ({
  apiVersion,
  kind,
  ...(namespace ? { namespace } : {}),
  name,
});

const place = ({ kind, metadata: { name, namespace } }: KubeObject) =>
  `${kind} ${namespace ? `${namespace}/` : ""}${name}`;
const keyOf = ({ metadata: { name, namespace } }: KubeObject) => ({ name, ...(namespace ? { namespace } : {}) });

async function create(object: KubeObject, type: ResourceType, context: TriggerContext): Promise<TriggerResult> {
  const options = { fieldManager: FIELD_MANAGER, signal: context.signal };
  try {
    await context.kube.create(type, object, options);
  } catch (error) {
    if (codeOf(error) !== "AlreadyExists") throw error;
    const live = await context.kube.get(type, keyOf(object), { signal: context.signal });
    if (live.metadata.annotations?.[RUN_ANNOTATION] !== context.runId) {
      const message = `${place(object)} exists and was not made by this event: use metadata.generateName, or operation patch`;
      throw new AlreadyExistsError(message, { cause: error });
    }
  }
  return { summary: `created ${place(object)}`, object: reference(object) };
}

/** Runs a k8s trigger; every operation may be repeated for the same run. */
export async function runKubeTrigger(trigger: K8sTrigger, context: TriggerContext): Promise<TriggerResult> {
  const source = applyParameters(objectOf(trigger.source), trigger.parameters, context.events);
  checkObject(source);
  const type = await context.kube.resourceFor(source.apiVersion, source.kind);
  const object = marked(source, type, context);
  const operation = trigger.operation || "create";
  const options = { fieldManager: FIELD_MANAGER, signal: context.signal };

  if (operation === "create") return create(object, type, context);
  if (!source.metadata.name) throw new InvalidArgumentError("source.metadata.name", `is needed to ${operation}`);
  if (operation === "delete") {
    try {
      await context.kube.delete(type, keyOf(object), { propagation: "Background", signal: context.signal });
    } catch (error) {
      if (codeOf(error) !== "NotFound") throw error;
    }
    return { summary: `deleted ${place(object)}`, object: reference(object) };
  }
  const strategy = operation === "update" ? "merge" : (patchTypes[trigger.patchStrategy ?? ""] ?? "merge");
  if (strategy === "json") throw new UnimplementedError("patchStrategy application/json-patch+json of k8s triggers");
  const { [ACTION_TIMESTAMP_LABEL]: _, ...labels } = object.metadata.labels ?? {};
  const patch = { ...object, metadata: { ...object.metadata, labels } };
  try {
    const force = strategy === "apply" ? { force: true } : {};
    await context.kube.patch(type, keyOf(object), { type: strategy, body: patch }, { ...options, ...force });
    return { summary: `patched ${place(object)}`, object: reference(object) };
  } catch (error) {
    if (codeOf(error) !== "NotFound") throw error;
    return create(object, type, context);
  }
}

/** Runs an argoWorkflow trigger: submits the Workflow by creating it. */
export async function runWorkflowTrigger(
  trigger: ArgoWorkflowTrigger,
  context: TriggerContext,
): Promise<TriggerResult> {
  const operation = trigger.operation || "submit";
  if (operation !== "submit") throw new UnimplementedError(`argoWorkflow operation ${operation}`);
  const source = objectOf(trigger.source);
  if (source?.kind !== "Workflow" || !source.apiVersion?.startsWith("argoproj.io/")) {
    throw new InvalidArgumentError(
      "argoWorkflow.source",
      `is a ${source?.kind ?? "nothing"}, not a Workflow of argoproj.io`,
    );
  }
  return runKubeTrigger({ source: { resource: source }, operation: "create", parameters: trigger.parameters }, context);
}
