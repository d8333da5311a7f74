import type { Plan, Reason } from "@tiphys/controller";
import type { Application, ApplicationCondition, KubeObject } from "@tiphys/resources";
import { objectSyncOptions, type SyncStep, type SyncTask, taskId } from "@tiphys/sync";
import { rfc3339 } from "./operation.js";
import type { ApplicationState, DeliveryAction } from "./state.js";
import { trackedBy } from "./tracking.js";

const FINALIZER = "resources-finalizer.argocd.argoproj.io";
const unimplemented = ["pre-delete-finalizer.argocd.argoproj.io", "post-delete-finalizer.argocd.argoproj.io"];

const own = (app: Application): string | undefined =>
  app.metadata.finalizers?.find((finalizer) => finalizer === FINALIZER || finalizer.startsWith(`${FINALIZER}/`));

/** Deletes what the application tracks, then lets the application itself go. */
export function planDeletion(state: ApplicationState, now: Date): Plan<DeliveryAction> {
  const { app } = state;
  const hooked = app.metadata.finalizers?.find((each) => unimplemented.some((name) => each.startsWith(name)));
  if (hooked) return refused(app, `finalizer ${hooked} (hooks at deletion) is not implemented yet`, now);
  const finalizer = own(app);
  if (!finalizer) return { actions: [], reasons: [{ code: "Deleting", message: "other finalizers are left" }] };
  const left: KubeObject[] = [...state.live.values()].filter(
    (object) => trackedBy(object) === app.metadata.name && objectSyncOptions(object)["Delete"] !== "false",
  );
  if (left.length === 0) {
    const finalizers = (app.metadata.finalizers ?? []).filter((each) => each !== finalizer);
    return {
      actions: [],
      patch: { metadata: { finalizers: finalizers.length > 0 ? finalizers : null } },
      reasons: [{ code: "Deleted", message: "nothing that the application tracks is left" }],
    };
  }
  const propagation = finalizer.endsWith("/background") ? "Background" : "Foreground";
  const actions = left
    .filter((object) => !object.metadata.deletionTimestamp)
    .map(
      (object): DeliveryAction => ({
        step: deleteStep(object, propagation),
        change: undefined,
        keep: [],
        destination: app.spec.destination,
      }),
    );
  const reasons: Reason[] = [{ code: "Deleting", message: `${left.length} objects are left` }];
  return { actions, reasons };
}

function deleteStep(object: KubeObject, propagation: "Foreground" | "Background"): SyncStep {
  const task: SyncTask = {
    id: taskId("Sync", object),
    type: "prune",
    object,
    live: object,
    outOfSync: true,
    phase: "Sync",
    wave: 0,
  };
  return { type: "delete", task, object, propagation, reason: "prune" };
}

function refused(app: Application, message: string, now: Date): Plan<DeliveryAction> {
  const same = app.status?.conditions?.find((each) => each.type === "DeletionError" && each.message === message);
  const condition: ApplicationCondition = {
    type: "DeletionError",
    message,
    lastTransitionTime: same?.lastTransitionTime ?? rfc3339(now),
  };
  const others = (app.status?.conditions ?? []).filter((each) => each.type !== "DeletionError");
  return {
    status: { ...app.status, conditions: [...others, condition] },
    actions: [],
    reasons: [{ code: "DeletionError", message }],
  };
}
