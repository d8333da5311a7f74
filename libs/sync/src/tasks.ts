import { groupVersionOf, type HookType, type KubeObject, type ResourceResult } from "@tiphys/resources";
import { hookTypes, syncWave } from "./hooks.js";
import { objectSyncOptions, type SyncOptions } from "./options.js";
import { compareTasks, mirrorPruneWaves, moveDependencies } from "./order.js";

export type SyncPhase = "PreSync" | "Sync" | "PostSync" | "SyncFail";

/** One resource as compared: wanted, present, or both. */
export interface SyncItem {
  readonly desired?: KubeObject;
  readonly live?: KubeObject;
  readonly outOfSync: boolean;
}

/** A hook manifest and the object of its name that exists now. */
export interface HookItem {
  readonly desired: KubeObject;
  readonly live?: KubeObject;
}

/** One thing to do in an operation. Its place (phase, wave) is settled while the tasks are made. */
export interface SyncTask {
  /** `group/Kind/namespace/name`, with the phase in front for hooks. */
  readonly id: string;
  readonly type: "apply" | "prune" | "hook";
  readonly object: KubeObject;
  readonly live: KubeObject | undefined;
  readonly outOfSync: boolean;
  readonly hookType?: HookType;
  phase: SyncPhase;
  wave: number;
}

export const resourceId = (object: KubeObject): string =>
  `${groupVersionOf(object.apiVersion).group}/${object.kind}/${object.metadata.namespace ?? ""}/${object.metadata.name}`;

export const taskId = (phase: string, object: KubeObject): string => `${phase} ${resourceId(object)}`;

export const resultId = (result: ResourceResult): string =>
  `${result.syncPhase ?? "Sync"} ${result.group}/${result.kind}/${result.namespace}/${result.name}`;

export interface TaskInput {
  readonly items: readonly SyncItem[];
  readonly hooks: readonly HookItem[];
  readonly options: SyncOptions;
  /** False for selective syncs and the apply strategy. */
  readonly runHooks: boolean;
}

const phaseOfHook = (type: HookType): SyncPhase | undefined =>
  type === "PreSync" || type === "Sync" || type === "PostSync" || type === "SyncFail" ? type : undefined;

/** All tasks of an operation in their order. */
export function makeTasks({ items, hooks, options, runHooks }: TaskInput): SyncTask[] {
  const tasks: SyncTask[] = [];
  for (const { desired, live, outOfSync } of items) {
    const object = desired ?? live;
    if (!object) continue;
    tasks.push({
      id: taskId("Sync", object),
      type: desired ? "apply" : "prune",
      object,
      live,
      outOfSync,
      phase: "Sync",
      wave: syncWave(object),
    });
  }
  if (runHooks) {
    for (const { desired, live } of hooks) {
      for (const hookType of hookTypes(desired)) {
        const phase = phaseOfHook(hookType);
        if (!phase) continue;
        tasks.push({
          id: taskId(phase, desired),
          type: "hook",
          object: desired,
          live,
          outOfSync: true,
          hookType,
          phase,
          wave: syncWave(desired),
        });
      }
    }
  }
  moveDependencies(tasks);
  mirrorPruneWaves(tasks);
  const last = Math.max(0, ...tasks.filter((task) => task.phase === "Sync").map((task) => task.wave));
  for (const task of tasks) {
    if (task.type !== "prune") continue;
    const own = objectSyncOptions(task.object)["PruneLast"] ?? options["PruneLast"];
    if (own === "true") task.wave = last + 1;
  }
  return tasks.sort(compareTasks);
}
