// biome-ignore-all lint/suspicious/noExplicitAny: rows are made of objects that were checked against their schemas when they were stored
import type { KubeObject } from "@tiphys/resources";
import {
  ageOf,
  columns,
  containerImages,
  containerNames,
  formatAge,
  type Printer,
  selectorText,
  since,
} from "./parts.js";

const template = (object: KubeObject): unknown => object["spec"]?.template?.spec;

export const deploymentPrinter: Printer = {
  columns: columns("Name", "Ready", "Up-to-date", "Available", "Age", "Containers*", "Images*", "Selector*"),
  row: (object, now) => [
    object.metadata.name,
    `${object["status"]?.readyReplicas ?? 0}/${object["spec"]?.replicas ?? 0}`,
    object["status"]?.updatedReplicas ?? 0,
    object["status"]?.availableReplicas ?? 0,
    ageOf(object, now),
    containerNames(template(object)),
    containerImages(template(object)),
    selectorText(object["spec"]?.selector),
  ],
};

export const replicaSetPrinter: Printer = {
  columns: columns(
    "Name",
    "Desired:integer",
    "Current:integer",
    "Ready:integer",
    "Age",
    "Containers*",
    "Images*",
    "Selector*",
  ),
  row: (object, now) => [
    object.metadata.name,
    object["spec"]?.replicas ?? 0,
    object["status"]?.replicas ?? 0,
    object["status"]?.readyReplicas ?? 0,
    ageOf(object, now),
    containerNames(template(object)),
    containerImages(template(object)),
    selectorText(object["spec"]?.selector),
  ],
};

export const statefulSetPrinter: Printer = {
  columns: columns("Name", "Ready", "Age", "Containers*", "Images*"),
  row: (object, now) => [
    object.metadata.name,
    `${object["status"]?.readyReplicas ?? 0}/${object["spec"]?.replicas ?? 0}`,
    ageOf(object, now),
    containerNames(template(object)),
    containerImages(template(object)),
  ],
};

export const daemonSetPrinter: Printer = {
  columns: columns(
    "Name",
    "Desired:integer",
    "Current:integer",
    "Ready:integer",
    "Up-to-date:integer",
    "Available:integer",
    "Node Selector",
    "Age",
    "Containers*",
    "Images*",
    "Selector*",
  ),
  row: (object, now) => [
    object.metadata.name,
    object["status"]?.desiredNumberScheduled ?? 0,
    object["status"]?.currentNumberScheduled ?? 0,
    object["status"]?.numberReady ?? 0,
    object["status"]?.updatedNumberScheduled ?? 0,
    object["status"]?.numberAvailable ?? 0,
    selectorText(object["spec"]?.template?.spec?.nodeSelector),
    ageOf(object, now),
    containerNames(template(object)),
    containerImages(template(object)),
    selectorText(object["spec"]?.selector),
  ],
};

function jobStatus(job: KubeObject): string {
  const status = job["status"] ?? {};
  const has = (type: string) =>
    (status.conditions ?? []).some((one: any) => one.type === type && one.status === "True");
  if (has("Complete")) return "Complete";
  if (has("Failed")) return "Failed";
  if (job.metadata.deletionTimestamp) return "Terminating";
  if (has("Suspended")) return "Suspended";
  if (has("FailureTarget")) return "FailureTarget";
  if (has("SuccessCriteriaMet")) return "SuccessCriteriaMet";
  return "Running";
}

function completions({ spec, status }: any): string {
  const done = status?.succeeded ?? 0;
  if (spec?.completions !== undefined) return `${done}/${spec.completions}`;
  const parallelism = spec?.parallelism ?? 0;
  return parallelism > 1 ? `${done}/1 of ${parallelism}` : `${done}/1`;
}

export const jobPrinter: Printer = {
  columns: columns("Name", "Status", "Completions", "Duration", "Age", "Containers*", "Images*", "Selector*"),
  row(job, now) {
    const { startTime, completionTime } = job["status"] ?? {};
    const end = completionTime ? Date.parse(completionTime) : now.getTime();
    return [
      job.metadata.name,
      jobStatus(job),
      completions(job),
      startTime ? formatAge(end - Date.parse(startTime)) : "",
      ageOf(job, now),
      containerNames(template(job)),
      containerImages(template(job)),
      selectorText(job["spec"]?.selector),
    ];
  },
};

export const cronJobPrinter: Printer = {
  columns: columns(
    "Name",
    "Schedule",
    "Timezone",
    "Suspend:boolean",
    "Active:integer",
    "Last Schedule",
    "Age",
    "Containers*",
    "Images*",
    "Selector*",
  ),
  row(object, now) {
    const { spec = {}, status = {} } = object as any;
    const job = spec.jobTemplate?.spec;
    return [
      object.metadata.name,
      spec.schedule ?? "",
      spec.timeZone ?? "<none>",
      spec.suspend === undefined ? "<unset>" : spec.suspend ? "True" : "False",
      status.active?.length ?? 0,
      status.lastScheduleTime ? since(status.lastScheduleTime, now) : "<none>",
      ageOf(object, now),
      containerNames(job?.template?.spec),
      containerImages(job?.template?.spec),
      selectorText(job?.selector),
    ];
  },
};
