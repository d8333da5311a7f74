import { CHANGE_ANNOTATION, TRACEPARENT_ANNOTATION } from "@tiphys/identity";
import { type LabelSelector, matchesSelector } from "@tiphys/kube";
import { type Condition, controllerOf, controllerRef, type KubeObject, type ResourceType } from "@tiphys/resources";
import type { Write } from "./writes.js";

/** A time as Kubernetes writes it: whole seconds. */
export const timeText = (date: Date): string => date.toISOString().replace(/\.\d+Z$/, "Z");

export const conditionOf = (object: KubeObject, type: string): Condition | undefined =>
  (object.status?.conditions as Condition[] | undefined)?.find((condition) => condition.type === type);

export const isTrue = (object: KubeObject, type: string): boolean => conditionOf(object, type)?.status === "True";

export const isPodFinished = (pod: KubeObject): boolean =>
  pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";

/** Counts as a replica: neither finished nor being deleted. */
export const isPodActive = (pod: KubeObject): boolean => !isPodFinished(pod) && !pod.metadata.deletionTimestamp;

export const isPodReady = (pod: KubeObject): boolean => isTrue(pod, "Ready");

/** When a ready pod has been ready for `minReadySeconds`; undefined while it is not ready. */
export function availableAt(pod: KubeObject, minReadySeconds: number): Date | undefined {
  const ready = conditionOf(pod, "Ready");
  if (ready?.status !== "True") return undefined;
  const since = Date.parse(ready.lastTransitionTime ?? "") || 0;
  return new Date(since + minReadySeconds * 1000);
}

/** The annotations of `object` that say which change it belongs to. */
export function changeAnnotationsOf(object: KubeObject): Record<string, string> {
  const carried: Record<string, string> = {};
  for (const name of [CHANGE_ANNOTATION, TRACEPARENT_ANNOTATION]) {
    const value = object.metadata.annotations?.[name];
    if (value) carried[name] = value;
  }
  return carried;
}

/** Members that are zero are not written, as the original leaves them out. */
export function withoutZeros<T extends Record<string, unknown>>(status: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(status).filter(([, value]) => value !== 0 && value !== undefined),
  ) as Partial<T>;
}

/** `conditions` with `next` in the place of its type; an equal one (status and reason) stays as it was. */
export function withCondition(conditions: readonly Condition[], next: Condition): Condition[] {
  const current = conditions.find((condition) => condition.type === next.type);
  if (current && current.status === next.status && current.reason === next.reason) return [...conditions];
  const kept =
    current?.status === next.status && current.lastTransitionTime
      ? { ...next, lastTransitionTime: current.lastTransitionTime }
      : next;
  return [...conditions.filter((condition) => condition.type !== next.type), kept];
}

/** Who belongs to `owner`: its own that still match, orphans to adopt, own ones that no longer match. */
export interface Claim {
  readonly mine: readonly KubeObject[];
  readonly adopt: readonly KubeObject[];
  readonly release: readonly KubeObject[];
}

export function claim(
  owner: KubeObject,
  selector: LabelSelector | undefined,
  owned: readonly KubeObject[],
  orphans: readonly KubeObject[],
): Claim {
  const managed = owned.filter((object) => controllerOf(object)?.uid === owner.metadata.uid);
  const matches = (object: KubeObject) => matchesSelector(selector, object.metadata.labels);
  const dying = owner.metadata.deletionTimestamp !== undefined;
  return {
    mine: managed.filter(matches),
    adopt: dying ? [] : orphans.filter((object) => !object.metadata.deletionTimestamp && matches(object)),
    release: dying ? [] : managed.filter((object) => !matches(object)),
  };
}

/** The writes that carry out a claim; `finalizer` comes and goes with the ownership. */
export function claimWrites(
  owner: KubeObject,
  type: ResourceType,
  { adopt, release }: Claim,
  finalizer?: string,
): Write[] {
  const write = (object: KubeObject, ownerReferences: unknown[], finalizers: string[]): Write => ({
    do: "patch",
    type,
    object,
    body: {
      metadata: {
        ownerReferences: ownerReferences.length > 0 ? ownerReferences : null,
        ...(finalizer ? { finalizers: finalizers.length > 0 ? finalizers : null } : {}),
      },
    },
  });
  const others = ({ metadata }: KubeObject) => (metadata.finalizers ?? []).filter((name) => name !== finalizer);
  return [
    ...adopt.map((object) =>
      write(
        object,
        [...(object.metadata.ownerReferences ?? []), controllerRef(owner)],
        [...others(object), finalizer ?? ""],
      ),
    ),
    ...release.map((object) =>
      write(
        object,
        (object.metadata.ownerReferences ?? []).filter((reference) => reference.uid !== owner.metadata.uid),
        others(object),
      ),
    ),
  ];
}

/** Index of objects that nobody manages, by namespace: who may be adopted. */
export const orphanIndex = {
  orphans: (object: KubeObject): readonly string[] => (controllerOf(object) ? [] : [object.metadata.namespace ?? ""]),
};

export const byCreation = (a: KubeObject, b: KubeObject): number =>
  (a.metadata.creationTimestamp ?? "").localeCompare(b.metadata.creationTimestamp ?? "") ||
  a.metadata.name.localeCompare(b.metadata.name);

export const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
