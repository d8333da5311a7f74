import { join } from "node:path";
import type { Clock } from "@tiphys/clock";
import { InvalidArgumentError, LimitExceededError, UnavailableError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import type { Logger } from "@tiphys/telemetry";
import type { Bus, Consumer, Position } from "./bus.js";
import { DeliveryLedger } from "./ledger.js";
import { createLocalConsumer, type LocalConsumer } from "./local-consumer.js";
import { openLocalStore, type Retention } from "./local-store.js";
import { anyMatcher, isSubject, subjectMatcher } from "./subject.js";

export interface LocalBusOptions {
  /** Absent: messages live as long as the process. */
  readonly dir?: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly retention?: Retention;
  /** Milliseconds in which an id is stored once; default five minutes, as JetStream streams of Argo Events have. */
  readonly dedupWindow?: number;
}

const DEDUP_WINDOW_MS = 300_000;

interface Seen {
  readonly at: number;
  readonly position: Promise<Position>;
}

/** The bus in process, over a durable local log. One process at a time may own the folder. */
export async function createLocalBus(options: LocalBusOptions): Promise<Bus> {
  const { dir, clock, log } = options;
  const window = options.dedupWindow ?? DEDUP_WINDOW_MS;
  const seen = new Map<string, Seen>();
  const store = await openLocalStore(dir, options.retention ?? {}, log, (entry) => {
    if (entry.at > clock.now().getTime() - window) {
      seen.set(entry.id, { at: entry.at, position: Promise.resolve(entry.position) });
    }
  });
  const ledger = await DeliveryLedger.open(dir === undefined ? undefined : join(dir, "consumers"), log);
  const consumers = new Map<string, LocalConsumer>();
  const live = new Set<{ matches: (subject: string) => boolean; handler: Parameters<Bus["subscribe"]>[1] }>();
  let closed = false;

  const forgetOld = (now: number) => {
    // Insertion order is time order, so the first young one ends the search.
    for (const [id, entry] of seen) {
      if (entry.at > now - window) break;
      seen.delete(id);
    }
  };

  return {
    async append(subject, id, bytes, headers = {}) {
      if (closed) throw new UnavailableError("the bus is closed");
      if (!isSubject(subject)) throw new InvalidArgumentError("subject", `"${subject}" is not a subject`);
      if (bytes.length > limits.busMessageBytes) {
        throw new LimitExceededError(
          `message ${id} on ${subject} has ${bytes.length} bytes; the bus takes at most ${limits.busMessageBytes}`,
        );
      }
      const now = clock.now().getTime();
      forgetOld(now);
      const before = seen.get(id);
      if (before) return before.position;
      const position = store.append(subject, id, now, bytes, headers);
      seen.set(id, { at: now, position });
      try {
        await clock.track(position);
      } catch (error) {
        seen.delete(id);
        throw error;
      }
      for (const consumer of consumers.values()) consumer.wake();
      return position;
    },
    async consume(consumeOptions, handler) {
      if (closed) throw new UnavailableError("the bus is closed");
      const { durable } = consumeOptions;
      if (consumers.has(durable)) throw new InvalidArgumentError("durable", `"${durable}" is being consumed already`);
      const start = consumeOptions.startAt === "all" ? store.first() - 1 : store.last();
      const progress = await ledger.progress(durable, start);
      const consumer = createLocalConsumer({ options: consumeOptions, handler, progress, store, clock, log });
      consumers.set(durable, consumer);
      consumer.wake();
      return {
        async stop() {
          await consumer.stop();
          if (consumers.get(durable) === consumer) consumers.delete(durable);
        },
      } satisfies Consumer;
    },
    publish(subject, bytes, headers = {}) {
      for (const subscriber of live) {
        if (subscriber.matches(subject)) queueMicrotask(() => subscriber.handler(subject, bytes, headers));
      }
    },
    subscribe(subject, handler) {
      const subscriber = { matches: subjectMatcher(subject), handler };
      live.add(subscriber);
      return () => live.delete(subscriber);
    },
    async read(subject, { limit = 100, after = 0 } = {}) {
      const matches = anyMatcher([subject]);
      const found = [];
      for (let at = Math.max(after + 1, store.first()); at <= store.last() && found.length < limit; at++) {
        const entry = store.at(at);
        if (!entry || !matches(entry.subject)) continue;
        const message = await store.body(at);
        if (message) found.push(message);
      }
      return found;
    },
    async close() {
      if (closed) return;
      closed = true;
      for (const consumer of consumers.values()) await consumer.stop();
      consumers.clear();
      live.clear();
      await ledger.close();
      await store.close();
    },
  };
}
