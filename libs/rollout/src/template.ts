import { clone, goEscaped } from "@tiphys/canonical-json";
import { CHANGE_ANNOTATION, TRACEPARENT_ANNOTATION } from "@tiphys/identity";
import { parseQuantity } from "@tiphys/kube-values";
import { type CanaryStep, POD_TEMPLATE_HASH_LABEL, type PodTemplate } from "@tiphys/resources";

/** FNV-1a, 32 bits, over UTF-8. */
export function fnv1a(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

const SAFE_DIGITS = "456789bcdf";

/** A number's decimal digits in letters that spell no words, as Kubernetes names use them. */
export const safeText = (number: number): string =>
  [...String(number)].map((digit) => SAFE_DIGITS[Number(digit)]).join("");

const goJson = (value: unknown): string => goEscaped(JSON.stringify(value));

const utf8 = new TextEncoder();

/** Pod templates are compared without what the API server fills in, so old and new ReplicaSets compare equal. */
const podDefaults: Readonly<Record<string, unknown>> = {
  restartPolicy: "Always",
  terminationGracePeriodSeconds: 30,
  dnsPolicy: "ClusterFirst",
  schedulerName: "default-scheduler",
  enableServiceLinks: true,
};
const containerDefaults: Readonly<Record<string, unknown>> = {
  terminationMessagePath: "/dev/termination-log",
  terminationMessagePolicy: "File",
};
const probeDefaults: Readonly<Record<string, unknown>> = {
  timeoutSeconds: 1,
  periodSeconds: 10,
  successThreshold: 1,
  failureThreshold: 3,
};
const volumeModes = ["configMap", "secret", "projected", "downwardAPI"];
const DEFAULT_MODE = 0o644;
const ownAnnotations = [CHANGE_ANNOTATION, TRACEPARENT_ANNOTATION];

// biome-ignore lint/suspicious/noExplicitAny: pod specs are passed through as plain data
type Data = Record<string, any>;

const dropDefaults = (data: Data, defaults: Readonly<Record<string, unknown>>): void => {
  for (const [field, value] of Object.entries(defaults)) if (data[field] === value) delete data[field];
};

/** Removes empty objects, empty lists, nulls and empty texts, in depth: the API server may or may not keep them. */
function dropEmpty(value: unknown, parent?: string): unknown {
  if (Array.isArray(value)) return value.map((item) => dropEmpty(item) ?? {});
  if (value === null || typeof value !== "object") return value === "" ? undefined : (value ?? undefined);
  const kept: Data = {};
  for (const [key, member] of Object.entries(value)) {
    // An empty volume source, such as emptyDir: {}, says which kind it is.
    const inside = dropEmpty(member, key);
    if (inside === undefined || (Array.isArray(inside) && inside.length === 0)) continue;
    const hollow = typeof inside === "object" && !Array.isArray(inside) && Object.keys(inside as object).length === 0;
    if (hollow && parent !== "volume") continue;
    kept[key] = inside;
  }
  return kept;
}

/** "0.5", "500m" and 0.5 are one quantity. */
const quantity = (value: unknown): unknown => {
  const read = parseQuantity(String(value));
  return read ? String(read.nanos) : value;
};

function normalizeContainer(container: Data): void {
  dropDefaults(container, containerDefaults);
  const image = String(container["image"] ?? "");
  const latest = !image.includes("@") && (!/:[^/]+$/.test(image) || image.endsWith(":latest"));
  if (container["imagePullPolicy"] === (latest ? "Always" : "IfNotPresent")) delete container["imagePullPolicy"];
  for (const port of container["ports"] ?? []) {
    if (port.protocol === "TCP") delete port.protocol;
    if (port.hostPort === 0) delete port.hostPort;
  }
  for (const probe of ["livenessProbe", "readinessProbe", "startupProbe"]) {
    const given = container[probe];
    if (!given) continue;
    dropDefaults(given, probeDefaults);
    if (given.httpGet?.scheme === "HTTP") delete given.httpGet.scheme;
    if (given.httpGet?.path === "/") delete given.httpGet.path;
    if (given.initialDelaySeconds === 0) delete given.initialDelaySeconds;
  }
  for (const variable of container["env"] ?? []) {
    if (variable.valueFrom?.fieldRef?.apiVersion === "v1") delete variable.valueFrom.fieldRef.apiVersion;
  }
  const resources = container["resources"];
  if (!resources) return;
  for (const side of ["limits", "requests"]) {
    for (const name of Object.keys(resources[side] ?? {})) resources[side][name] = quantity(resources[side][name]);
  }
  // A request that is absent equals its limit.
  for (const [name, limit] of Object.entries(resources.limits ?? {})) {
    if (resources.requests?.[name] === limit) delete resources.requests[name];
  }
}

/** A template without defaults, empty members, the hash label and our own annotations. */
export function normalizeTemplate(template: PodTemplate): unknown {
  const copy = clone({
    metadata: { labels: template.metadata?.labels ?? {}, annotations: template.metadata?.annotations ?? {} },
    spec: template.spec ?? {},
  }) as Data;
  delete copy["metadata"].labels[POD_TEMPLATE_HASH_LABEL];
  for (const annotation of ownAnnotations) delete copy["metadata"].annotations[annotation];
  const spec = copy["spec"] as Data;
  dropDefaults(spec, podDefaults);
  if (spec["serviceAccount"] && spec["serviceAccount"] === spec["serviceAccountName"]) delete spec["serviceAccount"];
  for (const list of ["containers", "initContainers", "ephemeralContainers"]) {
    for (const container of spec[list] ?? []) normalizeContainer(container);
  }
  for (const volume of spec["volumes"] ?? []) {
    for (const source of volumeModes)
      if (volume[source]?.defaultMode === DEFAULT_MODE) delete volume[source].defaultMode;
    if (volume.hostPath?.type === "") delete volume.hostPath.type;
  }
  const volumes = ((spec["volumes"] ?? []) as Data[]).map((volume) => dropEmpty(volume, "volume"));
  delete spec["volumes"];
  const metadata = copy["metadata"];
  return { ...(dropEmpty({ metadata, spec }) as Data), ...(volumes.length > 0 ? { volumes } : {}) };
}

/** Objects from caches are frozen, so their normal form can be kept as long as they are. */
const normalForms = new WeakMap<PodTemplate, string>();

function normalForm(template: PodTemplate): string {
  const known = normalForms.get(template);
  if (known !== undefined) return known;
  const form = goJson(sortKeys(normalizeTemplate(template)));
  if (Object.isFrozen(template)) normalForms.set(template, form);
  return form;
}

/** True when two templates give the same pods. */
export const sameTemplate = (a: PodTemplate, b: PodTemplate): boolean => normalForm(a) === normalForm(b);

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => [key, sortKeys(member)]),
  );
}

/**
 * The hash that names a template's ReplicaSet. It is a name for new sets only: which set belongs to a template is
 * decided by comparing templates, so that sets made by Argo Rollouts (whose hash differs by version) are adopted.
 */
export function podTemplateHash(template: PodTemplate, collisionCount?: number): string {
  const bytes = [...utf8.encode(normalForm(template))];
  if (collisionCount) {
    bytes.push(
      collisionCount & 0xff,
      (collisionCount >>> 8) & 0xff,
      (collisionCount >>> 16) & 0xff,
      collisionCount >>> 24,
    );
    bytes.push(0, 0, 0, 0);
  }
  return safeText(fnv1a(Uint8Array.from(bytes)));
}

/** Order in which Go writes the fields of a step and of what it holds; others follow by name. */
const stepOrder = [
  "setWeight",
  "pause",
  "experiment",
  "analysis",
  "setCanaryScale",
  "setHeaderRoute",
  "setMirrorRoute",
  "plugin",
];
const scaleOrder = ["weight", "replicas", "matchTrafficWeight"];

const ordered = (value: Data, order: readonly string[]): Data =>
  Object.fromEntries(
    [
      ...order,
      ...Object.keys(value)
        .filter((key) => !order.includes(key))
        .sort(),
    ]
      .filter((key) => value[key] !== undefined)
      .map((key) => [key, value[key]]),
  );

/** The hash of a canary's steps; the same text as Argo Rollouts gives for weights, pauses and scales. */
export function stepHash(steps: readonly CanaryStep[] | undefined): string {
  const plain = steps?.map((step) => {
    const own = ordered(step, stepOrder);
    if (own["setCanaryScale"]) own["setCanaryScale"] = ordered(own["setCanaryScale"], scaleOrder);
    return own;
  });
  return safeText(fnv1a(utf8.encode(goJson(plain ?? null))));
}
