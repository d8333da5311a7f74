import type { KubeObject, ResourceType } from "@tiphys/resources";
import type { FieldOf } from "./selectors.js";
import { badRequest } from "./status.js";

/** Selectable fields of builtin kinds beside metadata.name and metadata.namespace. */
const selectable: Readonly<Record<string, readonly string[]>> = {
  "/pods": [
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
  ],
  "/events": [
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "source",
    "type",
  ],
  "/nodes": ["spec.unschedulable"],
  "/namespaces": ["status.phase"],
  "/secrets": ["type"],
  "certificates.k8s.io/certificatesigningrequests": ["spec.signerName"],
  "/services": ["spec.clusterIP", "spec.type"],
  "/replicationcontrollers": ["status.replicas"],
  "apps/replicasets": ["status.replicas"],
  "batch/jobs": ["status.successful"],
};

/** What an absent value reads as. */
const absent: Readonly<Record<string, string>> = {
  "spec.unschedulable": "false",
  "spec.hostNetwork": "false",
  "status.replicas": "0",
  "status.successful": "0",
};

const special: Readonly<Record<string, (object: KubeObject) => unknown>> = {
  source: (object) => object["source"]?.component ?? object["reportingComponent"],
  "status.successful": (object) => object["status"]?.succeeded,
};

const read = (object: KubeObject, path: readonly string[]): unknown =>
  path.reduce<unknown>((value, step) => (value as Record<string, unknown> | undefined)?.[step], object);

/** The selectable fields of a kind; `extra` are a custom resource's selectableFields as paths (`.spec.color`). */
export function fieldsOf(type: Pick<ResourceType, "group" | "resource">, extra?: readonly string[]): FieldOf {
  const known = new Set([
    "metadata.name",
    "metadata.namespace",
    ...(selectable[`${type.group}/${type.resource}`] ?? []),
  ]);
  for (const path of extra ?? []) known.add(path.replace(/^\./, ""));
  return (field) => {
    if (!known.has(field)) {
      if (extra !== undefined || known.size > 2) return undefined;
      throw badRequest(`"${field}" is not a known field selector: only "metadata.name", "metadata.namespace"`);
    }
    const from = special[field];
    const path = field.split(".");
    return (object) => String((from ? from(object) : read(object, path)) ?? absent[field] ?? "");
  };
}
