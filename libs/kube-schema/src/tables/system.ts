// biome-ignore-all lint/suspicious/noExplicitAny: rows are made of objects that were checked against their schemas when they were stored
import { ageOf, columns, formatAge, type Printer } from "./parts.js";

// Rows of the kinds that tell the control plane itself how to work, and of those nothing here acts on.

/** Columns beside the name and the age, which stand first and last. */
const printer = (names: readonly string[], cells: (object: any) => readonly unknown[]): Printer => ({
  columns: columns("Name", ...names, "Age"),
  row: (object, now) => [object.metadata.name, ...cells(object), ageOf(object, now)],
});

/** The real server says of this column, too, that it holds the object's name. */
const attacherIsName = ({ columns, row }: Printer): Printer => ({
  columns: columns.map((column) => (column.name === "Attacher" ? { ...column, format: "name" } : column)),
  row,
});

const none = "<none>";
const unset = "<unset>";

function parameters(ref: any): string {
  if (!ref) return unset;
  if (ref.name) return ref.namespace ? `${ref.namespace}/${ref.name}` : `*/${ref.name}`;
  return unset;
}
const parameterKind = ({ paramKind }: any = {}): string =>
  paramKind ? `${paramKind.apiVersion}/${paramKind.kind}` : unset;

function quotaCells({ status = {} }: any): readonly unknown[] {
  const text = (limits: boolean) =>
    Object.keys(status.hard ?? {})
      .sort()
      .filter((name) => name.startsWith("limits") === limits)
      .map((name) => `${name}: ${status.used?.[name] ?? "0"}/${status.hard[name]}`)
      .join(", ");
  return [text(false), text(true)];
}

/** Each metric as `what: now/wanted`. */
function targets({ spec, status = {} }: any): string {
  const metrics = (spec?.metrics ?? []) as any[];
  if (metrics.length === 0) return none;
  const shown = metrics.map((metric, index) => {
    const current = status.currentMetrics?.[index];
    const kind = {
      Resource: "resource",
      ContainerResource: "containerResource",
      Pods: "pods",
      Object: "object",
      External: "external",
    }[metric.type as string];
    if (kind === undefined) return "<unknown type>";
    const { target = {}, name, container } = metric[kind] ?? {};
    const now = current?.[kind]?.current;
    const what = kind === "resource" ? `${name}: ` : kind === "containerResource" ? `${container}/${name}: ` : "";
    if (target.averageUtilization !== undefined) {
      const used = now?.averageUtilization === undefined ? "<unknown>" : `${now.averageUtilization}%`;
      return `${what}${used}/${target.averageUtilization}%`;
    }
    if (target.averageValue !== undefined) {
      const suffix = kind === "object" || kind === "external" ? " (avg)" : "";
      return `${what}${now?.averageValue ?? "<unknown>"}/${target.averageValue}${suffix}`;
    }
    return `${what}${now?.value ?? "<unknown>"}/${target.value}`;
  });
  const most = 2;
  return shown.length > most ? `${shown.slice(0, most).join(", ")} + ${shown.length - most} more...` : shown.join(", ");
}

const conditionOf = ({ status }: any, type: string): any =>
  (status?.conditions ?? []).find((condition: any) => condition.type === type);

function requestState({ status }: any): string {
  const types = ((status?.conditions ?? []) as any[]).map(({ type }) => type);
  const decision = ["Denied", "Approved"].find((type) => types.includes(type));
  const parts = [decision ?? "Pending"];
  if (types.includes("Failed")) parts.push("Failed");
  if (status?.certificate) parts.push("Issued");
  return parts.join(",");
}

function claimState({ metadata, status = {} }: any): string {
  const states = [];
  if (metadata.deletionTimestamp) states.push("deleted");
  if (status.allocation) states.push("allocated");
  if (status.reservedFor?.length) states.push("reserved");
  return states.length > 0 ? states.join(",") : "pending";
}

function available(service: any): string {
  const condition = conditionOf(service, "Available");
  if (!condition) return "Unknown";
  return condition.status === "True" ? "True" : `${condition.status} (${condition.reason})`;
}

const policyBinding = printer(["PolicyName", "ParamRef"], ({ spec }) => [
  spec?.policyName ?? "",
  parameters(spec?.paramRef),
]);
const webhooks = printer(["Webhooks:integer"], (object) => [object.webhooks?.length ?? 0]);
const nothingElse = printer([], () => []);

/** The real server does not say that the first column of a Scale holds its name. */
export const scalePrinter: Printer = {
  columns: columns("Name", "Desired:integer", "Available:integer", "Age").map((column) => ({ ...column, format: "" })),
  row: ({ metadata, spec, status, ...rest }: any, now) => [
    metadata.name,
    spec?.replicas ?? 0,
    status?.replicas ?? 0,
    ageOf({ metadata, ...rest }, now),
  ],
};

export const customScalePrinter: Printer = {
  columns: columns("Name", "Desired:integer", "Available:integer", "Age:date"),
  row: scalePrinter.row,
};

/** By `group/Kind`. */
export const systemPrinters: Readonly<Record<string, Printer>> = {
  "/ComponentStatus": {
    columns: columns("Name", "Status", "Message", "Error"),
    row: ({ metadata, conditions = [] }: any) => {
      const healthy = conditions.find(({ type }: any) => type === "Healthy");
      const status = healthy?.status === "True" ? "Healthy" : healthy?.status === "False" ? "Unhealthy" : "Unknown";
      return [metadata.name, status, healthy?.message ?? "", healthy?.error ?? ""];
    },
  },
  "/ResourceQuota": printer(["Request", "Limit"], quotaCells),
  "admissionregistration.k8s.io/MutatingWebhookConfiguration": webhooks,
  "admissionregistration.k8s.io/ValidatingWebhookConfiguration": webhooks,
  "admissionregistration.k8s.io/ValidatingAdmissionPolicy": printer(
    ["Validations:integer", "ParamKind"],
    ({ spec }) => [spec?.validations?.length ?? 0, parameterKind(spec)],
  ),
  "admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding": policyBinding,
  "admissionregistration.k8s.io/MutatingAdmissionPolicy": printer(["Mutations:integer", "ParamKind"], ({ spec }) => [
    spec?.mutations?.length ?? 0,
    parameterKind(spec),
  ]),
  "admissionregistration.k8s.io/MutatingAdmissionPolicyBinding": policyBinding,
  "apiregistration.k8s.io/APIService": printer(["Service", "Available"], (object) => [
    object.spec?.service ? `${object.spec.service.namespace}/${object.spec.service.name}` : "Local",
    available(object),
  ]),
  "autoscaling/HorizontalPodAutoscaler": printer(
    ["Reference", "Targets", "MinPods", "MaxPods", "Replicas"],
    (object) => [
      `${object.spec?.scaleTargetRef?.kind}/${object.spec?.scaleTargetRef?.name}`,
      targets(object),
      object.spec?.minReplicas === undefined ? unset : String(object.spec.minReplicas),
      object.spec?.maxReplicas ?? 0,
      object.status?.currentReplicas ?? 0,
    ],
  ),
  "certificates.k8s.io/CertificateSigningRequest": {
    columns: columns("Name", "Age", "SignerName", "Requestor", "RequestedDuration", "Condition"),
    row: (object: any, now) => [
      object.metadata.name,
      ageOf(object, now),
      object.spec?.signerName || none,
      object.spec?.username ?? "",
      object.spec?.expirationSeconds === undefined ? none : formatAge(object.spec.expirationSeconds * 1000),
      requestState(object),
    ],
  },
  "flowcontrol.apiserver.k8s.io/FlowSchema": {
    columns: columns("Name", "PriorityLevel", "MatchingPrecedence", "DistinguisherMethod", "Age", "MissingPL"),
    row: (object: any, now) => [
      object.metadata.name,
      object.spec?.priorityLevelConfiguration?.name ?? "",
      object.spec?.matchingPrecedence ?? 0,
      object.spec?.distinguisherMethod?.type ?? none,
      ageOf(object, now),
      conditionOf(object, "Dangling")?.status ?? "?",
    ],
  },
  "flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration": printer(
    ["Type", "NominalConcurrencyShares", "Queues", "HandSize", "QueueLengthLimit"],
    ({ spec = {} }) => {
      const queuing = spec.limited?.limitResponse?.queuing;
      return [
        spec.type ?? "",
        spec.limited?.nominalConcurrencyShares ?? none,
        queuing?.queues ?? none,
        queuing?.handSize ?? none,
        queuing?.queueLengthLimit ?? none,
      ];
    },
  ),
  "networking.k8s.io/IPAddress": {
    // The real server has an age in the row, and no column for it.
    columns: columns("Name", "ParentRef"),
    row: (object: any, now) => {
      const { group, resource, namespace, name } = object.spec?.parentRef ?? {};
      const parts = [group, resource, namespace, name].filter(Boolean);
      return [object.metadata.name, parts.join("/") || none, ageOf(object, now)];
    },
  },
  "networking.k8s.io/ServiceCIDR": printer(["CIDRs"], ({ spec }) => [(spec?.cidrs ?? []).join(",")]),
  "node.k8s.io/RuntimeClass": printer(["Handler"], ({ handler }) => [handler ?? ""]),
  "resource.k8s.io/DeviceClass": nothingElse,
  "resource.k8s.io/ResourceClaim": printer(["State"], (object) => [claimState(object)]),
  "resource.k8s.io/ResourceClaimTemplate": nothingElse,
  "resource.k8s.io/ResourceSlice": printer(["Node", "Driver", "Pool"], ({ spec }) => [
    spec?.nodeName ?? "",
    spec?.driver ?? "",
    spec?.pool?.name ?? "",
  ]),
  "storage.k8s.io/CSIDriver": printer(
    [
      "AttachRequired:boolean",
      "PodInfoOnMount:boolean",
      "StorageCapacity:boolean",
      "TokenRequests",
      "RequiresRepublish:boolean",
      "Modes",
    ],
    ({ spec = {} }) => [
      spec.attachRequired ?? true,
      spec.podInfoOnMount ?? false,
      spec.storageCapacity ?? false,
      spec.tokenRequests?.length ? spec.tokenRequests.map(({ audience }: any) => audience).join(",") : unset,
      spec.requiresRepublish ?? false,
      (spec.volumeLifecycleModes ?? []).join(",") || none,
    ],
  ),
  "storage.k8s.io/CSINode": printer(["Drivers:integer"], ({ spec }) => [spec?.drivers?.length ?? 0]),
  "storage.k8s.io/VolumeAttachment": attacherIsName(
    printer(["Attacher", "PV", "Node", "Attached:boolean"], ({ spec, status }) => [
      spec?.attacher ?? "",
      spec?.source?.persistentVolumeName ?? "",
      spec?.nodeName ?? "",
      status?.attached ?? false,
    ]),
  ),
  "storage.k8s.io/VolumeAttributesClass": printer(["DriverName"], ({ driverName }) => [driverName ?? ""]),
};
