import { groupVersionOf, type KubeObject } from "@tiphys/resources";
import type { SyncTask } from "./tasks.js";

/** Kinds in the order in which they are applied within a wave; unknown kinds come after all of these. */
const kinds = [
  "Namespace",
  "NetworkPolicy",
  "ResourceQuota",
  "LimitRange",
  "PodSecurityPolicy",
  "PodDisruptionBudget",
  "ServiceAccount",
  "Secret",
  "SecretList",
  "ConfigMap",
  "StorageClass",
  "PersistentVolume",
  "PersistentVolumeClaim",
  "CustomResourceDefinition",
  "ClusterRole",
  "ClusterRoleList",
  "ClusterRoleBinding",
  "ClusterRoleBindingList",
  "Role",
  "RoleList",
  "RoleBinding",
  "RoleBindingList",
  "Service",
  "DaemonSet",
  "Pod",
  "ReplicationController",
  "ReplicaSet",
  "Deployment",
  "HorizontalPodAutoscaler",
  "StatefulSet",
  "Job",
  "CronJob",
  "IngressClass",
  "Ingress",
  "APIService",
] as const;
const rank = new Map<string, number>(kinds.map((kind, index) => [kind, index]));
const phases = ["PreSync", "Sync", "PostSync", "SyncFail"] as const;

const kindRank = (object: KubeObject): number => rank.get(object.kind) ?? kinds.length;

/** Phase, wave, kind, name; prunes come first within a wave, in mirrored kind order. */
export function compareTasks(a: SyncTask, b: SyncTask): number {
  const byStep = phases.indexOf(a.phase) - phases.indexOf(b.phase) || a.wave - b.wave;
  if (byStep !== 0) return byStep;
  if ((a.type === "prune") !== (b.type === "prune")) return a.type === "prune" ? -1 : 1;
  const byKind = kindRank(a.object) - kindRank(b.object);
  const mirrored = a.type === "prune" ? -byKind : byKind;
  return mirrored || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

const isBefore = (a: SyncTask, b: SyncTask): boolean =>
  phases.indexOf(a.phase) - phases.indexOf(b.phase) < 0 || (a.phase === b.phase && a.wave < b.wave);

/** Moves a Namespace or a CustomResourceDefinition ahead of its first user, also across waves and phases. */
export function moveDependencies(tasks: readonly SyncTask[]): void {
  for (const task of tasks) {
    if (task.type !== "apply") continue;
    const { object } = task;
    const uses =
      object.kind === "Namespace" && object.apiVersion === "v1"
        ? (user: KubeObject) => user.metadata.namespace === object.metadata.name
        : object.kind === "CustomResourceDefinition"
          ? (user: KubeObject) =>
              user.kind === object["spec"]?.names?.kind &&
              groupVersionOf(user.apiVersion).group === object["spec"]?.group
          : undefined;
    if (!uses) continue;
    for (const user of tasks) {
      if (user.type === "prune" || user.phase === "SyncFail" || user === task || !uses(user.object)) continue;
      if (isBefore(user, task)) {
        task.phase = user.phase;
        task.wave = user.wave;
      }
    }
  }
}

/** Prunes run in mirrored wave order: what was made last goes first. */
export function mirrorPruneWaves(tasks: readonly SyncTask[]): void {
  const prunes = tasks.filter((task) => task.type === "prune");
  const waves = [...new Set(prunes.map((task) => task.wave))].sort((a, b) => a - b);
  for (const task of prunes) task.wave = waves[waves.length - 1 - waves.indexOf(task.wave)] ?? task.wave;
}
