import type { KubeObject } from "@tiphys/resources";

const FIRST_MS = 10_000;
const LONGEST_MS = 600_000;

/** When a pod ended: the last of its containers, or its own last condition. */
function endedAt(pod: KubeObject): number {
  type Status = { state?: { terminated?: { finishedAt?: string } } };
  const times = [
    ...((pod.status?.containerStatuses ?? []) as Status[]).map((status) => status.state?.terminated?.finishedAt),
    ...((pod.status?.conditions ?? []) as { lastTransitionTime?: string }[]).map((item) => item.lastTransitionTime),
    pod.metadata.creationTimestamp,
  ];
  for (const time of times) if (time) return Date.parse(time);
  return 0;
}

/** When the next pod may start: 10 s after a failure, doubled for each one in a row since the last success. */
export function retryAt(pods: readonly KubeObject[]): Date | undefined {
  const ended = (phase: string) => pods.filter((pod) => pod.status?.phase === phase).map(endedAt);
  const lastSuccess = Math.max(0, ...ended("Succeeded"));
  const failures = ended("Failed").filter((time) => time > lastSuccess);
  if (failures.length === 0) return undefined;
  return new Date(Math.max(...failures) + Math.min(LONGEST_MS, FIRST_MS * 2 ** (failures.length - 1)));
}
