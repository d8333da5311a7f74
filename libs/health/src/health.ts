import { groupVersionOf, type HealthStatusCode, type KubeObject } from "@tiphys/resources";
import { argoChecks } from "./argo.js";
import { coreChecks } from "./core.js";

export interface Health {
  readonly status: HealthStatusCode;
  readonly message?: string;
}

/** Answers undefined where the object says nothing about its health. */
export type HealthCheck = (object: KubeObject) => Health | undefined;

const checks: Readonly<Record<string, HealthCheck>> = { ...coreChecks, ...argoChecks };

/** Worst last. */
const order: readonly HealthStatusCode[] = ["Healthy", "Suspended", "Progressing", "Missing", "Degraded", "Unknown"];

/** Health of one live object; undefined for kinds without a check. An object being deleted is progressing. */
export function healthOf(object: KubeObject): Health | undefined {
  if (object.metadata.deletionTimestamp && !hasHookFinalizer(object)) {
    return { status: "Progressing", message: "Pending deletion" };
  }
  const { group } = groupVersionOf(object.apiVersion);
  const check = checks[`${group}/${object.kind}`];
  if (!check) return undefined;
  try {
    return check(object);
  } catch (error) {
    // A status of an unexpected shape says nothing certain.
    return { status: "Unknown", message: error instanceof Error ? error.message : String(error) };
  }
}

const hasHookFinalizer = (object: KubeObject): boolean =>
  object.metadata.finalizers?.includes("argocd.argoproj.io/hook-finalizer") ?? false;

/** The worst of several; Healthy when there are none. */
export function worst(statuses: Iterable<HealthStatusCode>): HealthStatusCode {
  let found = 0;
  for (const status of statuses) found = Math.max(found, order.indexOf(status));
  return order[found] ?? "Healthy";
}
