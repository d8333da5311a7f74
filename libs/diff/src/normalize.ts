import { clone } from "@tiphys/canonical-json";
import { CHANGE_ANNOTATION, TRACEPARENT_ANNOTATION } from "@tiphys/identity";
import type { KubeObject } from "@tiphys/resources";

const SERVER_METADATA = [
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "generation",
  "managedFields",
  "resourceVersion",
  "selfLink",
  "uid",
] as const;

/** Annotations that say what a sync did, not what was wanted. */
export const BOOKKEEPING_ANNOTATIONS: ReadonlySet<string> = new Set([CHANGE_ANNOTATION, TRACEPARENT_ANNOTATION]);

/**
 * A manifest as it is compared and applied: without status and what the server alone writes, a Secret's `stringData`
 * folded into `data`.
 */
export function normalizeDesired(object: KubeObject): KubeObject {
  const copy = clone(object);
  delete copy["status"];
  const metadata = copy.metadata as unknown as Record<string, unknown>;
  for (const field of SERVER_METADATA) delete metadata[field];
  if (copy.apiVersion === "v1" && copy.kind === "Secret") {
    const given: Record<string, unknown> = copy["stringData"] ?? {};
    const data: Record<string, unknown> = { ...(copy["data"] ?? {}) };
    // Base64 from files has line breaks that the server drops.
    for (const [key, value] of Object.entries(data)) {
      if (typeof value === "string") data[key] = value.replace(/\s/g, "");
    }
    for (const [key, value] of Object.entries(given)) {
      data[key] = typeof value === "string" ? Buffer.from(value, "utf8").toString("base64") : value;
    }
    delete copy["stringData"];
    if (Object.keys(data).length > 0) copy["data"] = data;
  }
  if (isOwnGroup(copy.apiVersion)) dropNulls(copy);
  // The server fills these rules from other roles.
  if (copy.kind === "ClusterRole" && copy["aggregationRule"]) delete copy["rules"];
  return copy;
}

/** True for Kubernetes' own groups, whose kinds have no field that may be null. */
const isOwnGroup = (apiVersion: string): boolean => {
  const [group = ""] = apiVersion.includes("/") ? apiVersion.split("/") : [];
  return !group.includes(".") || group.endsWith(".k8s.io");
};

/**
 * A member that says null says nothing, as for a client-side apply, which leaves it out. Applied by the server it would be owned,
 * and what the server makes of it (an empty text, a default) would look like something that is wanted no more.
 */
function dropNulls(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  if (Array.isArray(value)) {
    value.forEach(dropNulls);
    return;
  }
  const members = value as Record<string, unknown>;
  for (const [key, member] of Object.entries(members)) {
    if (member === null) delete members[key];
    else dropNulls(member);
  }
}

const PLUS = "+";

/** Both sides of a Secret without their values: equal values get equal masks, different ones masks of different length. */
export function maskSecrets(
  desired: KubeObject | undefined,
  live: KubeObject | undefined,
): { desired: KubeObject | undefined; live: KubeObject | undefined } {
  const isSecret = (object: KubeObject | undefined) => object?.kind === "Secret" && object.apiVersion === "v1";
  if (!isSecret(desired) && !isSecret(live)) return { desired, live };
  const masks = new Map<string, string>();
  const mask = (key: string, value: unknown) => {
    const id = `${key}\u0000${String(value)}`;
    let text = masks.get(id);
    if (text === undefined) {
      const others = [...masks.keys()].filter((each) => each.startsWith(`${key}\u0000`)).length;
      text = PLUS.repeat(8 + others);
      masks.set(id, text);
    }
    return text;
  };
  const masked = (object: KubeObject | undefined): KubeObject | undefined => {
    if (!object) return undefined;
    const copy = clone(object);
    for (const field of ["data", "stringData"]) {
      const values: Record<string, unknown> | undefined = copy[field];
      if (values)
        copy[field] = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, mask(key, value)]));
    }
    const annotations = copy.metadata.annotations;
    const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";
    if (annotations?.[lastApplied]) annotations[lastApplied] = mask(lastApplied, annotations[lastApplied]);
    delete copy.metadata.managedFields;
    return copy;
  };
  return { desired: masked(desired), live: masked(live) };
}
