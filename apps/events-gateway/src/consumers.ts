import { setMaxListeners } from "node:events";
import type { Consumer, Message } from "@tiphys/bus";
import { codeOf, messageOf, NotFoundError } from "@tiphys/errors";
import {
  type CompiledTrigger,
  decodeEvent,
  emptyJoin,
  eventSubject,
  type HeldEvent,
  join,
  type SensorPlan,
  toWire,
  triggerDurable,
} from "@tiphys/eventing";
import { CHANGE_HEADER, isUlid, TRACEPARENT_HEADER } from "@tiphys/identity";
import { keyText, type ObjectKey } from "@tiphys/resources";
import type { EventsGatewayDeps } from "./deps.js";
import type { RunRecord, Runs } from "./runs.js";
import { changeOfRun, type TriggerRunner } from "./trigger-run.js";

/** One Sensor, as its consumers know it. */
export interface SensorIdentity {
  readonly key: ObjectKey;
  readonly uid: string;
}

/** A running consumer of one trigger; the trigger itself may be replaced while it runs. */
interface Running {
  trigger: CompiledTrigger;
  readonly durable: string;
  readonly subjects: string;
  readonly sensor: SensorIdentity;
  readonly consumer: Consumer;
  readonly stop: AbortController;
  /** Joins are taken one event at a time, in order. */
  joining: Promise<unknown>;
}

/** After a crash of this process a shared bus gives its messages to others after so long. */
const ACK_WAIT_MS = 30_000;
/** A message whose run is still going on here is looked at again after so long. */
const BUSY_MS = 5000;
/** Runs of one trigger at a time; each waits for its target and then for its record to be durable. */
const IN_FLIGHT = 128;

/** The consumers of all Sensors: one durable per trigger, so that a slow trigger holds up no other. */
export function createConsumers(deps: EventsGatewayDeps, runs: Runs, runner: TriggerRunner) {
  const { bus, clock, log } = deps;
  const running = new Map<string, Running>();
  const busy = new Set<string>();

  const subjectsOf = (namespace: string, busName: string, trigger: CompiledTrigger): string[] => {
    const subjects = trigger.dependencies.map(({ eventSourceName, eventName }) =>
      eventSubject(namespace, busName, eventSourceName, eventName),
    );
    return [...new Set(subjects)].sort();
  };

  const start = async (sensor: SensorIdentity, durable: string, subjects: string[], trigger: CompiledTrigger) => {
    const stop = new AbortController();
    // Every run under way listens to it.
    setMaxListeners(0, stop.signal);
    const parts = { trigger, durable, subjects: subjects.join(" "), sensor, stop, joining: Promise.resolve() };
    // The consumer may deliver before `consume` resolves, so the entry exists first.
    const entry = parts as Omit<Running, "consumer"> as Running;
    running.set(durable, entry);
    try {
      const consumer = await bus.consume(
        { durable, subjects, startAt: "new", ackWait: ACK_WAIT_MS, maxInFlight: IN_FLIGHT },
        (message) => handleOnce(entry, message),
      );
      Object.assign(entry, { consumer });
    } catch (error) {
      running.delete(durable);
      throw error;
    }
  };

  const end = async (entry: Running) => {
    entry.stop.abort(new Error("the trigger's consumer is stopping"));
    running.delete(entry.durable);
    await entry.consumer?.stop();
  };

  /** A trigger may take longer than the bus waits; the message that comes again then must not run it a second time. */
  async function handleOnce(entry: Running, message: Message): Promise<void> {
    const key = `${entry.durable}/${message.id}`;
    if (busy.has(key)) return message.nak(BUSY_MS);
    busy.add(key);
    try {
      await handle(entry, message);
    } finally {
      busy.delete(key);
    }
  }

  async function handle(entry: Running, message: Message): Promise<void> {
    const { durable } = entry;
    const trigger = entry.trigger;
    let held: HeldEvent;
    let names: string[];
    try {
      const event = decodeEvent(message.bytes);
      const change = message.headers[CHANGE_HEADER] ?? "";
      const traceparent = message.headers[TRACEPARENT_HEADER] ?? "";
      held = {
        event: toWire(event),
        position: message.position,
        ...(isUlid(change) ? { change: { id: change, traceparent } } : {}),
      };
      const before = runs.get(durable, message.id);
      if (before) return finish(entry, message, before, before.held ?? { [Object.keys(before.events)[0]!]: held });
      names = trigger.dependencies
        .filter(({ eventSourceName, eventName }) => eventSourceName === event.source && eventName === event.subject)
        .filter((dependency) => {
          const reason = dependency.check(event);
          if (reason) log.debug("event filtered out", { trigger: trigger.name, event: event.id, reason });
          return reason === undefined;
        })
        .map((dependency) => dependency.name);
    } catch (error) {
      if (codeOf(error) !== "InvalidArgument") throw error;
      return message.term(messageOf(error));
    }
    if (names.length === 0) return message.ack();

    const single = trigger.conditions.names.length === 1;
    if (single) return finish(entry, message, newRun(entry, message.id, { [names[0]!]: held }), { [names[0]!]: held });

    const step = await inTurn(entry, async () => {
      // Another delivery of the same message may have been here while this one waited.
      const before = runs.get(durable, message.id);
      if (before) return before;
      const { state, fire } = join(runs.join(durable) ?? emptyJoin, names, held, trigger.conditions);
      deps.killPoint?.("joining");
      if (!fire) {
        await runs.saveJoin(durable, state);
        return undefined;
      }
      const run = { ...newRun(entry, message.id, fire), held: fire };
      await runs.begin(durable, run, state);
      deps.killPoint?.("joined");
      return run;
    });
    if (!step) return message.ack();
    return finish(entry, message, step, step.held ?? {});
  }

  const newRun = (entry: Running, id: string, held: Readonly<Record<string, HeldEvent>>): RunRecord => {
    const now = clock.now().toISOString();
    const change = changeOfRun(id, held)?.id;
    return {
      namespace: entry.sensor.key.namespace ?? "",
      sensor: entry.sensor.key.name,
      trigger: entry.trigger.name,
      id,
      state: "running",
      attempts: 0,
      events: Object.fromEntries(Object.entries(held).map(([name, { event }]) => [name, event.id])),
      ...(change ? { change } : {}),
      startedAt: now,
      at: now,
    };
  };

  async function finish(entry: Running, message: Message, run: RunRecord, held: Readonly<Record<string, HeldEvent>>) {
    if (run.state !== "running") return message.ack();
    if (!entry.trigger.atLeastOnce) {
      // The user asked for at most once: whatever happens from here on, there is no second try.
      await message.ack();
      const once = { ...entry.trigger, retry: { ...entry.trigger.retry, attempts: 1 } };
      await runner.attempt(entry.durable, run, held, once, entry.stop.signal);
      return;
    }
    const outcome = await runner.attempt(entry.durable, run, held, entry.trigger, entry.stop.signal);
    if (outcome.done) await message.ack();
    else await message.nak(outcome.retry);
  }

  const inTurn = <T>(entry: Running, work: () => Promise<T>): Promise<T> => {
    const result = entry.joining.then(work);
    entry.joining = result.catch(() => undefined);
    return result;
  };

  return {
    /** Makes exactly the triggers of `plan` consume; throws when the bus refuses. */
    async apply(sensor: SensorIdentity, plan: SensorPlan): Promise<void> {
      const { namespace = "", name } = sensor.key;
      const wanted = new Map(
        plan.triggers.map((trigger) => [triggerDurable(namespace, name, sensor.uid, trigger.name), trigger] as const),
      );
      for (const entry of [...running.values()]) {
        if (keyText(entry.sensor.key) === keyText(sensor.key) && !wanted.has(entry.durable)) await end(entry);
      }
      for (const [durable, trigger] of wanted) {
        const subjects = subjectsOf(namespace, plan.bus, trigger);
        const entry = running.get(durable);
        if (entry?.subjects === subjects.join(" ")) {
          // Same events, new details: nothing that waits is lost.
          entry.trigger = trigger;
          continue;
        }
        if (entry) await end(entry);
        await start(sensor, durable, subjects, trigger);
      }
    },
    async remove(key: ObjectKey): Promise<void> {
      for (const entry of [...running.values()]) if (keyText(entry.sensor.key) === keyText(key)) await end(entry);
    },
    /** Tries a run that failed for good once more, from its record. */
    async retry(durable: string, run: RunRecord): Promise<void> {
      const entry = running.get(durable);
      if (!entry)
        throw new NotFoundError(`trigger ${run.trigger} of Sensor ${run.namespace}/${run.sensor} is not running`);
      const again: RunRecord = { ...run, state: "running", attempts: 0 };
      const once = { ...entry.trigger, retry: { ...entry.trigger.retry, attempts: 1 } };
      await runner.attempt(durable, again, run.held ?? {}, once, entry.stop.signal);
    },
    async close(): Promise<void> {
      await Promise.all([...running.values()].map(end));
    },
  };
}

export type Consumers = ReturnType<typeof createConsumers>;
