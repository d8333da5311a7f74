import { digest } from "@tiphys/canonical-json";
import type { Plan, Reconciler } from "@tiphys/controller";
import { messageOf } from "@tiphys/errors";
import { planSensor, problemText, type SensorPlan } from "@tiphys/eventing";
import type { Sensor } from "@tiphys/resources";
import { bad, conditionsOf, good, unusedMessage, type Wanted } from "./conditions.js";

/** What the reconciler needs to know of the part that consumes. */
export interface TriggersPort {
  /** Digest of the Sensor that consumes now. */
  running(object: Sensor): string | undefined;
  run(object: Sensor, plan: SensorPlan, digest: string): Promise<void>;
  busProblem(object: Sensor): string | undefined;
}

interface State {
  readonly object: Sensor;
  readonly plan: SensorPlan;
  readonly wanted: string;
  readonly running?: string;
  readonly busProblem?: string;
}

interface Run {
  readonly object: Sensor;
  readonly plan: SensorPlan;
  readonly digest: string;
}

export function sensorReconciler(triggers: TriggersPort): Reconciler<State, Run, void> {
  return {
    async observe(object) {
      const sensor = object as Sensor;
      const busProblem = triggers.busProblem(sensor);
      const running = triggers.running(sensor);
      return {
        object: sensor,
        plan: planSensor(sensor),
        wanted: digest({ uid: sensor.metadata.uid, spec: sensor.spec, busProblem }),
        ...(running ? { running } : {}),
        ...(busProblem ? { busProblem } : {}),
      };
    },
    plan({ object, plan, wanted, running, busProblem }) {
      const ending = object.metadata.deletionTimestamp !== undefined || busProblem !== undefined;
      const effective = ending ? { ...plan, triggers: [] } : plan;
      return {
        actions: running === wanted && !ending ? [] : [{ object, plan: effective, digest: wanted }],
        reasons: [...plan.dependencyProblems, ...plan.triggerProblems].map(({ code, field, message }) => ({
          code,
          message,
          about: field,
        })),
      };
    },
    act: ({ object, plan, digest: wanted }) => triggers.run(object, plan, wanted),
    report(state, plan, outcomes, now): Plan<Run> {
      const errors = outcomes.flatMap((outcome) => (outcome.ok ? [] : [messageOf(outcome.error)]));
      return {
        ...plan,
        status: { conditions: conditionsOf(state.object.status?.conditions, wantedConditions(state, errors), now) },
        reasons: [...plan.reasons, ...errors.map((message) => ({ code: "NotConsuming", message }))],
      };
    },
    describe: ({ plan }) => `consume for ${plan.triggers.map(({ name }) => name).join(", ") || "nothing"}`,
    digestOf: ({ object, busProblem, wanted }) => ({ spec: object.spec, busProblem, wanted }),
  };
}

function wantedConditions({ plan, busProblem }: State, errors: readonly string[]): Wanted[] {
  const { dependencyProblems, triggerProblems } = plan;
  const dependencies =
    dependencyProblems.length > 0
      ? bad("DependenciesProvided", "InvalidSpec", dependencyProblems.map(problemText))
      : good("DependenciesProvided", "Accepted", unusedMessage(plan.unused));
  const triggers =
    triggerProblems.length > 0
      ? bad("TriggersProvided", "InvalidSpec", triggerProblems.map(problemText))
      : good("TriggersProvided", "Accepted");
  if (busProblem) return [dependencies, triggers, bad("Deployed", "EventBusNotSupported", [busProblem])];
  if (errors.length > 0) return [dependencies, triggers, bad("Deployed", "NotConsuming", errors)];
  if (plan.triggers.length === 0) {
    return [dependencies, triggers, bad("Deployed", "NothingToRun", ["no trigger of this sensor can run"])];
  }
  return [dependencies, triggers, good("Deployed", "Consuming")];
}
