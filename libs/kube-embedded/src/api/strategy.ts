import { clone, deepEqual } from "@tiphys/canonical-json";
import { dropGated, qosClass } from "@tiphys/kube-schema";
import type { KubeObject } from "@tiphys/resources";
import { alignProfiles } from "./app-armor.js";
import type { ServedKind } from "./kinds.js";

type Status = Record<string, unknown> | undefined;

/** Builtin kinds whose creator may write the status at once. */
const keepsStatusAtCreate = new Set(["/nodes"]);

/** Statuses that do not begin as their kind's zero. */
const statusAtCreate: Readonly<Record<string, (object: KubeObject) => Status>> = {
  "/namespaces": () => ({ phase: "Active" }),
  "/pods": (object) => ({ phase: "Pending", qosClass: qosClass(object), ...gated(object) }),
  "/persistentvolumeclaims": () => ({ phase: "Pending" }),
  "/persistentvolumes": ({ metadata }) => ({
    phase: "Pending",
    lastPhaseTransitionTime: metadata.creationTimestamp,
  }),
};

/** A pod that waits for its gates says so from the beginning. */
function gated(pod: KubeObject): Status {
  if (!pod["spec"]?.schedulingGates?.length) return {};
  const message = "Scheduling is blocked due to non-empty scheduling gates";
  return {
    conditions: [
      {
        type: "PodScheduled",
        status: "False",
        lastProbeTime: null,
        lastTransitionTime: pod.metadata.creationTimestamp,
        reason: "SchedulingGated",
        message,
      },
    ],
  };
}

/** Fields that the writer of the object, or of one of its subresources, cannot own. */
export function resetFields(kind: ServedKind, subresource: string | undefined): readonly (readonly string[])[] {
  const special = resetBySubresource[`${kind.collection}/${subresource ?? ""}`];
  if (special) return special;
  if (subresource === "status")
    return kind.builtin && !keepsMetadataWithStatus.has(kind.collection) ? SPEC : SPEC_AND_METADATA;
  return kind.hasStatus ? STATUS : NONE;
}
const NONE: readonly (readonly string[])[] = [];
const SPEC = [["spec"]];
const STATUS = [["status"]];
const SPEC_AND_METADATA = [["spec"], ["metadata"]];

/** Builtin kinds whose status is written without their metadata, as custom resources' are. */
const keepsMetadataWithStatus = new Set([
  "apiextensions.k8s.io/customresourcedefinitions",
  "apiregistration.k8s.io/apiservices",
  "networking.k8s.io/servicecidrs",
  "resource.k8s.io/resourceclaims",
  "storage.k8s.io/volumeattachments",
  "admissionregistration.k8s.io/validatingadmissionpolicies",
  "flowcontrol.apiserver.k8s.io/flowschemas",
  "flowcontrol.apiserver.k8s.io/prioritylevelconfigurations",
]);

const resetBySubresource: Readonly<Record<string, readonly (readonly string[])[]>> = {
  "/pods/status": [["spec"], ["metadata", "deletionTimestamp"], ["metadata", "ownerReferences"]],
  "apps/deployments/status": [["spec"], ["metadata", "labels"]],
  "certificates.k8s.io/certificatesigningrequests/": [["spec"], ["status"]],
  "certificates.k8s.io/certificatesigningrequests/status": [["spec"], ["status", "conditions"]],
  "certificates.k8s.io/certificatesigningrequests/approval": [["spec"], ["status", "certificate"]],
};

export function prepareCreate(kind: ServedKind, object: KubeObject, warn: (text: string) => void): void {
  if (!kind.hasStatus) {
    if (kind.builtin === undefined) return;
  } else if (!keepsStatusAtCreate.has(kind.collection)) {
    delete object["status"];
    const status = statusAtCreate[kind.collection]?.(object) ?? clone(kind.schema.zero?.["status"] as Status);
    if (status) object["status"] = status;
  }
  completions[kind.collection]?.(object, warn);
  if (kind.builtin) dropGated(kind.builtin, object);
  if (kind.collection === "/namespaces") {
    const finalizers: string[] = object["spec"]?.finalizers ?? [];
    if (!finalizers.includes("kubernetes")) {
      object["spec"] = { ...object["spec"], finalizers: [...finalizers, "kubernetes"] };
    }
    object.metadata.labels = { ...object.metadata.labels, "kubernetes.io/metadata.name": object.metadata.name };
  }
}

/** Members that the server itself gives to new objects. */
const completions: Readonly<Record<string, (object: KubeObject, warn: (text: string) => void) => void>> = {
  "batch/jobs": (job) => {
    const own = job.metadata.labels;
    const isOfTemplate = own === undefined || own === job["spec"]?.template?.metadata?.labels;
    if (job["spec"] && !job["spec"].manualSelector) generateSelector(job);
    const labels = job["spec"]?.template?.metadata?.labels;
    if (labels && (isOfTemplate || Object.keys(own).length === 0)) job.metadata.labels = { ...labels };
  },
  "/pods": alignProfiles,
  "/persistentvolumeclaims": ({ spec }) => {
    if (spec) alignSources(spec);
  },
  "discovery.k8s.io/endpointslices": dropTopology,
  "apps/daemonsets": ({ metadata }) => {
    metadata.annotations = { ...metadata.annotations, [TEMPLATE_GENERATION]: "1" };
  },
};

const SNAPSHOTS = "snapshot.storage.k8s.io";

/** A claim's source under its old name, which knows claims and snapshots alone, and under its new one. */
function alignSources(spec: KubeObject["spec"]): void {
  const { apiGroup, kind } = spec.dataSource ?? {};
  const isOld =
    (kind === "PersistentVolumeClaim" && !apiGroup) || (kind === "VolumeSnapshot" && apiGroup === SNAPSHOTS);
  if (spec.dataSource && !isOld) delete spec.dataSource;
  if (spec.dataSource && !spec.dataSourceRef) spec.dataSourceRef = { ...spec.dataSource };
  else if (spec.dataSourceRef && !spec.dataSource && !spec.dataSourceRef.namespace) {
    spec.dataSource = { ...spec.dataSourceRef };
  }
}

/** Topology is of the beta's endpoints; where they have not changed it stays. */
function dropTopology(slice: KubeObject): void {
  // biome-ignore lint/suspicious/noExplicitAny: endpoints were decoded against their schema before
  slice["endpoints"] = slice["endpoints"]?.map(({ deprecatedTopology: _, ...endpoint }: any) => endpoint) ?? null;
}

/** Keeps an object while it is used; a controller takes it away. */
const protectionOf: Readonly<Record<string, string>> = {
  "/persistentvolumeclaims": "kubernetes.io/pvc-protection",
  "/persistentvolumes": "kubernetes.io/pv-protection",
  "storage.k8s.io/volumeattributesclasses": "kubernetes.io/vac-protection",
};

export function protect({ collection }: ServedKind, { metadata }: KubeObject): void {
  const finalizer = protectionOf[collection];
  if (!finalizer || metadata.finalizers?.includes(finalizer)) return;
  metadata.finalizers = [...(metadata.finalizers ?? []), finalizer];
}

/** Counts the templates of a DaemonSet, which its newest version has no field for. */
export const TEMPLATE_GENERATION = "deprecated.daemonset.template.generation";

/** A Job's pods are told apart by its uid, unless it brings a selector of its own. */
function generateSelector(job: KubeObject): void {
  const { name, uid = "" } = job.metadata;
  const { template = {}, selector } = job["spec"];
  const own = { "controller-uid": uid, "job-name": name };
  const labels: Record<string, string> = { ...own };
  for (const [label, value] of Object.entries(own)) labels[`batch.kubernetes.io/${label}`] = value;
  // What was given stays, and is refused where it is wrong.
  const matchLabels = { "batch.kubernetes.io/controller-uid": uid, ...selector?.matchLabels };
  job["spec"] = {
    ...job["spec"],
    selector: { ...selector, matchLabels },
    template: { ...template, metadata: { ...template.metadata, labels: { ...labels, ...template.metadata?.labels } } },
  };
}

/** What a write through `subresource` may change is taken from `object`; all else stays as it was. */
export function prepareUpdate(
  kind: ServedKind,
  object: KubeObject,
  old: KubeObject,
  subresource: string | undefined,
): KubeObject {
  if (subresource === "status") {
    // Builtin kinds take labels and annotations along with their status (a Deployment's labels excepted), custom ones do not.
    const metadata =
      kind.builtin && !keepsMetadataWithStatus.has(kind.collection)
        ? { ...old.metadata, labels: object.metadata.labels, annotations: object.metadata.annotations }
        : { ...old.metadata };
    if (kind.collection === "apps/deployments") metadata.labels = old.metadata.labels;
    metadata.managedFields = object.metadata.managedFields;
    metadata.resourceVersion = object.metadata.resourceVersion;
    for (const field of ["labels", "annotations", "managedFields", "resourceVersion"] as const) {
      if (metadata[field] === undefined) delete metadata[field];
    }
    const next: KubeObject = { ...old, apiVersion: object.apiVersion, metadata };
    if (object["status"] === undefined) delete next["status"];
    else next["status"] = object["status"];
    return next;
  }
  if (subresource === "finalize") {
    return {
      ...old,
      metadata: { ...old.metadata },
      spec: { ...old["spec"], finalizers: object["spec"]?.finalizers ?? [] },
    };
  }
  if (kind.collection === "/pods" && (subresource === "resize" || subresource === "ephemeralcontainers")) {
    return podPart(object, old, subresource);
  }
  const next: KubeObject = { ...object, metadata: { ...object.metadata } };
  if (kind.builtin) dropGated(kind.builtin, next);
  if (kind.hasStatus) {
    if (old["status"] === undefined) delete next["status"];
    else next["status"] = old["status"];
  }
  if (kind.collection === "discovery.k8s.io/endpointslices" && !deepEqual(next["endpoints"], old["endpoints"])) {
    dropTopology(next);
  }
  if (kind.collection === "apps/daemonsets") {
    const before = Number(old.metadata.annotations?.[TEMPLATE_GENERATION] ?? 0);
    const same = deepEqual(next["spec"]?.template, old["spec"]?.template);
    const annotations = { ...next.metadata.annotations, [TEMPLATE_GENERATION]: String(same ? before : before + 1) };
    next.metadata.annotations = annotations;
  }
  // The finalizers of the spec belong to the finalize subresource.
  if (kind.collection === "/namespaces") next["spec"] = old["spec"];
  return next;
}

/** A pod of which only what belongs to `subresource` is as the writer wants it. */
function podPart(object: KubeObject, old: KubeObject, subresource: "resize" | "ephemeralcontainers"): KubeObject {
  const { managedFields, resourceVersion } = object.metadata;
  const { managedFields: _managed, ...kept } = old.metadata;
  const metadata = {
    ...kept,
    ...(managedFields ? { managedFields } : {}),
    ...(resourceVersion ? { resourceVersion } : {}),
  };
  const [is, was] = [object["spec"], old["spec"]];
  if (subresource === "ephemeralcontainers") {
    const { ephemeralContainers: _before, ...spec } = was;
    const wanted = is?.ephemeralContainers ? { ephemeralContainers: is.ephemeralContainers } : {};
    return { ...old, metadata, spec: { ...spec, ...wanted } };
  }
  const sized = (field: string) => {
    const [next, last] = [is?.[field] ?? [], was[field] ?? []] as Record<string, unknown>[][];
    // Containers that are others than before are left to be refused.
    if (next!.some((container, at) => container["name"] !== last![at]?.["name"])) return next;
    return next!.map(({ resources, resizePolicy }, at) => {
      const { resources: _resources, resizePolicy: _policy, ...rest } = last![at]!;
      return { ...rest, ...(resources ? { resources } : {}), ...(resizePolicy ? { resizePolicy } : {}) };
    });
  };
  const same = (field: string) => (is?.[field]?.length ?? 0) === (was[field]?.length ?? 0);
  if (!same("containers") || !same("initContainers")) return { ...object, metadata, status: old["status"] };
  const { resources: _resources, ...spec } = was;
  return {
    ...old,
    metadata,
    spec: {
      ...spec,
      containers: sized("containers"),
      ...(was.initContainers ? { initContainers: sized("initContainers") } : {}),
      ...(is?.resources ? { resources: is.resources } : {}),
    },
  };
}

/** Whether a change of `old` into `next` is one of the wanted state, which metadata.generation counts. */
export function bumpsGeneration(kind: ServedKind, next: KubeObject, old: KubeObject): boolean {
  if (kind.builtin) {
    if (!kind.builtin.hasGeneration) return false;
    if (kind.collection === "apps/deployments" && !deepEqual(next.metadata.annotations, old.metadata.annotations)) {
      return true;
    }
    if (kind.collection === "discovery.k8s.io/endpointslices") {
      return (
        ["endpoints", "ports", "addressType"].some((field) => !deepEqual(next[field], old[field])) ||
        !deepEqual(next.metadata.labels, old.metadata.labels)
      );
    }
    const field = stateField[kind.collection] ?? "spec";
    return !deepEqual(next[field], old[field]);
  }
  const wanted = (object: KubeObject) => {
    const { metadata: _metadata, status, apiVersion: _version, ...rest } = object;
    return kind.hasStatus ? rest : { ...rest, status };
  };
  return !deepEqual(wanted(next), wanted(old));
}

/** Where the wanted state of a kind stands, if not in its spec. */
const stateField: Readonly<Record<string, string>> = {
  "/podtemplates": "template",
  "admissionregistration.k8s.io/mutatingwebhookconfigurations": "webhooks",
  "admissionregistration.k8s.io/validatingwebhookconfigurations": "webhooks",
};

/** A CSIDriver begins to count with its first change. */
export const startsWithGeneration = (kind: ServedKind): boolean =>
  (kind.builtin?.hasGeneration ?? true) && kind.collection !== "storage.k8s.io/csidrivers";

/** Builtin kinds that a write without resourceVersion may not overwrite; custom ones are all like that. */
const conditionalOnly = new Set([
  "apiextensions.k8s.io/customresourcedefinitions",
  "apiregistration.k8s.io/apiservices",
  "admissionregistration.k8s.io/mutatingadmissionpolicies",
  "admissionregistration.k8s.io/mutatingadmissionpolicybindings",
  "admissionregistration.k8s.io/mutatingwebhookconfigurations",
  "admissionregistration.k8s.io/validatingadmissionpolicies",
  "admissionregistration.k8s.io/validatingadmissionpolicybindings",
  "admissionregistration.k8s.io/validatingwebhookconfigurations",
  "coordination.k8s.io/leases",
  "node.k8s.io/runtimeclasses",
  "policy/poddisruptionbudgets",
  "storage.k8s.io/csidrivers",
  "storage.k8s.io/csinodes",
  "storage.k8s.io/csistoragecapacities",
  "storage.k8s.io/volumeattachments",
]);
export const needsResourceVersion = (kind: ServedKind): boolean =>
  kind.crd !== undefined || conditionalOnly.has(kind.collection);

/** Kinds that a PUT creates when they are not there. */
const createdByUpdate = new Set([
  "/endpoints",
  "/events",
  "/limitranges",
  "/services",
  "coordination.k8s.io/leases",
  "node.k8s.io/runtimeclasses",
  "rbac.authorization.k8s.io/clusterrolebindings",
  "rbac.authorization.k8s.io/clusterroles",
  "rbac.authorization.k8s.io/rolebindings",
  "rbac.authorization.k8s.io/roles",
]);
export const createsOnUpdate = (kind: ServedKind): boolean => createdByUpdate.has(kind.collection);

/** Kinds whose removal is answered with the object instead of a Status. */
const returnsDeleted = new Set([
  "/namespaces",
  "/persistentvolumeclaims",
  "/persistentvolumes",
  "/pods",
  "/podtemplates",
  "/resourcequotas",
  "/serviceaccounts",
  "/services",
  "resource.k8s.io/deviceclasses",
  "resource.k8s.io/resourceclaims",
  "resource.k8s.io/resourceclaimtemplates",
  "resource.k8s.io/resourceslices",
  "storage.k8s.io/csidrivers",
  "storage.k8s.io/csinodes",
  "storage.k8s.io/storageclasses",
  "storage.k8s.io/volumeattachments",
  "storage.k8s.io/volumeattributesclasses",
]);
export const returnsDeletedObject = (kind: ServedKind): boolean => returnsDeleted.has(kind.collection);
