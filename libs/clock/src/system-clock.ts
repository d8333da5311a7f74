import type { Clock } from "./clock.js";

/** setTimeout's largest delay; longer waits are made of several. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The machine's own time. */
export function systemClock(): Clock {
  return {
    now: () => new Date(),
    monotonic: () => performance.now(),
    at(at, run) {
      let timer: NodeJS.Timeout;
      const arm = () => {
        const left = at.getTime() - Date.now();
        timer = left > LONGEST_TIMER_MS ? setTimeout(arm, LONGEST_TIMER_MS) : setTimeout(run, Math.max(0, left));
      };
      arm();
      return () => clearTimeout(timer);
    },
    track: (work) => work,
  };
}
