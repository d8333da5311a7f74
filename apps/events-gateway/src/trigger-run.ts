import { messageOf } from "@tiphys/errors";
import {
  type CloudEvent,
  type CompiledTrigger,
  fromWire,
  type HeldEvent,
  retryDelay,
  retryPolicy,
} from "@tiphys/eventing";
import type { Change } from "@tiphys/identity";
import { type KeyRef, types } from "@tiphys/resources";
import { Secret } from "@tiphys/secret";
import { executeTrigger, isPermanent, type TriggerContext } from "@tiphys/triggers";
import type { EventsGatewayDeps } from "./deps.js";
import type { Meters } from "./meters.js";
import type { RunRecord, Runs } from "./runs.js";

/** What a try came to. `retry`: milliseconds until the next one. */
export type TryOutcome = { readonly done: true } | { readonly done: false; readonly retry: number };

/** Tries runs of triggers and keeps their records. */
export function createTriggerRunner(deps: EventsGatewayDeps, runs: Runs, meters: Meters) {
  const { clock, log, informers, journal } = deps;
  const secrets = informers.informer(types.secrets);
  const configMaps = informers.informer(types.configMaps);

  const secretOf = (namespace: string) => (ref: KeyRef) => {
    const text = secrets.get({ namespace, name: ref.name })?.["data"]?.[ref.key];
    return typeof text === "string" ? new Secret(Buffer.from(text, "base64").toString()) : undefined;
  };
  const configMapOf = (namespace: string) => (ref: KeyRef) => {
    const text = configMaps.get({ namespace, name: ref.name })?.["data"]?.[ref.key];
    return typeof text === "string" ? text : undefined;
  };

  const contextOf = (
    run: RunRecord,
    held: Readonly<Record<string, HeldEvent>>,
    signal: AbortSignal,
  ): TriggerContext => {
    const events: Record<string, CloudEvent> = {};
    for (const [name, { event }] of Object.entries(held)) events[name] = fromWire(event);
    const change = changeOfRun(run.id, held);
    return {
      namespace: run.namespace,
      sensor: run.sensor,
      trigger: run.trigger,
      runId: run.id,
      events,
      ...(change ? { change } : {}),
      now: clock.now(),
      kube: informers.client,
      dialer: deps.dialer,
      log,
      secret: secretOf(run.namespace),
      configMap: configMapOf(run.namespace),
      signal,
    };
  };

  const tell = async (run: RunRecord, code: string, message: string) => {
    const { namespace, sensor, trigger, change } = run;
    deps.onFact?.({
      kind: "Sensor",
      namespace,
      name: sensor,
      code,
      message,
      at: clock.now(),
      ...(change ? { change } : {}),
    });
    await journal.record({
      subject: `triggers/${namespace}/${sensor}/${trigger}`,
      at: clock.now(),
      kind: "event",
      decision: {
        run: run.id,
        state: run.state,
        attempts: run.attempts,
        events: run.events,
        result: run.result?.summary,
      },
      reasons: [{ code, message, about: `Sensor ${namespace}/${sensor}` }],
      ...(change ? { change } : {}),
    });
  };

  return {
    secretOf,
    ready: () => Promise.all([secrets.synced, configMaps.synced]),
    /** Makes one try of `run` and records how it went. */
    async attempt(
      durable: string,
      run: RunRecord,
      held: Readonly<Record<string, HeldEvent>>,
      trigger: CompiledTrigger,
      signal: AbortSignal,
    ): Promise<TryOutcome> {
      const labels = { namespace: run.namespace, sensor_name: run.sensor, trigger_name: run.trigger };
      const started = clock.monotonic();
      const context = contextOf(run, held, signal);
      const attempts = run.attempts + 1;
      const { held: _, error: __, ...bare } = run;
      try {
        const result = await executeTrigger(trigger.spec, context);
        deps.killPoint?.("triggered");
        meters.duration.observe(clock.monotonic() - started, labels);
        meters.triggered.add(labels);
        const done: RunRecord = { ...bare, state: "succeeded", attempts, result, at: clock.now().toISOString() };
        await runs.save(durable, done);
        deps.killPoint?.("recorded");
        log.info("trigger ran", { sensor: run.sensor, trigger: run.trigger, run: run.id, result: result.summary });
        await tell(done, "TriggerFired", result.summary);
        return { done: true };
      } catch (error) {
        // Stopping is no failure of the trigger: the message is delivered again after the start.
        if (signal.aborted) throw error;
        meters.duration.observe(clock.monotonic() - started, labels);
        meters.failed.add(labels);
        const message = messageOf(error);
        const last = isPermanent(error) || attempts >= trigger.retry.attempts;
        const next: RunRecord = {
          ...bare,
          held,
          state: last ? "failed" : "running",
          attempts,
          error: message,
          at: clock.now().toISOString(),
        };
        await runs.save(durable, next);
        log.warn("trigger failed", {
          sensor: run.sensor,
          trigger: run.trigger,
          run: run.id,
          attempts,
          last,
          error: message,
        });
        if (!last) {
          const chance = deps.random(4).reduce((sum, byte) => sum / 256 + byte / 256, 0);
          return { done: false, retry: retryDelay(trigger.retry, attempts, Math.min(chance, 0.999)) };
        }
        meters.retriesFailed.add(labels);
        await deadLetter(next, held, trigger, signal);
        await tell(next, "TriggerFailed", message);
        return { done: true };
      }
    },
  };

  /** Runs the trigger's dlqTrigger with the same events; its tries follow each other at once, as nothing comes after it. */
  async function deadLetter(
    run: RunRecord,
    held: Readonly<Record<string, HeldEvent>>,
    trigger: CompiledTrigger,
    signal: AbortSignal,
  ): Promise<void> {
    const dlq = trigger.spec.dlqTrigger;
    if (!dlq) return;
    const name = dlq.template?.name ?? `${run.trigger}-dlq`;
    for (let left = retryPolicy(dlq.retryStrategy).attempts; left > 0; left--) {
      try {
        await executeTrigger(dlq, { ...contextOf(run, held, signal), trigger: name });
        return;
      } catch (error) {
        if (signal.aborted) throw error;
        log.warn("dlqTrigger failed", { sensor: run.sensor, trigger: name, run: run.id, error: messageOf(error) });
      }
    }
  }
}

export type TriggerRunner = ReturnType<typeof createTriggerRunner>;

/** The change of the event that started the run; of several events that is the newest. */
export function changeOfRun(id: string, held: Readonly<Record<string, HeldEvent>>): Change | undefined {
  const events = Object.values(held);
  return (events.find(({ event }) => event.id === id) ?? events[0])?.change;
}
