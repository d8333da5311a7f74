import type { Condition, KubeObject } from "@tiphys/resources";

const FIRST_MS = 10_000;
const LONGEST_MS = 600_000;

interface ContainerStatus {
  readonly name: string;
  readonly state?: { readonly terminated?: { readonly finishedAt?: string } };
}

/** When a pod ended: with the last of its containers, else when it stopped being ready, was deleted, was created. */
export function endedAt(pod: KubeObject): number {
  const sidecars = new Set(
    ((pod.spec?.initContainers ?? []) as { name: string; restartPolicy?: string }[])
      .filter(({ restartPolicy }) => restartPolicy === "Always")
      .map(({ name }) => name),
  );
  const statuses = [
    ...((pod.status?.containerStatuses ?? []) as ContainerStatus[]),
    ...((pod.status?.initContainerStatuses ?? []) as ContainerStatus[]).filter(({ name }) => sidecars.has(name)),
  ];
  const ends = statuses.map(({ state }) => state?.terminated?.finishedAt);
  if (ends.length > 0 && ends.every((end) => end !== undefined)) {
    return Math.max(...ends.map((end) => Date.parse(end as string)));
  }
  const ready = ((pod.status?.conditions ?? []) as Condition[]).find(({ type }) => type === "Ready");
  if (ready?.status === "False" && ready.lastTransitionTime) return Date.parse(ready.lastTransitionTime);
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, creationTimestamp } = pod.metadata;
  if (deletionTimestamp) return Date.parse(deletionTimestamp) - deletionGracePeriodSeconds * 1000;
  return Date.parse(creationTimestamp ?? "") || 0;
}

/** When the next pod may start after `failures` in a row, the last one at `last`: 10 s, doubled for each, at most 10 min. */
export function retryAfter(failures: number, last: number): Date | undefined {
  return failures === 0 ? undefined : new Date(last + Math.min(LONGEST_MS, FIRST_MS * 2 ** (failures - 1)));
}

/** The same for a job's pods: failures count from the last success on. */
export function retryAt(succeeded: readonly KubeObject[], failed: readonly KubeObject[]): Date | undefined {
  const lastSuccess = Math.max(0, ...succeeded.map(endedAt));
  const failures = failed.map(endedAt).filter((time) => time > lastSuccess);
  return retryAfter(failures.length, Math.max(0, ...failures));
}
