import type { SyncRetryStrategy } from "@tiphys/resources";

/** Milliseconds of a Go duration such as `1m30s`; undefined when it is none. A bare number is seconds, as Argo CD reads it. */
export function parseDuration(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  let total = 0;
  let rest = text;
  if (rest === "") return undefined;
  while (rest !== "") {
    const found = /^(\d+(?:\.\d+)?)(ms|s|m|h)/.exec(rest);
    if (!found) return undefined;
    total += Number(found[1]) * (units[found[2] ?? ""] ?? 0);
    rest = rest.slice(found[0].length);
  }
  return total;
}

/** Automated syncs are tried this often when the application says nothing. */
export const DEFAULT_RETRY: SyncRetryStrategy = { limit: 5 };

/** Milliseconds before attempt number `retries` + 1; undefined when there is none left. */
export function retryDelay(strategy: SyncRetryStrategy | undefined, retries: number): number | undefined {
  const limit = strategy?.limit ?? 0;
  if (limit >= 0 && retries >= limit) return undefined;
  const first = parseDuration(strategy?.backoff?.duration ?? "") ?? 5_000;
  const longest = parseDuration(strategy?.backoff?.maxDuration ?? "") ?? 180_000;
  const factor = strategy?.backoff?.factor ?? 2;
  return Math.min(longest, first * factor ** Math.min(retries, 60));
}

/** Milliseconds between the end of the last operation and the next self-heal; the first one is immediate. */
export function selfHealDelay(attempts: number): number {
  return attempts === 0 ? 0 : Math.min(300_000, 2_000 * 3 ** Math.min(attempts - 1, 10));
}

/** After this time without an operation the count of self-heal attempts begins anew. */
export const SELF_HEAL_COOLDOWN = 330_000;
