/**
 * Time as a port. Nothing but `main.ts` creates a system clock; everything else is given one.
 *
 * `track` is how the host knows that something is still running: virtual time advances only while nothing is tracked
 * (quiescence), so every pass and every adapter call that may change state runs inside `track`.
 */
export interface Clock {
  now(): Date;
  /** Milliseconds of a clock that never goes back; only differences mean something. */
  monotonic(): number;
  /** Calls `run` once at or after `at`; the returned function takes that back. */
  at(at: Date, run: () => void): () => void;
  /** Counts `work` as running until it settles. */
  track<T>(work: Promise<T>): Promise<T>;
}

/** Resolves after `milliseconds` of the clock's time; rejects with the signal's reason when that comes first. */
export function sleep(clock: Clock, milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.at(new Date(clock.now().getTime() + milliseconds), () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
