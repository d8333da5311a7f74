// biome-ignore-all lint/suspicious/noExplicitAny: objects were decoded against their schemas and defaulted before
import { deepEqual } from "@tiphys/canonical-json";
import type { KubeObject } from "@tiphys/resources";
import { type FieldError, forbidden, invalid } from "../../field-error.js";
import { imageSpace } from "./container.js";
import { onlyPods, validateSpec } from "./index.js";
import { Found, inRange } from "./parts.js";
import { validateTolerations } from "./scheduling.js";

const mutable =
  "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/** A pod's spec is fixed but for images, a deadline, more tolerations and fewer gates. */
export function validatePodUpdate(pod: KubeObject, old: KubeObject): FieldError[] {
  const found = new Found();
  const was = old["spec"];
  const is = pod["spec"];
  validateSpec(is, "spec", pod.metadata, true, found);
  onlyPods(is, found);
  for (const field of ["containers", "initContainers"]) {
    if ((is[field]?.length ?? 0) === (was[field]?.length ?? 0)) continue;
    found.add(forbidden(`spec.${field}`, "pod updates may not add or remove containers"));
    return found.errors;
  }
  // Looked at a second time by the original, and so told twice.
  for (const field of ["containers", "initContainers"]) {
    for (const [at, container] of (is[field] ?? []).entries()) imageSpace(container, `spec.${field}[${at}]`, found);
  }
  if (!deadline(is.activeDeadlineSeconds, was.activeDeadlineSeconds, found)) return found.errors;
  tolerations(is.tolerations ?? [], was.tolerations ?? [], found);
  gates(is.schedulingGates ?? [], was.schedulingGates ?? [], found);
  if (deepEqual(was, is)) return found.errors;
  const munged = { ...is };
  for (const field of ["containers", "initContainers"]) {
    if (is[field]) munged[field] = is[field].map((one: any, at: number) => withImage(one, was[field][at]?.image));
  }
  keep(munged, was, "activeDeadlineSeconds");
  keep(munged, was, "schedulingGates");
  keep(munged, was, "tolerations");
  if (was.terminationGracePeriodSeconds < 0 && is.terminationGracePeriodSeconds === 1) {
    keep(munged, was, "terminationGracePeriodSeconds");
  }
  if (was.schedulingGates?.length) gated(munged, was, found);
  if (!deepEqual(munged, was)) found.add(forbidden("spec", mutable));
  return found.errors;
}

function withImage(container: any, image: string | undefined): any {
  const { image: _, ...rest } = container;
  return image === undefined ? rest : { ...rest, image };
}

function keep(spec: any, old: any, field: string): void {
  if (old[field] === undefined) delete spec[field];
  else spec[field] = old[field];
}

function deadline(is: number | undefined, was: number | undefined, found: Found): boolean {
  const path = "spec.activeDeadlineSeconds";
  if (is === undefined) {
    if (was !== undefined) found.add(invalid(path, null, "must not update from a positive integer to nil value"));
    return true;
  }
  if (is < 0 || is > 2147483647) found.add(invalid(path, is, inRange(0, 2147483647)));
  else if (was !== undefined && was < is) found.add(invalid(path, is, "must be less than or equal to previous value"));
  else return true;
  return false;
}

function tolerations(is: any[], was: any[], found: Found): void {
  const lasting = ({ tolerationSeconds: _, ...rest }: any) => rest;
  if (!was.every((old) => is.some((one) => deepEqual(lasting(one), lasting(old))))) {
    const problem = "existing toleration can not be modified except its tolerationSeconds";
    found.add(forbidden("spec.tolerations", problem));
    return;
  }
  validateTolerations(is, "spec.tolerations", found);
}

function gates(is: any[], was: any[], found: Found): void {
  for (const [at, { name }] of is.entries()) {
    if (was.some((old) => old.name === name)) continue;
    const problem = `only deletion is allowed, but found new scheduling gate '${name}'`;
    found.add(forbidden(`spec.schedulingGates[${at}].name`, problem));
  }
}

/** While gates hold a pod, where it may go can be narrowed. */
function gated(munged: any, was: any, found: Found): void {
  if (!deepEqual(munged.nodeSelector ?? {}, was.nodeSelector ?? {})) {
    for (const [key, value] of Object.entries(was.nodeSelector ?? {})) {
      if (munged.nodeSelector?.[key] === value) continue;
      const problem = "only additions are allowed (no mutations or deletions)";
      found.add(invalid("spec.nodeSelector", munged.nodeSelector ?? null, problem));
      break;
    }
    keep(munged, was, "nodeSelector");
  }
  const node = (spec: any) => spec.affinity?.nodeAffinity;
  if (deepEqual(node(munged) ?? null, node(was) ?? null)) return;
  const { nodeAffinity: _, ...rest } = munged.affinity ?? {};
  const affinity = node(was) === undefined ? rest : { ...rest, nodeAffinity: node(was) };
  if (Object.keys(affinity).length === 0 && was.affinity === undefined) delete munged.affinity;
  else munged.affinity = affinity;
}
