import type { Condition } from "@tiphys/resources";

export type Wanted = Pick<Condition, "type" | "status" | "reason" | "message">;

/** The conditions to write: a time changes only with its status. Ready is true when all others are. */
export function conditionsOf(
  before: readonly Condition[] | undefined,
  wanted: readonly Wanted[],
  now: Date,
): Condition[] {
  const bad = wanted.find(({ status }) => status !== "True");
  const ready: Wanted = bad
    ? { type: "Ready", status: "False", reason: bad.reason, message: bad.message }
    : { type: "Ready", status: "True", reason: "Running" };
  return [...wanted, ready].map(({ type, status, reason, message }) => {
    const old = before?.find((condition) => condition.type === type);
    const lastTransitionTime =
      old?.status === status && old.lastTransitionTime ? old.lastTransitionTime : `${now.toISOString().slice(0, 19)}Z`;
    return { type, status, ...(reason ? { reason } : {}), ...(message ? { message } : {}), lastTransitionTime };
  });
}

export const good = (type: string, reason: string, message?: string): Wanted => ({
  type,
  status: "True",
  reason,
  ...(message ? { message } : {}),
});

/** One sentence for all problems, sorted, so that it stays the same while they do. */
export const bad = (type: string, reason: string, problems: readonly string[]): Wanted => ({
  type,
  status: "False",
  reason,
  message: [...new Set(problems)].sort().join("; "),
});

/** Names fields that are accepted and have no effect; undefined when there are none. */
export const unusedMessage = (unused: readonly string[]): string | undefined =>
  unused.length === 0
    ? undefined
    : `without effect here, as everything runs inside the gateway: ${[...unused].sort().join(", ")}`;
