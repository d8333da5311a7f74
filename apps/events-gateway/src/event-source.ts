import { digest } from "@tiphys/canonical-json";
import type { Plan, Reconciler } from "@tiphys/controller";
import { messageOf } from "@tiphys/errors";
import { planEventSource, problemText, type SourceEvent, type SourcePlan } from "@tiphys/eventing";
import type { EventSource } from "@tiphys/resources";
import { bad, conditionsOf, good, unusedMessage, type Wanted } from "./conditions.js";

/** What the reconciler needs to know of the part that listens. */
export interface SourcesPort {
  /** Digest of what an EventSource runs now, and what keeps which event name from running. */
  running(object: EventSource): { digest: string; problems: ReadonlyMap<string, string> } | undefined;
  run(object: EventSource, events: readonly SourceEvent[], digest: string): Promise<ReadonlyMap<string, string>>;
  /** Why the object's bus cannot be used. */
  busProblem(object: EventSource): string | undefined;
}

interface State {
  readonly object: EventSource;
  readonly plan: SourcePlan;
  readonly wanted: string;
  readonly busProblem?: string;
  readonly running?: { digest: string; problems: ReadonlyMap<string, string> };
}

interface Run {
  readonly object: EventSource;
  readonly events: readonly SourceEvent[];
  readonly digest: string;
}

/** An occupied port is tried again after this time. */
const LOOK_AGAIN_MS = 1000;

export function eventSourceReconciler(sources: SourcesPort): Reconciler<State, Run, ReadonlyMap<string, string>> {
  return {
    async observe(object) {
      const source = object as EventSource;
      const busProblem = sources.busProblem(source);
      const running = sources.running(source);
      const { annotations = {}, uid } = source.metadata;
      return {
        object: source,
        plan: planEventSource(source),
        wanted: digest({ uid, spec: source.spec, annotations: eventsAnnotations(annotations), busProblem }),
        ...(busProblem ? { busProblem } : {}),
        ...(running ? { running } : {}),
      };
    },
    plan({ object, plan, wanted, busProblem, running }) {
      const ending = object.metadata.deletionTimestamp !== undefined || busProblem !== undefined;
      const current = running?.digest === wanted && running.problems.size === 0;
      const events = ending ? [] : plan.events;
      return {
        actions: current ? [] : [{ object, events, digest: wanted }],
        reasons: plan.problems.map((problem) => ({
          code: problem.code,
          message: problem.message,
          about: problem.field,
        })),
      };
    },
    act: ({ object, events, digest: wanted }) => sources.run(object, events, wanted),
    report(state, plan, outcomes, now): Plan<Run> {
      const [outcome] = outcomes;
      const problems = outcome === undefined ? state.running?.problems : outcome.ok ? outcome.fact : undefined;
      const failures = [...(problems ?? [])].map(([name, problem]) => `${name}: ${problem}`);
      if (outcome && !outcome.ok) failures.push(messageOf(outcome.error));
      const blocked = failures.length > 0;
      return {
        ...plan,
        status: { conditions: conditionsOf(state.object.status?.conditions, wantedConditions(state, failures), now) },
        reasons: [...plan.reasons, ...failures.map((message) => ({ code: "NotListening", message }))],
        ...(blocked ? { lookAgainAt: new Date(now.getTime() + LOOK_AGAIN_MS) } : {}),
      };
    },
    describe: ({ events }) => `listen for ${events.map(({ type, name }) => `${type}/${name}`).join(", ") || "nothing"}`,
    digestOf: ({ object, busProblem, wanted }) => ({ spec: object.spec, busProblem, wanted }),
  };
}

function wantedConditions({ plan, busProblem }: State, failures: readonly string[]): Wanted[] {
  const provided =
    plan.problems.length > 0
      ? bad("SourcesProvided", "InvalidSpec", plan.problems.map(problemText))
      : good("SourcesProvided", "Accepted", unusedMessage(plan.unused));
  if (busProblem) return [provided, bad("Deployed", "EventBusNotSupported", [busProblem])];
  if (failures.length > 0) return [provided, bad("Deployed", "NotListening", failures)];
  if (plan.events.length === 0) return [provided, bad("Deployed", "NothingToRun", ["no event of this source can run"])];
  return [provided, good("Deployed", "Listening")];
}

const eventsAnnotations = (annotations: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(annotations).filter(([name]) => name.includes("events.tiphys.dev/")));
