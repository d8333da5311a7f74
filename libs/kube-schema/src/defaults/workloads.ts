// biome-ignore-all lint/suspicious/noExplicitAny: defaulting walks objects of builtin kinds, decoded against their schemas before
import { fill, fillTemplate } from "./pod.js";

export function fillDeployment({ spec }: any): void {
  if (!spec) return;
  fillTemplate(spec.template);
  fill(spec, "replicas", 1);
  fill(spec, "revisionHistoryLimit", 10);
  fill(spec, "progressDeadlineSeconds", 600);
  fill(spec, "strategy", {});
  fill(spec.strategy, "type", "RollingUpdate");
  if (spec.strategy.type !== "RollingUpdate") return;
  fill(spec.strategy, "rollingUpdate", {});
  fill(spec.strategy.rollingUpdate, "maxUnavailable", "25%");
  fill(spec.strategy.rollingUpdate, "maxSurge", "25%");
}

export function fillReplicaSet({ spec }: any): void {
  if (!spec) return;
  fillTemplate(spec.template);
  fill(spec, "replicas", 1);
}

export function fillReplicationController(object: any): void {
  const { spec, metadata } = object;
  if (!spec) return;
  fillTemplate(spec.template);
  fill(spec, "replicas", 1);
  const labels = spec.template?.metadata?.labels;
  if (!labels) return;
  fill(spec, "selector", { ...labels });
  fill(metadata, "labels", { ...labels });
}

export function fillStatefulSet({ spec }: any): void {
  if (!spec) return;
  fillTemplate(spec.template);
  fill(spec, "podManagementPolicy", "OrderedReady");
  fill(spec, "updateStrategy", {});
  // Who names the type and nothing else has the rest left out.
  if (!spec.updateStrategy.type) {
    spec.updateStrategy.type = "RollingUpdate";
    fill(spec.updateStrategy, "rollingUpdate", {});
  }
  if (spec.updateStrategy.type === "RollingUpdate" && spec.updateStrategy.rollingUpdate) {
    fill(spec.updateStrategy.rollingUpdate, "partition", 0);
  }
  fill(spec, "persistentVolumeClaimRetentionPolicy", {});
  fill(spec.persistentVolumeClaimRetentionPolicy, "whenDeleted", "Retain");
  fill(spec.persistentVolumeClaimRetentionPolicy, "whenScaled", "Retain");
  fill(spec, "replicas", 1);
  fill(spec, "revisionHistoryLimit", 10);
  for (const claim of spec.volumeClaimTemplates ?? []) {
    fill(claim, "apiVersion", "v1");
    fill(claim, "kind", "PersistentVolumeClaim");
    fillPersistentVolumeClaim(claim);
  }
}

export function fillDaemonSet({ metadata, spec }: any): void {
  if (!spec) return;
  metadata.annotations = { "deprecated.daemonset.template.generation": "1", ...metadata.annotations };
  fillTemplate(spec.template);
  fill(spec, "updateStrategy", {});
  fill(spec.updateStrategy, "type", "RollingUpdate");
  if (spec.updateStrategy.type === "RollingUpdate") {
    fill(spec.updateStrategy, "rollingUpdate", {});
    fill(spec.updateStrategy.rollingUpdate, "maxUnavailable", 1);
    fill(spec.updateStrategy.rollingUpdate, "maxSurge", 0);
  }
  fill(spec, "revisionHistoryLimit", 10);
}

export function fillJob(object: any): void {
  const { spec, metadata } = object;
  if (!spec) return;
  fillTemplate(spec.template);
  // Without a number of completions a job with parallelism is a work queue: only the plain job gets 1.
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  fill(spec, "parallelism", 1);
  fill(spec, "backoffLimit", spec.backoffLimitPerIndex === undefined ? 6 : 2147483647);
  const labels = spec.template?.metadata?.labels;
  // The very labels of the template: what the server adds to those is on the Job, too, as in the original.
  if (labels && !metadata.labels) metadata.labels = labels;
  fill(spec, "completionMode", "NonIndexed");
  fill(spec, "suspend", false);
  fill(spec, "manualSelector", false);
  fill(spec, "podReplacementPolicy", spec.podFailurePolicy ? "Failed" : "TerminatingOrFailed");
  for (const rule of spec.podFailurePolicy?.rules ?? []) {
    for (const pattern of rule.onPodConditions ?? []) fill(pattern, "status", "True");
  }
}

export function fillCronJob({ spec }: any): void {
  if (!spec) return;
  fillTemplate(spec.jobTemplate?.spec?.template);
  fill(spec, "concurrencyPolicy", "Allow");
  fill(spec, "suspend", false);
  fill(spec, "successfulJobsHistoryLimit", 3);
  fill(spec, "failedJobsHistoryLimit", 1);
}

export function fillPersistentVolumeClaim(claim: any): void {
  fill(claim, "status", {});
  fill(claim.status, "phase", "Pending");
  if (claim.spec) fill(claim.spec, "volumeMode", "Filesystem");
}

export function fillPersistentVolume(volume: any): void {
  fill(volume, "status", {});
  fill(volume.status, "phase", "Pending");
  if (!volume.spec) return;
  fill(volume.spec, "persistentVolumeReclaimPolicy", "Retain");
  fill(volume.spec, "volumeMode", "Filesystem");
  if (volume.spec.hostPath) fill(volume.spec.hostPath, "type", "");
}
