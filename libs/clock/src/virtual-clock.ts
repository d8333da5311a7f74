import type { Clock } from "./clock.js";

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** A clock that moves only when told, and only while nothing that it tracks is running. */
export interface VirtualClock extends Clock {
  /** Resolves once nothing tracked is running and no microtask or I/O callback started more of it. */
  quiet(): Promise<void>;
  /** Runs every timer due within `milliseconds`, in order, waiting for quiescence before and after each. */
  advance(milliseconds: number): Promise<void>;
  /** Jumps from timer to timer until `done` is true; throws when `limit` milliseconds of virtual time pass without it. */
  runUntil(done: () => boolean, limit: number): Promise<void>;
  /** Timers that are armed now. */
  pending(): number;
}

/** Turns of the event loop without tracked work that count as quiet: in-memory watches deliver within one. */
const QUIET_TURNS = 3;

export function virtualClock(start: Date): VirtualClock {
  let time = start.getTime();
  let order = 0;
  let running = 0;
  const timers = new Set<Timer>();

  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
  const quiet = async () => {
    for (let calm = 0; calm < QUIET_TURNS; ) {
      await turn();
      calm = running === 0 ? calm + 1 : 0;
    }
  };
  const nextTimer = (): Timer | undefined => {
    let next: Timer | undefined;
    for (const timer of timers) {
      if (!next || timer.at < next.at || (timer.at === next.at && timer.order < next.order)) next = timer;
    }
    return next;
  };
  const fire = async (timer: Timer) => {
    timers.delete(timer);
    time = Math.max(time, timer.at);
    timer.run();
    await quiet();
  };

  return {
    now: () => new Date(time),
    monotonic: () => time,
    at(at, run) {
      const timer: Timer = { at: at.getTime(), order: order++, run };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    async track(work) {
      running++;
      try {
        return await work;
      } finally {
        running--;
      }
    },
    quiet,
    async advance(milliseconds) {
      const end = time + milliseconds;
      await quiet();
      for (let next = nextTimer(); next && next.at <= end; next = nextTimer()) await fire(next);
      time = end;
      await quiet();
    },
    async runUntil(done, limit) {
      const end = time + limit;
      await quiet();
      while (!done()) {
        const next = nextTimer();
        if (!next) throw new Error("virtual time stands still: nothing is scheduled and the goal is not reached");
        if (next.at > end) throw new Error(`the goal is not reached within ${limit} ms of virtual time`);
        await fire(next);
      }
    },
    pending: () => timers.size,
  };
}
