import { timeText } from "@tiphys/analysis";
import type { Condition } from "@tiphys/resources";

export const conditionOf = (conditions: readonly Condition[] | undefined, type: string): Condition | undefined =>
  conditions?.find((condition) => condition.type === type);

/**
 * The conditions with one of them set. Times change only when something else does; `touch` renews lastUpdateTime, which
 * is what the progress deadline counts from.
 */
export function withCondition(
  conditions: readonly Condition[] | undefined,
  wanted: { type: string; status: Condition["status"]; reason: string; message: string },
  now: Date,
  touch = false,
): Condition[] {
  const list = conditions ?? [];
  const old = conditionOf(list, wanted.type);
  const same =
    old && old.status === wanted.status && old.reason === wanted.reason && old.message === wanted.message && !touch;
  if (same) return [...list];
  const next: Condition = {
    ...wanted,
    lastTransitionTime:
      old?.status === wanted.status && old.lastTransitionTime ? old.lastTransitionTime : timeText(now),
    lastUpdateTime: timeText(now),
  };
  return old ? list.map((condition) => (condition === old ? next : condition)) : [...list, next];
}
