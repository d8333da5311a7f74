import type { DurableMap } from "@tiphys/bus";
import type { HeldEvent, JoinState } from "@tiphys/eventing";
import type { TriggerResult } from "@tiphys/triggers";
import { pruneOldest } from "./prune.js";

/** One run of a trigger: what started it and how its tries went. */
export interface RunRecord {
  readonly namespace: string;
  readonly sensor: string;
  readonly trigger: string;
  /** Id of the event that started it; names the run. */
  readonly id: string;
  readonly state: "running" | "succeeded" | "failed";
  /** Tries so far. */
  readonly attempts: number;
  /** Ids of its events by dependency. */
  readonly events: Readonly<Record<string, string>>;
  /** The events themselves, as long as another try may need them. */
  readonly held?: Readonly<Record<string, HeldEvent>>;
  readonly change?: string;
  readonly startedAt: string;
  readonly at: string;
  readonly error?: string;
  readonly result?: TriggerResult;
}

const RUN = "run/";
const JOIN = "join/";
/** Runs remembered; finished ones go first in, first out. */
const MOST_RUNS = 20_000;

/** Durable records of runs and of half-complete joins. `durable` is the trigger's consumer name. */
export function createRuns(state: DurableMap) {
  const runKey = (durable: string, id: string) => `${RUN}${durable}/${id}`;
  return {
    get: (durable: string, id: string) => state.get<RunRecord>(runKey(durable, id)),
    join: (durable: string) => state.get<JoinState>(JOIN + durable),
    saveJoin: (durable: string, join: JoinState) => state.write([[JOIN + durable, join]]),
    /** The run and what is left of its join change together: a crash cannot use an event twice or lose it. */
    begin: (durable: string, run: RunRecord, join: JoinState) =>
      state.write([
        [runKey(durable, run.id), run],
        [JOIN + durable, join],
      ]),
    async save(durable: string, run: RunRecord): Promise<void> {
      await state.write([[runKey(durable, run.id), run]]);
      await pruneOldest(state, RUN, MOST_RUNS, (value) => (value as RunRecord).state !== "running");
    },
    *all(): IterableIterator<readonly [durable: string, RunRecord]> {
      for (const [key, run] of state.entries<RunRecord>(RUN)) {
        yield [key.slice(RUN.length, key.lastIndexOf("/")), run] as const;
      }
    },
  };
}

export type Runs = ReturnType<typeof createRuns>;
