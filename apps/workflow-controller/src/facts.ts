import { type Bus, publishFact } from "@tiphys/bus";
import type { Clock } from "@tiphys/clock";
import { changeOf } from "@tiphys/identity";
import type { CacheChange } from "@tiphys/kube";

/** Publishes every new phase of a Workflow on `tiphys.facts.workflows.<namespace>.<name>.<phase>`. */
export function factPublisher(bus: Pick<Bus, "publish">, clock: Clock): (change: CacheChange) => void {
  return ({ type, object, previous }) => {
    const { phase, message = "" } = object["status"] ?? {};
    if (type !== "modified" || !phase || previous?.["status"]?.phase === phase) return;
    const { name, namespace = "" } = object.metadata;
    const change = changeOf(object)?.id;
    const about = { area: "workflows", kind: "Workflow", namespace, name } as const;
    publishFact(bus, { ...about, code: phase, message, at: clock.now(), ...(change ? { change } : {}) });
  };
}
