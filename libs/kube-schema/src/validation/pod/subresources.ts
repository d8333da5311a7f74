// biome-ignore-all lint/suspicious/noExplicitAny: objects were decoded against their schemas and defaulted before
import { deepEqual } from "@tiphys/canonical-json";
import { compareQuantities, parseQuantity } from "@tiphys/kube-values";
import type { KubeObject } from "@tiphys/resources";
import { type FieldError, forbidden, invalid } from "../../field-error.js";
import { onlyPods, validateSpec } from "./index.js";
import { Found } from "./parts.js";

const MIRROR = "kubernetes.io/config.mirror";
const RESIZED = ["cpu", "memory"];

/** A change through `pods/resize`: processor and memory of containers that stay what they are. */
export function validatePodResize(pod: KubeObject, old: KubeObject): FieldError[] {
  const found = new Found();
  const is = pod["spec"];
  const was = old["spec"];
  validateSpec(is, "spec", pod.metadata, true, found);
  onlyPods(is, found);
  if (old.metadata.annotations?.[MIRROR] !== undefined) return [forbidden("", "static pods cannot be resized")];
  if (was.os?.name === "windows") return [forbidden("", "windows pods cannot be resized")];
  const before = old["status"]?.qosClass || qosClass(old);
  if (before !== qosClass(pod)) {
    found.add(invalid("spec", pod["status"]?.qosClass, "Pod QOS Class may not change as a result of resizing"));
  }
  const running = (old["status"]?.containerStatuses ?? []).find(({ state }: any) => state?.running);
  if (running && running.resources === undefined) {
    found.add(forbidden("spec", "Pod running on node without support for resize"));
  }
  podLevel(is, was, found);
  if (!sameOrder(is, was, found)) return found.errors;
  for (const field of ["initContainers", "containers"]) {
    for (const [at, container] of (was[field] ?? []).entries()) {
      const path = `spec.${field}[${at}].resources`;
      const [next, last] = [is[field][at].resources ?? {}, container.resources ?? {}];
      if (isRemoved(next.requests, last.requests))
        found.add(forbidden(`${path}.requests`, "resource requests cannot be removed"));
      if (isRemoved(next.limits, last.limits))
        found.add(forbidden(`${path}.limits`, "resource limits cannot be removed"));
    }
  }
  for (const [at, container] of (was.containers ?? []).entries()) {
    if (!sameButSize(is.containers[at], container))
      found.add(forbidden("spec", "only cpu and memory resources are mutable"));
  }
  for (const [at, container] of (was.initContainers ?? []).entries()) {
    const path = `spec.initContainers[${at}]`;
    const next = is.initContainers[at];
    if (!sameButSize(next, container)) {
      found.add(forbidden(path, "only cpu and memory resources for init or sidecar containers are mutable"));
    }
    const restarting = (next.resizePolicy ?? []).filter(
      ({ restartPolicy }: any) => restartPolicy === "RestartContainer",
    );
    if (next.restartPolicy === "Always" || deepEqual(next, container)) continue;
    for (const _ of restarting) {
      const problem = "non-sidecar init containers with a resize policy of RestartContainer cannot be resized";
      found.add(forbidden(path, problem));
    }
  }
  return found.errors;
}

/** A change through `pods/ephemeralcontainers`: containers are added, and stay as they are from then on. */
export function validateEphemeralContainersUpdate(pod: KubeObject, old: KubeObject): FieldError[] {
  const found = new Found();
  validateSpec(pod["spec"], "spec", pod.metadata, true, found);
  onlyPods(pod["spec"], found);
  if (old.metadata.annotations?.[MIRROR] !== undefined) {
    return [forbidden("", "static pods do not support ephemeral containers")];
  }
  const now = new Map<string, object>((pod["spec"].ephemeralContainers ?? []).map((one: any) => [one.name, one]));
  for (const one of old["spec"].ephemeralContainers ?? []) {
    const next = now.get(one.name);
    const name = `existing ephemeral containers ${JSON.stringify(one.name)}`;
    if (!next) found.add(forbidden("spec.ephemeralContainers", `${name} may not be removed\n`));
    else if (!deepEqual(next, one)) found.add(forbidden("spec.ephemeralContainers", `${name} may not be changed\n`));
  }
  return found.errors;
}

function podLevel(is: any, was: any, found: Found): void {
  if (was.resources === undefined) return;
  if (is.resources === undefined) {
    found.add(forbidden("spec.resources", "pod-level resources cannot be removed"));
    return;
  }
  for (const [field, name] of [
    ["requests", "requests"],
    ["limits", "limits"],
  ] as const) {
    if (isRemoved(is.resources[field], was.resources[field])) {
      found.add(forbidden(`spec.resources.${field}`, `pod-level resource ${name} cannot be removed`));
    }
  }
  if (!sameButSize({ resources: is.resources }, { resources: was.resources })) {
    found.add(forbidden("spec", "only cpu and memory resources are mutable at pod-level"));
  }
}

/** Containers are neither added, removed, renamed nor moved. */
function sameOrder(is: any, was: any, found: Found): boolean {
  const before = found.errors.length;
  for (const field of ["containers", "initContainers"]) {
    const [next, last] = [is[field] ?? [], was[field] ?? []];
    if (next.length !== last.length) {
      found.add(forbidden(`spec.${field}`, `${field} may not be added or removed on resize`));
      continue;
    }
    for (const [at, { name }] of last.entries()) {
      if (next[at].name === name) continue;
      found.add(forbidden(`spec.${field}[${at}].name`, `${field} may not be renamed or reordered on resize`));
    }
  }
  return found.errors.length === before;
}

const isRemoved = (is: Readonly<Record<string, unknown>> = {}, was: Readonly<Record<string, unknown>> = {}): boolean =>
  Object.keys(was).some((name) => !(name in is));

/** True when nothing but the sizes that a resize is about has changed. */
function sameButSize(is: any, was: any): boolean {
  const fixed = (container: any) => {
    const { resources, ...rest } = container;
    const others = (list: any) =>
      Object.entries(list ?? {})
        .filter(([name]) => !RESIZED.includes(name))
        .sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      rest,
      limits: others(resources?.limits),
      requests: others(resources?.requests),
      claims: resources?.claims,
    };
  };
  const [next, last] = [fixed(is), fixed(was)];
  const same = (a: [string, unknown][], b: [string, unknown][]) =>
    a.length === b.length && a.every(([name, value], i) => name === b[i]![0] && sameQuantity(value, b[i]![1]));
  return (
    deepEqual(next.rest, last.rest) &&
    deepEqual(next.claims ?? null, last.claims ?? null) &&
    same(next.limits, last.limits) &&
    same(next.requests, last.requests)
  );
}

function sameQuantity(a: unknown, b: unknown): boolean {
  const [left, right] = [a, b].map((text) => parseQuantity(text as string));
  return left && right ? compareQuantities(left, right) === 0 : a === b;
}

/** How a node treats the pod when it is short: by what all of its containers ask for and may have. */
export function qosClass(pod: KubeObject): "Guaranteed" | "Burstable" | "BestEffort" {
  let any = false;
  let guaranteed = true;
  for (const { resources } of [...(pod["spec"]?.containers ?? []), ...(pod["spec"]?.initContainers ?? [])]) {
    for (const resource of RESIZED) {
      const request = resources?.requests?.[resource];
      const limit = resources?.limits?.[resource];
      if (request !== undefined || limit !== undefined) any = true;
      if (limit === undefined || (request !== undefined && !sameQuantity(request, limit))) guaranteed = false;
    }
  }
  return any ? (guaranteed ? "Guaranteed" : "Burstable") : "BestEffort";
}
