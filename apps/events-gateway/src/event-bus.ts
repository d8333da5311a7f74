import type { Plan, Reconciler } from "@tiphys/controller";
import type { EventBusObject } from "@tiphys/resources";
import { bad, conditionsOf, good } from "./conditions.js";

interface State {
  readonly object: EventBusObject;
}

/** Why the events of an EventBus object cannot go where it says; undefined when our own bus stands in for it. */
export function eventBusProblem(object: EventBusObject): string | undefined {
  const { nats, jetstream, jetstreamExotic, kafka } = object.spec ?? {};
  const given = Object.entries({ nats, jetstream, jetstreamExotic, kafka }).filter(([, spec]) => spec !== undefined);
  if (given.length !== 1) return "spec: one of nats, jetstream, jetstreamExotic, kafka is needed";
  const [kind, spec] = given[0]!;
  if (kind === "jetstream" || (kind === "nats" && (spec as { native?: object }).native)) return undefined;
  const field = kind === "nats" ? "spec.nats.exotic" : `spec.${kind}`;
  return `${field}: a bus of your own is not implemented yet: name spec.jetstream to use the gateway's bus`;
}

/** Accepts EventBus objects: the gateway's one durable bus serves all of them, so nothing has to be made. */
export const eventBusReconciler: Reconciler<State, never> = {
  observe: async (object) => ({ object: object as EventBusObject }),
  plan({ object }, now): Plan<never> {
    const problem = eventBusProblem(object);
    const wanted = problem
      ? [bad("Configured", "NotSupported", [problem]), bad("Deployed", "NotSupported", [problem])]
      : [good("Configured", "Configured"), good("Deployed", "Shared", "served by the gateway's own durable bus")];
    return {
      status: { conditions: conditionsOf(object.status?.conditions, wanted, now) },
      actions: [],
      reasons: problem ? [{ code: "NotSupported", message: problem }] : [],
    };
  },
  act: async () => undefined,
  describe: () => "",
};
