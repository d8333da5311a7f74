import type { Reconciler } from "@tiphys/controller";
import type { EventRecorder, Informers } from "@tiphys/kube";
import { controllerOf, type KubeObject, types } from "@tiphys/resources";
import { describeWrite, perform, type Write } from "../writes.js";
import { type JobState, planJob } from "./plan.js";

/** Runs Jobs: as many pods as are to succeed, again after failures, until done or given up. */
export function jobReconciler(deps: {
  readonly informers: Informers;
  readonly events: EventRecorder;
}): Reconciler<JobState, Write, KubeObject | undefined> {
  const pods = deps.informers.informer(types.pods);
  const writing = { client: deps.informers.client, events: deps.events, manager: "kube-controller-manager" };
  return {
    async observe(job) {
      const { uid = "" } = job.metadata;
      return { job, pods: pods.byIndex("owner", uid).filter((pod) => controllerOf(pod)?.uid === uid) };
    },
    plan: planJob,
    act: (write, signal) => perform(write, writing, signal),
    describe: describeWrite,
  };
}
