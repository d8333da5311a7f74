import type { Reconciler } from "@tiphys/controller";
import { type EventRecorder, type Informers, isAlreadyExists } from "@tiphys/kube";
import { controllerOf, type KubeObject, keyOf, types } from "@tiphys/resources";
import { describeWrite, perform, type Write } from "../writes.js";
import { type CronJobState, planCronJob, reportCronJob } from "./plan.js";

/** Starts Jobs at the times of a schedule, and forgets old ones. */
export function cronJobReconciler(deps: {
  readonly informers: Informers;
  readonly events: EventRecorder;
}): Reconciler<CronJobState, Write, KubeObject | undefined> {
  const { client } = deps.informers;
  const jobs = deps.informers.informer(types.jobs);
  const writing = { client, events: deps.events, manager: "kube-controller-manager" };
  return {
    async observe(cronJob) {
      const { uid = "" } = cronJob.metadata;
      return { cronJob, jobs: jobs.byIndex("owner", uid).filter((job) => controllerOf(job)?.uid === uid) };
    },
    plan: planCronJob,
    async act(write, signal) {
      try {
        return await perform(write, writing, signal);
      } catch (error) {
        if (write.do !== "create" || !isAlreadyExists(error)) throw error;
        // Made by a pass that was cut off; or another's, which is left alone.
        const there = await client.get(types.jobs, keyOf(write.object), { signal });
        return controllerOf(there)?.uid === controllerOf(write.object)?.uid ? there : undefined;
      }
    },
    report: reportCronJob,
    describe: describeWrite,
  };
}
