import type { Condition, KubeObject } from "@tiphys/resources";
import type { Taint } from "../scheduler/selectors.js";
import { timeText } from "../shared.js";

const NOT_READY = "node.kubernetes.io/not-ready";
const UNREACHABLE = "node.kubernetes.io/unreachable";

/** Condition → status → taint that says the same. */
const byCondition: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Ready: { False: NOT_READY, Unknown: UNREACHABLE },
  MemoryPressure: { True: "node.kubernetes.io/memory-pressure" },
  DiskPressure: { True: "node.kubernetes.io/disk-pressure" },
  NetworkUnavailable: { True: "node.kubernetes.io/network-unavailable" },
  PIDPressure: { True: "node.kubernetes.io/pid-pressure" },
};
const UNSCHEDULABLE = "node.kubernetes.io/unschedulable";
const kept = new Set([UNSCHEDULABLE, ...Object.values(byCondition).flatMap((statuses) => Object.values(statuses))]);
const evicting = new Set([NOT_READY, UNREACHABLE]);

const isOurs = ({ key, effect }: Taint): boolean =>
  (effect === "NoSchedule" && kept.has(key)) || (effect === "NoExecute" && evicting.has(key));

/** The taints that `node` is to have under `conditions`; undefined when it has just these. */
export function wantedTaints(node: KubeObject, conditions: readonly Condition[], now: Date): Taint[] | undefined {
  const current = (node.spec?.taints ?? []) as readonly Taint[];
  const wanted: { key: string; effect: string }[] = [];
  for (const { type, status } of conditions) {
    const key = byCondition[type]?.[status];
    if (key === undefined) continue;
    wanted.push({ key, effect: "NoSchedule" });
    if (evicting.has(key)) wanted.push({ key, effect: "NoExecute" });
  }
  if (node.spec?.unschedulable) wanted.push({ key: UNSCHEDULABLE, effect: "NoSchedule" });
  const same = (a: { key: string; effect: string }, b: { key: string; effect: string }) =>
    a.key === b.key && a.effect === b.effect;
  const stays = current.filter((taint) => !isOurs(taint) || wanted.some((other) => same(taint, other)));
  const added = wanted.filter((taint) => !current.some((other) => same(taint, other)));
  if (added.length === 0 && stays.length === current.length) return undefined;
  return [...stays, ...added.map((taint) => ({ ...taint, timeAdded: timeText(now) }))];
}
