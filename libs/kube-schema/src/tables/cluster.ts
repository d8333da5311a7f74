// biome-ignore-all lint/suspicious/noExplicitAny: rows are made of objects that were checked against their schemas when they were stored
import { ageOf, columns, containerImages, containerNames, labelsText, type Printer, since } from "./parts.js";

const roleLabel = "node-role.kubernetes.io/";

function nodeStatus({ spec, status }: any): string {
  const ready = (status?.conditions ?? []).find(({ type }: any) => type === "Ready");
  const parts = [ready === undefined ? "Unknown" : ready.status === "True" ? "Ready" : "NotReady"];
  if (spec?.unschedulable) parts.push("SchedulingDisabled");
  return parts.join(",");
}

function nodeRoles(labels: Record<string, string> = {}): string {
  const roles = new Set<string>();
  for (const [key, value] of Object.entries(labels)) {
    if (key.startsWith(roleLabel) && key.length > roleLabel.length) roles.add(key.slice(roleLabel.length));
    else if (key === "kubernetes.io/role" && value) roles.add(value);
  }
  return [...roles].sort().join(",") || "<none>";
}

export const nodePrinter: Printer = {
  columns: columns(
    "Name",
    "Status",
    "Roles",
    "Age",
    "Version",
    "Internal-IP*",
    "External-IP*",
    "OS-Image*",
    "Kernel-Version*",
    "Container-Runtime*",
  ),
  row(node, now) {
    const { addresses = [], nodeInfo = {} } = node["status"] ?? {};
    const address = (type: string) => addresses.find((one: any) => one.type === type)?.address ?? "<none>";
    return [
      node.metadata.name,
      nodeStatus(node),
      nodeRoles(node.metadata.labels),
      ageOf(node, now),
      nodeInfo.kubeletVersion ?? "",
      address("InternalIP"),
      address("ExternalIP"),
      nodeInfo.osImage || "<unknown>",
      nodeInfo.kernelVersion
        ? `${nodeInfo.kernelVersion}${nodeInfo.architecture ? ` (${nodeInfo.architecture})` : ""}`
        : "<unknown>",
      nodeInfo.containerRuntimeVersion || "<unknown>",
    ];
  },
};

export const namespacePrinter: Printer = {
  columns: columns("Name", "Status", "Age"),
  row: (object, now) => [object.metadata.name, object["status"]?.phase ?? "", ageOf(object, now)],
};

const size = (map: object | undefined): number => Object.keys(map ?? {}).length;

export const configMapPrinter: Printer = {
  columns: columns("Name", "Data", "Age"),
  row: (object, now) => [object.metadata.name, size(object["data"]) + size(object["binaryData"]), ageOf(object, now)],
};

export const secretPrinter: Printer = {
  columns: columns("Name", "Type", "Data", "Age"),
  row: (object, now) => [object.metadata.name, object["type"] ?? "", size(object["data"]), ageOf(object, now)],
};

export const serviceAccountPrinter: Printer = {
  columns: columns("Name", "Age"),
  row: (object, now) => [object.metadata.name, ageOf(object, now)],
};

function source({ component, host }: any = {}): string {
  return [component, host].filter(Boolean).join(", ");
}

export const eventPrinter: Printer = {
  columns: columns(
    "Last Seen",
    "Type",
    "Reason",
    "Object",
    "Subobject*",
    "Source*",
    "Message",
    "First Seen*",
    "Count*",
    "Name*",
  ),
  row(object, now) {
    const event = object as any;
    const about = event.involvedObject ?? event.regarding ?? {};
    const first = event.firstTimestamp || event.deprecatedFirstTimestamp || event.eventTime;
    const last = event.series?.lastObservedTime || event.lastTimestamp || event.deprecatedLastTimestamp || first;
    const from = source(event.source ?? event.deprecatedSource);
    const reporter = [event.reportingComponent ?? event.reportingController, event.reportingInstance];
    return [
      since(last, now),
      event.type ?? "",
      event.reason ?? "",
      about.name ? `${String(about.kind).toLowerCase()}/${about.name}` : String(about.kind ?? "").toLowerCase(),
      about.fieldPath ?? "",
      from || reporter.filter(Boolean).join(", "),
      String(event.message ?? event.note ?? "").trim(),
      since(first, now),
      event.series?.count ?? (event.count || event.deprecatedCount || 1),
      object.metadata.name,
    ];
  },
};

export const leasePrinter: Printer = {
  columns: columns("Name", "Holder", "Age"),
  row: (object, now) => [object.metadata.name, object["spec"]?.holderIdentity ?? "", ageOf(object, now)],
};

export const bindingPrinter: Printer = {
  columns: columns("Name", "Role", "Age", "Users*", "Groups*", "ServiceAccounts*"),
  row(object, now) {
    const { roleRef = {}, subjects = [] } = object as any;
    const named = (kind: string) => subjects.filter((one: any) => one.kind === kind);
    return [
      object.metadata.name,
      `${roleRef.kind}/${roleRef.name}`,
      ageOf(object, now),
      named("User")
        .map(({ name }: any) => name)
        .join(", "),
      named("Group")
        .map(({ name }: any) => name)
        .join(", "),
      named("ServiceAccount")
        .map(({ namespace, name }: any) => `${namespace}/${name}`)
        .join(", "),
    ];
  },
};

export const podTemplatePrinter: Printer = {
  columns: columns("Name", "Containers", "Images", "Pod Labels"),
  row: (object) => [
    object.metadata.name,
    containerNames(object["template"]?.spec),
    containerImages(object["template"]?.spec),
    labelsText(object["template"]?.metadata?.labels),
  ],
};

export const controllerRevisionPrinter: Printer = {
  columns: columns("Name", "Controller", "Revision", "Age"),
  row(object, now) {
    const owner = object.metadata.ownerReferences?.find(({ controller }) => controller);
    const group = owner?.apiVersion.includes("/") ? `.${owner.apiVersion.split("/")[0]}` : "";
    const controller = owner ? `${owner.kind.toLowerCase()}${group}/${owner.name}` : "<none>";
    return [object.metadata.name, controller, object["revision"] ?? 0, ageOf(object, now)];
  },
};

const accessModes: Readonly<Record<string, string>> = {
  ReadWriteOnce: "RWO",
  ReadOnlyMany: "ROX",
  ReadWriteMany: "RWX",
  ReadWriteOncePod: "RWOP",
};
const modes = (list: string[] = []): string => list.map((mode) => accessModes[mode] ?? mode).join(",");

export const claimPrinter: Printer = {
  columns: columns(
    "Name",
    "Status",
    "Volume",
    "Capacity",
    "Access Modes",
    "StorageClass",
    "VolumeAttributesClass",
    "Age",
    "VolumeMode*",
  ),
  row(object, now) {
    const { spec = {}, status = {} } = object as any;
    return [
      object.metadata.name,
      object.metadata.deletionTimestamp ? "Terminating" : (status.phase ?? ""),
      spec.volumeName ?? "",
      spec.volumeName ? (status.capacity?.storage ?? "0") : "",
      spec.volumeName ? modes(status.accessModes) : "",
      spec.storageClassName ?? "",
      spec.volumeAttributesClassName ?? "<unset>",
      ageOf(object, now),
      spec.volumeMode ?? "<unset>",
    ];
  },
};

export const volumePrinter: Printer = {
  columns: columns(
    "Name",
    "Capacity",
    "Access Modes",
    "Reclaim Policy",
    "Status",
    "Claim",
    "StorageClass",
    "VolumeAttributesClass",
    "Reason",
    "Age",
    "VolumeMode*",
  ),
  row(object, now) {
    const { spec = {}, status = {} } = object as any;
    return [
      object.metadata.name,
      spec.capacity?.storage ?? "0",
      modes(spec.accessModes),
      spec.persistentVolumeReclaimPolicy ?? "",
      object.metadata.deletionTimestamp ? "Terminating" : (status.phase ?? ""),
      spec.claimRef ? `${spec.claimRef.namespace}/${spec.claimRef.name}` : "",
      spec.storageClassName ?? "",
      spec.volumeAttributesClassName ?? "<unset>",
      status.reason ?? "",
      ageOf(object, now),
      spec.volumeMode ?? "<unset>",
    ];
  },
};

export const storageClassPrinter: Printer = {
  columns: columns("Name", "Provisioner", "ReclaimPolicy", "VolumeBindingMode", "AllowVolumeExpansion", "Age"),
  row(object, now) {
    const isDefault = object.metadata.annotations?.["storageclass.kubernetes.io/is-default-class"] === "true";
    return [
      object.metadata.name + (isDefault ? " (default)" : ""),
      object["provisioner"] ?? "",
      object["reclaimPolicy"] ?? "Delete",
      object["volumeBindingMode"] ?? "Immediate",
      object["allowVolumeExpansion"] ?? false,
      ageOf(object, now),
    ];
  },
};

export const priorityClassPrinter: Printer = {
  columns: columns("Name", "Value:integer", "Global-Default:boolean", "Age", "PreemptionPolicy"),
  row: (object, now) => [
    object.metadata.name,
    object["value"] ?? 0,
    object["globalDefault"] ?? false,
    ageOf(object, now),
    object["preemptionPolicy"] ?? "",
  ],
};

export const disruptionBudgetPrinter: Printer = {
  columns: columns("Name", "Min Available", "Max Unavailable", "Allowed Disruptions:integer", "Age"),
  row: (object, now) => [
    object.metadata.name,
    String(object["spec"]?.minAvailable ?? "N/A"),
    String(object["spec"]?.maxUnavailable ?? "N/A"),
    object["status"]?.disruptionsAllowed ?? 0,
    ageOf(object, now),
  ],
};
