import { UnimplementedError } from "@tiphys/errors";
import { CHANGE_ENV, changeAnnotations, changeOf, TRACEPARENT_ENV } from "@tiphys/identity";
import type { KubeObject, Workflow, WorkflowArguments, WorkflowSpec, WorkflowTemplateSpec } from "@tiphys/resources";

/** How pods find the executor and the executor finds us. */
export interface ExecutorSettings {
  /** Volume that holds `tiphys-executor` and what it runs, mounted read-only at {@link EXECUTOR_DIR}. */
  readonly volume: Readonly<Record<string, unknown>>;
  /** Where the executor reports, as pods reach it. */
  readonly reportUrl: string;
}

export const EXECUTOR_DIR = "/tiphys";
/** Argument that stands for the script; the executor writes the script of ARGO_TEMPLATE to a file and puts its path here. */
export const SCRIPT_FILE = "/argo/staging/script";
/** The variable that `act` fills with the pod's token: the plan is journalled and holds no secret. */
export const REPORT_TOKEN_ENV = "TIPHYS_REPORT_TOKEN";
export const REPORT_URL_ENV = "TIPHYS_REPORT_URL";

export interface PodParts {
  readonly workflow: Workflow;
  readonly spec: WorkflowSpec;
  readonly executor: ExecutorSettings;
  readonly name: string;
  readonly nodeId: string;
  readonly nodeName: string;
  readonly template: WorkflowTemplateSpec;
  readonly inputs: WorkflowArguments;
  readonly includeResult: boolean;
  readonly onExit: boolean;
  /** Seconds since 1970 after which the executor ends the command. */
  readonly deadline?: number;
}

const PREFIX = "workflows.argoproj.io";
/** Pod fields that a workflow gives to all of its pods under the same name. */
const FROM_SPEC = [
  "nodeSelector",
  "affinity",
  "tolerations",
  "schedulerName",
  "imagePullSecrets",
  "hostNetwork",
  "dnsPolicy",
  "dnsConfig",
  "hostAliases",
  "securityContext",
  "priority",
  "automountServiceAccountToken",
] as const;
const FROM_TEMPLATE = [
  "nodeSelector",
  "affinity",
  "tolerations",
  "schedulerName",
  "hostAliases",
  "securityContext",
  "priorityClassName",
  "automountServiceAccountToken",
] as const;

/** The pod of a container or script node whose tags are resolved. */
export function buildPod(parts: PodParts): KubeObject {
  const { workflow, spec, template } = parts;
  const container = mainContainer(parts);
  const change = changeOf(workflow);
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: parts.name,
      namespace: workflow.metadata.namespace ?? "default",
      labels: {
        ...spec.podMetadata?.labels,
        ...template.metadata?.labels,
        [`${PREFIX}/workflow`]: workflow.metadata.name,
        [`${PREFIX}/completed`]: "false",
        ...(parts.onExit ? { [`${PREFIX}/on-exit`]: "true" } : {}),
      },
      annotations: {
        "kubectl.kubernetes.io/default-container": "main",
        ...spec.podMetadata?.annotations,
        ...template.metadata?.annotations,
        ...changeAnnotations(change),
        [`${PREFIX}/node-id`]: parts.nodeId,
        [`${PREFIX}/node-name`]: parts.nodeName,
      },
      ownerReferences: [
        {
          apiVersion: workflow.apiVersion,
          kind: workflow.kind,
          name: workflow.metadata.name,
          uid: workflow.metadata.uid ?? "",
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: {
      restartPolicy: "Never",
      ...pick(spec, FROM_SPEC),
      ...(spec.podPriorityClassName ? { priorityClassName: spec.podPriorityClassName } : {}),
      ...pick(template, FROM_TEMPLATE),
      ...serviceAccount(spec, template),
      ...(template.activeDeadlineSeconds === undefined
        ? {}
        : { activeDeadlineSeconds: Number(template.activeDeadlineSeconds) }),
      volumes: [...list(spec["volumes"]), ...list(template["volumes"]), executorVolume(parts.executor)],
      ...(template["initContainers"] ? { initContainers: template["initContainers"] } : {}),
      containers: [container, ...list(template["sidecars"])],
    },
  };
}

function serviceAccount(spec: WorkflowSpec, template: WorkflowTemplateSpec): Record<string, unknown> {
  const name = template.serviceAccountName ?? spec.serviceAccountName;
  return name ? { serviceAccountName: name } : {};
}

const executorVolume = (executor: ExecutorSettings) => ({ name: "tiphys-executor", ...executor.volume });

function mainContainer(parts: PodParts): Record<string, unknown> {
  const { template } = parts;
  const { source: _, ...script } = template.script ?? {};
  const given: Record<string, unknown> = template.container ?? script;
  const command = [...list(given["command"]).map(String), ...(template.script ? [SCRIPT_FILE] : [])];
  return {
    ...given,
    name: "main",
    command: [`${EXECUTOR_DIR}/tiphys-executor`, "emissary", "--", ...command],
    env: [...environment(parts), ...list(given["env"])],
    volumeMounts: [
      ...list(given["volumeMounts"]),
      { name: "tiphys-executor", mountPath: EXECUTOR_DIR, readOnly: true },
    ],
  };
}

const fieldRef = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });

/** What Linux takes as one text of an environment. */
const ENVIRONMENT_BYTES = 128 * 1024 - 64;

function environment(parts: PodParts): unknown[] {
  const shown = JSON.stringify({ ...parts.template, inputs: parts.inputs });
  if (Buffer.byteLength(shown) > ENVIRONMENT_BYTES) {
    throw new UnimplementedError(
      `template ${parts.template.name ?? ""} with its inputs is larger than 128 KiB: passing it to the pod`,
    );
  }
  const { workflow } = parts;
  const change = changeOf(workflow);
  return [
    { name: "ARGO_CONTAINER_NAME", value: "main" },
    { name: "ARGO_TEMPLATE", value: shown },
    { name: "ARGO_NODE_ID", value: parts.nodeId },
    { name: "ARGO_WORKFLOW_NAME", value: workflow.metadata.name },
    { name: "ARGO_WORKFLOW_UID", value: workflow.metadata.uid ?? "" },
    { name: "ARGO_INCLUDE_SCRIPT_OUTPUT", value: String(parts.includeResult) },
    ...(parts.deadline === undefined
      ? []
      : [{ name: "ARGO_DEADLINE", value: new Date(parts.deadline * 1000).toISOString() }]),
    fieldRef("ARGO_POD_NAME", "metadata.name"),
    fieldRef("ARGO_POD_UID", "metadata.uid"),
    fieldRef("ARGO_POD_NAMESPACE", "metadata.namespace"),
    { name: REPORT_URL_ENV, value: parts.executor.reportUrl },
    ...(change ? [{ name: CHANGE_ENV, value: change.id }] : []),
    ...(change?.traceparent ? [{ name: TRACEPARENT_ENV, value: change.traceparent }] : []),
  ];
}

const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

function pick(from: Record<string, unknown>, fields: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(fields.flatMap((field) => (from[field] === undefined ? [] : [[field, from[field]]])));
}
