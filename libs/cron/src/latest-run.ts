import type { Schedule } from "./schedule.js";

export interface LatestRun {
  /** The last time that is due; absent when none is. */
  readonly at?: Date;
  /** More than a hundred times were missed, by estimate. */
  readonly many: boolean;
  /** At least one time has passed. */
  readonly missed: boolean;
}

const MANY = 100;

/**
 * The last scheduled time after `after` and not after `now`. How many there were is estimated from the first two, so that a
 * long absence costs little.
 */
export function latestRun(schedule: Schedule, { after, now }: { readonly after: Date; readonly now: Date }): LatestRun {
  const first = schedule.next(after);
  const second = first && schedule.next(first);
  if (!first || first > now) return { many: false, missed: false };
  if (!second || second > now) return { at: first, many: false, missed: false };
  const between = Math.round((second.getTime() - first.getTime()) / 1000);
  const count = Math.floor(Math.floor((now.getTime() - first.getTime()) / 1000) / between) + 1;
  let at: Date | undefined;
  const start = new Date(first.getTime() + (count - 2) * between * 1000);
  for (let time = schedule.next(start); time && time <= now; time = schedule.next(time)) at = time;
  return { ...(at ? { at } : {}), many: count > MANY, missed: true };
}
