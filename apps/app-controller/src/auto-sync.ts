import type { Operation } from "@tiphys/resources";
import { groupVersionOf } from "@tiphys/resources";
import { SELF_HEAL_COOLDOWN, selfHealDelay } from "@tiphys/sync";
import type { Comparison } from "./compare.js";
import { alreadyAttempted, automatedRetry } from "./operation.js";
import { revisionFields } from "./sources.js";
import type { ApplicationState } from "./state.js";

/** What the automated policy makes of an application that is out of sync. */
export type AutoSync =
  | { readonly type: "none"; readonly reason?: string }
  | { readonly type: "sync"; readonly operation: Operation }
  | { readonly type: "later"; readonly at: Date; readonly reason: string }
  | { readonly type: "refused"; readonly syncError: string };

export function autoSync(state: ApplicationState, comparison: Comparison, now: Date): AutoSync {
  const { app, target } = state;
  const policy = app.spec.syncPolicy?.automated;
  if (!policy || policy.enabled === false) return { type: "none" };
  if (!target.ok || comparison.sync !== "OutOfSync") return { type: "none" };
  // What is being deleted already needs no further sync.
  const changed = comparison.items.filter(
    (item) => item.outOfSync && (item.desired !== undefined || !item.live?.metadata.deletionTimestamp),
  );
  if (changed.length === 0) return { type: "none", reason: "waiting for pruned objects to go" };
  const wanted = changed.filter((item) => item.desired);
  if (!policy.prune && wanted.length === 0) {
    return { type: "none", reason: "need to prune extra resources only but automated prune is disabled" };
  }
  const { revision } = target;
  const last = app.status?.operationState;
  const base: Operation = {
    sync: {
      ...revisionFields(target),
      ...(policy.prune ? { prune: true } : {}),
      ...(app.spec.syncPolicy?.syncOptions ? { syncOptions: app.spec.syncPolicy.syncOptions } : {}),
    },
    initiatedBy: { automated: true },
    retry: automatedRetry(app),
  };
  const wipesOut = policy.prune && !policy.allowEmpty && comparison.items.every((item) => !item.desired);
  if (wipesOut) {
    return {
      type: "refused",
      syncError: `Skipping sync attempt to ${revision}: auto-sync will wipe out all resources`,
    };
  }
  if (!alreadyAttempted(app, revision)) return { type: "sync", operation: base };
  if (last && last.phase !== "Succeeded") {
    return { type: "refused", syncError: `Failed last sync attempt to ${revision}: ${last.message ?? ""}` };
  }
  if (!policy.selfHeal) return { type: "none", reason: "this revision was synced already, and selfHeal is off" };
  const ended = new Date(last?.finishedAt ?? 0).getTime();
  const recent = now.getTime() - ended < SELF_HEAL_COOLDOWN;
  const attempts = recent ? (last?.operation.sync?.autoHealAttemptsCount ?? 0) : 0;
  const at = new Date(ended + selfHealDelay(attempts));
  if (at > now) return { type: "later", at, reason: `self-heal attempt #${attempts + 1} waits` };
  const resources = changed.map(({ desired, live }) => {
    const object = desired ?? live;
    const namespace = object?.metadata.namespace;
    return {
      group: groupVersionOf(object?.apiVersion ?? "").group,
      kind: object?.kind ?? "",
      name: object?.metadata.name ?? "",
      ...(namespace ? { namespace } : {}),
    };
  });
  return {
    type: "sync",
    operation: { ...base, sync: { ...base.sync, resources, autoHealAttemptsCount: attempts + 1 } },
  };
}
