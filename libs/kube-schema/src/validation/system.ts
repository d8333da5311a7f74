// biome-ignore-all lint/suspicious/noExplicitAny: objects were decoded against their schemas before

import { isDns1035Label, isDnsSubdomain } from "@tiphys/kube-values";
import { type FieldError, invalid, required } from "../field-error.js";

// What makes sense of the kinds that tell the control plane itself how to work, beyond what their schemas say.

type Check = (object: any) => FieldError[];

const missing = (value: unknown, field: string, detail?: string): FieldError[] =>
  value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0)
    ? [required(field, detail)]
    : [];
const named = (value: string | undefined, field: string): FieldError[] =>
  isDnsSubdomain(value ?? "").map((problem) => invalid(field, value ?? "", problem));

function checkEvent(event: any): FieldError[] {
  const errors: FieldError[] = [];
  const isNew = event.apiVersion === "events.k8s.io/v1";
  const { namespace = "" } = (isNew ? event.regarding : event.involvedObject) ?? {};
  // Events about what has no namespace are kept in the default one.
  const expected = event.metadata.namespace ?? "";
  if (namespace === "" ? expected !== "default" && expected !== "kube-system" : namespace !== expected) {
    errors.push(invalid("involvedObject.namespace", namespace, "does not match event.namespace"));
  }
  if (!isNew && !event.eventTime) return errors;
  if (!event.eventTime) return [...errors, required("eventTime"), ...kindOfEvent(event)];
  const controller = event.reportingController ?? event.reportingComponent;
  errors.push(...missing(controller, "reportingController"), ...missing(event.reportingInstance, "reportingInstance"));
  errors.push(...missing(event.action, "action"), ...missing(event.reason, "reason"), ...kindOfEvent(event));
  return errors;
}
const kindOfEvent = ({ type = "" }: any): FieldError[] =>
  type === "Normal" || type === "Warning" ? [] : [invalid("type", type, `has invalid value: ${type}`)];

function checkApiService({ metadata, spec = {} }: any): FieldError[] {
  const errors: FieldError[] = [];
  const { group = "", version = "" } = spec;
  for (const field of ["generateName", "name"] as const) {
    const name = metadata[field];
    if (!name || name === `${version}.${group}`) continue;
    errors.push(invalid(`metadata.${field}`, name, `must be \`spec.version+"."+spec.group\`: "${version}.${group}"`));
  }
  if (group === "" && version !== "v1") {
    errors.push(required("spec.group", "only v1 may have an empty group and it better be legacy kube"));
  }
  for (const problem of isDns1035Label(version)) errors.push(invalid("spec.version", version, problem));
  for (const [field, most] of [
    ["groupPriorityMinimum", 20_000],
    ["versionPriority", 1000],
  ] as const) {
    const value = spec[field] ?? 0;
    if (value <= 0 || value > most) {
      errors.push(invalid(`spec.${field}`, value, `must be positive and less than ${most}`));
    }
  }
  if (spec.service) {
    errors.push(
      ...missing(spec.service.namespace, "spec.service.namespace"),
      ...missing(spec.service.name, "spec.service.name"),
    );
  }
  return errors;
}

function checkAdmissionPolicy({ kind, spec = {} }: any): FieldError[] {
  const errors = missing(spec.matchConstraints, "spec.matchConstraints");
  if (kind === "MutatingAdmissionPolicy") {
    errors.push(...missing(spec.mutations, "spec.mutations", "mutations must contain at least one item"));
    errors.push(...missing(spec.reinvocationPolicy, "spec.reinvocationPolicy"));
  } else if (!spec.validations?.length && !spec.auditAnnotations?.length) {
    const detail = "validations or auditAnnotations must contain at least one item";
    errors.push(required("spec.validations", detail), required("spec.auditAnnotations", detail));
  }
  return errors;
}

function checkSlice({ spec = {} }: any): FieldError[] {
  const errors = [...missing(spec.driver, "spec.driver"), ...missing(spec.pool?.name, "spec.pool.name")];
  const count = spec.pool?.resourceSliceCount ?? 0;
  if (count <= 0) errors.push(invalid("spec.pool.resourceSliceCount", count, "must be greater than zero"));
  const places = ["nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection"].filter((name) => spec[name]);
  if (places.length === 0) {
    errors.push(
      required("spec", "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"),
    );
  }
  return errors;
}

/** By `group/Kind`. Kinds in here need no look at their definition: everything it asks for is asked here. */
export const systemChecks: Readonly<Record<string, Check>> = {
  "/Event": checkEvent,
  "events.k8s.io/Event": checkEvent,
  "/ReplicationController": ({ spec = {} }) => [
    ...(Object.keys(spec.selector ?? {}).length === 0 && Object.keys(spec.template?.metadata?.labels ?? {}).length === 0
      ? [required("spec.selector")]
      : []),
    ...missing(spec.template, "spec.template"),
  ],
  "admissionregistration.k8s.io/ValidatingAdmissionPolicy": checkAdmissionPolicy,
  "admissionregistration.k8s.io/MutatingAdmissionPolicy": checkAdmissionPolicy,
  "admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding": ({ spec = {} }) => [
    ...missing(spec.policyName, "spec.policyName"),
    ...missing(spec.validationActions, "spec.validationActions", "at least one validation action is required"),
  ],
  "admissionregistration.k8s.io/MutatingAdmissionPolicyBinding": ({ spec = {} }) =>
    missing(spec.policyName, "spec.policyName"),
  "apiregistration.k8s.io/APIService": checkApiService,
  "apps/ControllerRevision": ({ data }) => missing(data, "data", "data is mandatory"),
  "flowcontrol.apiserver.k8s.io/FlowSchema": ({ spec = {} }) =>
    missing(
      spec.priorityLevelConfiguration?.name,
      "spec.priorityLevelConfiguration.name",
      "must reference a priority level",
    ),
  "resource.k8s.io/ResourceSlice": checkSlice,
  "storage.k8s.io/CSIStorageCapacity": ({ storageClassName }) => named(storageClassName, "storageClassName"),
  "storage.k8s.io/VolumeAttachment": ({ spec = {} }) => [
    ...(spec.attacher ? named(spec.attacher, "spec.attacher") : [required("spec.attacher")]),
    ...named(spec.nodeName, "spec.nodeName"),
    ...(spec.source?.persistentVolumeName || spec.source?.inlineVolumeSpec
      ? []
      : [required("spec.source", "must specify exactly one of inlineVolumeSpec and persistentVolumeName")]),
  ],
};
