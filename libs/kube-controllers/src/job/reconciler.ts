import type { Reconciler, Watch } from "@tiphys/controller";
import { type EventRecorder, type Informers, isNotFound } from "@tiphys/kube";
import { controllerOf, type KubeObject, keyOf, types } from "@tiphys/resources";
import { claim, isPodActive, orphanIndex } from "../shared.js";
import { describeWrite, perform, type Write } from "../writes.js";
import { planJob } from "./plan.js";
import { isTracked, TRACKED, untrack } from "./pods.js";
import { finishedAs } from "./verdict.js";
import type { JobState } from "./view.js";

/** Runs Jobs: as many pods as are to succeed, again after failures, until done or given up. */
export function jobReconciler(deps: {
  readonly informers: Informers;
  readonly events: EventRecorder;
}): Reconciler<JobState, Write, KubeObject | undefined> {
  const pods = deps.informers.informer(types.pods, { indexes: orphanIndex });
  const writing = { client: deps.informers.client, events: deps.events, manager: "kube-controller-manager" };
  return {
    async observe(job) {
      const { uid = "", namespace = "" } = job.metadata;
      const orphans = pods.byIndex("orphans", namespace).filter(isPodActive);
      return { job, pods: claim(job, job.spec.selector, pods.byIndex("owner", uid), orphans) };
    },
    plan: planJob,
    act: (write, signal) => perform(write, writing, signal),
    report(_state, plan, outcomes) {
      const failed = plan.actions.filter((_action, index) => outcomes[index]?.ok === false);
      if (failed.length === 0 || !plan.status) return plan;
      const { active = 0, ...status } = plan.status as { active?: number };
      const { status: _status, ...unsettled } = plan;
      // Only what is certain is written: a pod that could not be made is not there; anything else is decided anew.
      if (failed.some((write) => write.do !== "create")) return unsettled;
      const left = active - failed.length;
      return { ...plan, status: { ...status, ...(left > 0 ? { active: left } : {}) } };
    },
    describe: describeWrite,
  };
}

/** Pods that nobody manages change what a job may adopt: jobs whose selector they match. */
export function jobsOfOrphans(informers: Informers): Watch {
  const jobs = informers.informer(types.jobs);
  return {
    resource: types.pods,
    keys: ({ type, object }) =>
      type !== "deleted" && !controllerOf(object) && object.metadata.labels?.["batch.kubernetes.io/controller-uid"]
        ? jobs
            .list(object.metadata.namespace)
            .filter(({ metadata }) => metadata.uid === object.metadata.labels?.["batch.kubernetes.io/controller-uid"])
            .map(({ metadata }) => ({ namespace: metadata.namespace ?? "", name: metadata.name }))
        : [],
  };
}

/** Frees pods whose job is gone, finished or no longer theirs of the job's finalizer. Keyed by pod. */
export function strayPodReconciler(deps: {
  readonly informers: Informers;
  readonly events: EventRecorder;
}): Reconciler<KubeObject, Write, KubeObject | undefined> {
  const { client } = deps.informers;
  const jobs = deps.informers.informer(types.jobs);
  const writing = { client, events: deps.events, manager: "kube-controller-manager" };
  return {
    async observe(pod, signal) {
      const owner = controllerOf(pod);
      if (owner?.kind !== "Job" || !owner.apiVersion.startsWith("batch/")) return owner ? undefined : pod;
      const key = { namespace: pod.metadata.namespace ?? "", name: owner.name };
      if (jobs.get(key)?.metadata.uid === owner.uid) return finishedAs(jobs.get(key) as KubeObject) ? pod : undefined;
      try {
        // The pod may be known before its job is.
        const job = await client.get(types.jobs, key, { signal });
        return job.metadata.uid === owner.uid ? undefined : pod;
      } catch (error) {
        if (isNotFound(error)) return pod;
        throw error;
      }
    },
    plan: (pod) => ({
      actions: [untrack(pod)],
      reasons: [{ code: "Stray", message: `no unfinished Job counts it: ${TRACKED} is taken away` }],
    }),
    act: (write, signal) => perform(write, writing, signal),
    describe: describeWrite,
    digestOf: (pod) => ({ owner: controllerOf(pod)?.name }),
  };
}

export const isStrayCandidate = isTracked;

/** Pods of a job that has ended, or is gone. */
export function podsOfEndedJobs(informers: Informers): Watch {
  const pods = informers.informer(types.pods);
  return {
    resource: types.jobs,
    keys: ({ type, object }) =>
      type === "deleted" || finishedAs(object)
        ? pods
            .byIndex("owner", object.metadata.uid ?? "")
            .filter(isTracked)
            .map(keyOf)
        : [],
  };
}
