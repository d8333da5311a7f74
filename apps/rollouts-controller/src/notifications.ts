import type { Informer } from "@tiphys/kube";
import { type KubeObject, keyOf, keyText, type Rollout } from "@tiphys/resources";
import type { RolloutReconcilerDeps } from "./rollout-reconciler.js";

const SUBSCRIBE = "notifications.argoproj.io/subscribe.";

const subscriptions = (object: KubeObject): string =>
  Object.keys(object.metadata.annotations ?? {})
    .filter((key) => key.startsWith(SUBSCRIBE))
    .map((key) => key.slice(SUBSCRIBE.length))
    .sort()
    .join(", ");

/** Says by an Event of each Rollout that subscribes to notifications that none are sent; answers how to stop. */
export function reportNotifications(rollouts: Informer, record: RolloutReconcilerDeps["record"]): () => void {
  const told = new Map<string, string>();
  const look = (object: KubeObject, gone: boolean) => {
    const key = keyText(keyOf(object));
    const now = gone ? "" : subscriptions(object);
    if ((told.get(key) ?? "") === now) return;
    if (now === "") told.delete(key);
    else {
      told.set(key, now);
      const message = `notifications are not implemented yet: nothing is sent for ${now}; see docs/compatibility.md`;
      record(object as Rollout, "Warning", "NotificationsNotSent", message);
    }
  };
  for (const object of rollouts.list()) look(object, false);
  return rollouts.onChange(({ type, object }) => look(object, type === "deleted"));
}
