import { type Bus, publishFact } from "@tiphys/bus";
import type { Clock } from "@tiphys/clock";
import { changeOf } from "@tiphys/identity";
import type { CacheChange } from "@tiphys/kube";
import type { Application } from "@tiphys/resources";

interface Happening {
  readonly code: string;
  readonly message: string;
}

/** What a change of an Application's status says to viewers. */
export function happenings(before: Application | undefined, after: Application): Happening[] {
  const found: Happening[] = [];
  const revision = after.status?.sync?.revision ?? "";
  const was = before?.status;
  const is = after.status;
  if (is?.sync && was?.sync?.status !== is.sync.status) found.push({ code: is.sync.status, message: revision });
  if (is?.health && was?.health?.status !== is.health.status) {
    found.push({ code: `Health${is.health.status}`, message: is.health.message ?? "" });
  }
  const phase = is?.operationState?.phase;
  if (
    phase &&
    (was?.operationState?.phase !== phase || was.operationState.startedAt !== is?.operationState?.startedAt)
  ) {
    found.push({ code: `Operation${phase}`, message: is?.operationState?.message ?? "" });
  }
  return found;
}

/** Publishes facts about Applications on `tiphys.facts.delivery.<namespace>.<name>.<code>`. */
export function factPublisher(bus: Bus, clock: Clock): (change: CacheChange) => void {
  return ({ type, object, previous }) => {
    if (type !== "modified") return;
    const app = object as Application;
    const { name, namespace = "" } = app.metadata;
    const change = changeOf(app)?.id;
    const at = clock.now();
    for (const happening of happenings(previous as Application | undefined, app)) {
      const about = { area: "delivery", kind: "Application", namespace, name, at } as const;
      publishFact(bus, { ...about, ...happening, ...(change ? { change } : {}) });
    }
  };
}
