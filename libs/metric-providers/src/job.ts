import type { MeasurementContext, MetricProvider, ProviderResult } from "@tiphys/analysis";
import { codeOf, InvalidArgumentError } from "@tiphys/errors";
import { changeAnnotations, changeOf } from "@tiphys/identity";
import type { KubeClient } from "@tiphys/kube";
import {
  type Condition,
  controllerRef,
  type JobMetric,
  type KubeObject,
  type Measurement,
  types,
} from "@tiphys/resources";

const JOB_NAME = "job-name";
const JOB_NAMESPACE = "job-namespace";
const LONGEST_NAME = 63;
const UID_LABEL = "analysisrun.argoproj.io/uid";
const RUN_ANNOTATION = "analysisrun.argoproj.io/name";
const METRIC_ANNOTATION = "analysisrun.argoproj.io/metric";

/** Name of the Job of one measurement: the same after a crash, so no measurement is made twice. */
export function jobName({ run, metric, number }: MeasurementContext): string {
  const tail = `.${number}`;
  const head = `${run.metadata.uid}.${metric.name}`.slice(0, LONGEST_NAME - tail.length).replace(/[.-]+$/, "");
  return head + tail;
}

/** The Job of one measurement. */
export function jobOf(context: MeasurementContext): KubeObject {
  const { run, metric } = context;
  const given = metric.provider.job as JobMetric;
  if (!given.spec) throw new InvalidArgumentError("job.spec", "is required");
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name: jobName(context),
      namespace: run.metadata.namespace ?? "default",
      labels: { ...given.metadata?.labels, [UID_LABEL]: run.metadata.uid ?? "" },
      annotations: {
        ...given.metadata?.annotations,
        [RUN_ANNOTATION]: run.metadata.name,
        [METRIC_ANNOTATION]: metric.name,
        ...changeAnnotations(changeOf(run)),
      },
      ownerReferences: [controllerRef(run)],
    },
    spec: given.spec,
  };
}

const isTrue = (job: KubeObject, type: string): Condition | undefined =>
  (job["status"]?.conditions as Condition[] | undefined)?.find(
    (known) => known.type === type && known.status === "True",
  );

/** Reasons of a container that waits for an image which does not come. */
const pullFaults = new Set(["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"]);

function pullFault(pods: readonly KubeObject[]): string | undefined {
  for (const pod of pods) {
    const statuses = [...(pod["status"]?.initContainerStatuses ?? []), ...(pod["status"]?.containerStatuses ?? [])];
    for (const status of statuses as { name: string; state?: { waiting?: { reason?: string; message?: string } } }[]) {
      const waiting = status.state?.waiting;
      if (waiting?.reason && pullFaults.has(waiting.reason)) {
        return `container "${status.name}": ${waiting.reason}${waiting.message ? `: ${waiting.message}` : ""}`;
      }
    }
  }
  return undefined;
}

/** Measures by running a Job: it succeeds or it fails; an image that cannot be had is inconclusive. */
export const jobProvider = (client: KubeClient): MetricProvider => ({
  async run(context, signal) {
    const job = jobOf(context);
    try {
      await client.create(types.jobs, job, { signal, fieldManager: "tiphys-rollouts" });
    } catch (error) {
      // After a crash the Job is there already; its name says that it is ours.
      if (codeOf(error) !== "AlreadyExists") throw error;
    }
    return {
      kind: "running",
      metadata: { [JOB_NAME]: job.metadata.name, [JOB_NAMESPACE]: job.metadata.namespace as string },
    };
  },

  async resume(context, measurement, signal): Promise<ProviderResult> {
    const key = keyOf(context, measurement);
    const job = await client.get(types.jobs, key, { signal });
    if (isTrue(job, "Complete")) return { kind: "verdict", phase: "Successful" };
    const failed = isTrue(job, "Failed");
    if (failed) {
      const message = failed.message ?? "the Job failed";
      return { kind: "verdict", phase: "Failed", message };
    }
    const labelSelector = `job-name=${key.name}`;
    const pods = await client.list(types.pods, { namespace: key.namespace, labelSelector, signal });
    const fault = pullFault(pods.items);
    return fault ? { kind: "verdict", phase: "Inconclusive", message: fault } : { kind: "running" };
  },

  async terminate(context, measurement, signal) {
    try {
      await client.delete(types.jobs, keyOf(context, measurement), { propagation: "Background", signal });
    } catch (error) {
      if (codeOf(error) !== "NotFound") throw error;
    }
  },
});

const keyOf = (context: MeasurementContext, measurement: Measurement) => ({
  namespace: measurement.metadata?.[JOB_NAMESPACE] ?? context.run.metadata.namespace ?? "default",
  name: measurement.metadata?.[JOB_NAME] ?? jobName(context),
});
