import { parseQuantity } from "@tiphys/kube-schema";
import type { ContainerFact } from "./facts.js";

/** Amount of a resource that counts as one, in billionths: one CPU, 100 MiB of memory, 10 GiB of storage. */
const UNIT: Readonly<Record<string, number>> = {
  memory: 100 * 2 ** 20 * 1e9,
  storage: 10 * 2 ** 30 * 1e9,
  "ephemeral-storage": 10 * 2 ** 30 * 1e9,
};
const ONE = 1e9;
/** What a container counts for that asks for nothing. */
const USUAL: Readonly<Record<string, string>> = { cpu: "100m", memory: "100Mi" };

/** Seconds by resource: what was asked for, times how long it was held, in units of {@link UNIT}. Rounded down. */
export type ResourcesDuration = Readonly<Record<string, number>>;

/** What a pod's containers that have ended took. */
export function resourcesDuration(containers: readonly ContainerFact[]): ResourcesDuration | undefined {
  let total: ResourcesDuration | undefined;
  for (const { terminated, resources } of containers) {
    const seconds = (Date.parse(terminated?.finishedAt ?? "") - Date.parse(terminated?.startedAt ?? "")) / 1000;
    if (!(seconds >= 0)) continue;
    const own: Record<string, number> = {};
    for (const [name, amount] of Object.entries({ ...USUAL, ...resources })) {
      const nanos = Number(parseQuantity(amount)?.nanos ?? 0n);
      own[name] = Math.floor((seconds * nanos) / (UNIT[name] ?? ONE));
    }
    total = sumDurations(total, own);
  }
  return total;
}

export function sumDurations(a: ResourcesDuration | undefined, b: ResourcesDuration): ResourcesDuration {
  const sum: Record<string, number> = { ...a };
  for (const [name, seconds] of Object.entries(b)) sum[name] = (sum[name] ?? 0) + seconds;
  return sum;
}
