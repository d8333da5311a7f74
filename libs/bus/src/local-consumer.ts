import type { Clock } from "@tiphys/clock";
import { messageOf } from "@tiphys/errors";
import type { Logger } from "@tiphys/telemetry";
import type { ConsumeOptions, Message, Position } from "./bus.js";
import type { Progress } from "./ledger.js";
import type { LocalStore } from "./local-store.js";
import { anyMatcher } from "./subject.js";

/** Delay before the next delivery of a message whose handler failed: one second, doubled, a minute at most. */
export const redeliveryDelay = (deliveries: number): number =>
  Math.min(60_000, 1000 * 2 ** Math.min(deliveries - 1, 6));

export const DEFAULT_ACK_WAIT_MS = 30_000;
export const DEFAULT_IN_FLIGHT = 64;

export interface LocalConsumer {
  wake(): void;
  /** Resolves when no handler of it is running. Unsettled messages are delivered again by the next consumer. */
  stop(): Promise<void>;
}

interface Parts {
  readonly options: ConsumeOptions;
  readonly handler: (message: Message) => Promise<void>;
  readonly progress: Progress;
  readonly store: LocalStore;
  readonly clock: Clock;
  readonly log: Logger;
}

export function createLocalConsumer({ options, handler, progress, store, clock, log }: Parts): LocalConsumer {
  const ackWait = options.ackWait ?? DEFAULT_ACK_WAIT_MS;
  const maxInFlight = options.maxInFlight ?? DEFAULT_IN_FLIGHT;
  const matches = anyMatcher(options.subjects);
  /** Delivered, and neither settled nor put back; the value disarms the ackWait timer. */
  const inFlight = new Map<Position, () => void>();
  const running = new Set<Promise<void>>();
  let cursor = progress.floor;
  let stopped = false;
  let pumping = false;
  let cancelAlarm = () => {};

  const settled = (position: Position) => position <= progress.floor || progress.above.has(position);

  const putBack = async (position: Position, deliveries: number, delay: number) => {
    await progress.putBack(position, deliveries, clock.now().getTime() + delay);
    wake();
  };

  const deliver = async (position: Position, deliveries: number) => {
    const stored = await store.body(position);
    if (!stored) {
      inFlight.delete(position);
      return progress.settle(position);
    }
    let open = true;
    const once = (finish: () => Promise<void>) => async () => {
      if (!open) return;
      open = false;
      const expired = !inFlight.has(position);
      inFlight.get(position)?.();
      inFlight.delete(position);
      // A late answer to a delivery that timed out still counts when it settles the message.
      if (expired && settled(position)) return;
      await finish();
      wake();
    };
    const settle = once(() => progress.settle(position));
    inFlight.set(
      position,
      clock.at(new Date(clock.now().getTime() + ackWait), () => {
        if (stopped || !inFlight.delete(position)) return;
        log.warn("message was not acknowledged in time", { durable: options.durable, id: stored.id, deliveries });
        void clock.track(putBack(position, deliveries, 0));
      }),
    );
    try {
      await handler({
        ...stored,
        deliveries,
        ack: settle,
        term: async (reason) => {
          log.warn("message was given up", { durable: options.durable, id: stored.id, reason });
          await settle();
        },
        nak: (delay = redeliveryDelay(deliveries)) => once(() => putBack(position, deliveries, delay))(),
      });
    } catch (error) {
      if (stopped && !open) return;
      log.warn("message handler failed", {
        durable: options.durable,
        id: stored.id,
        deliveries,
        error: messageOf(error),
      });
      await once(() => putBack(position, deliveries, redeliveryDelay(deliveries)))();
    }
  };

  const start = (position: Position, deliveries: number) => {
    inFlight.set(position, () => {});
    const work = clock
      .track(deliver(position, deliveries))
      .catch((error: unknown) => {
        inFlight.delete(position);
        log.error("message could not be delivered", { durable: options.durable, position, error: messageOf(error) });
      })
      .finally(() => running.delete(work));
    running.add(work);
  };

  const pump = () => {
    if (cursor < store.first() - 1) {
      log.warn("messages were dropped by retention before delivery", { durable: options.durable, after: cursor });
      cursor = store.first() - 1;
      progress.floor = Math.max(progress.floor, cursor);
    }
    const now = clock.now().getTime();
    let soonest = Number.POSITIVE_INFINITY;
    for (const [position, { deliveries, due }] of progress.waiting) {
      if (inFlight.has(position)) continue;
      if (due > now) soonest = Math.min(soonest, due);
      else if (inFlight.size < maxInFlight) start(position, deliveries + 1);
      // The rest is due already; it goes as soon as a place is free.
    }
    while (inFlight.size < maxInFlight && cursor < store.last()) {
      cursor++;
      if (settled(cursor) || progress.waiting.has(cursor) || inFlight.has(cursor)) continue;
      const entry = store.at(cursor);
      if (entry && matches(entry.subject)) start(cursor, 1);
      else skip(cursor);
    }
    cancelAlarm();
    cancelAlarm = Number.isFinite(soonest) ? clock.at(new Date(soonest), wake) : () => {};
  };

  /** Messages of other subjects are settled without a line in the ledger: the next start skips them again. */
  const skip = (position: Position) => {
    if (position === progress.floor + 1) progress.floor = position;
    else progress.above.add(position);
  };

  function wake(): void {
    if (stopped || pumping) return;
    pumping = true;
    queueMicrotask(() => {
      pumping = false;
      if (!stopped) pump();
    });
  }

  return {
    wake,
    async stop() {
      stopped = true;
      cancelAlarm();
      for (const disarm of inFlight.values()) disarm();
      await Promise.all(running);
      for (const disarm of inFlight.values()) disarm();
    },
  };
}
