import type { KubeObject } from "@tiphys/resources";
import { annotation, expressionOf, hasExpressions, redirected, rewritten } from "./ingress-annotations.js";
import type { Weighted } from "./weighted.js";

/** A Service's port that an Ingress sends requests to. */
export interface Backend {
  readonly namespace: string;
  readonly ingress: string;
  readonly service: string;
  readonly port: number | string;
}

export interface IngressRequest {
  readonly host: string;
  /** Path without query. */
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** Where a request goes: one place of choice, with all backends that share it. */
export interface Match {
  readonly key: string;
  readonly choices: readonly Weighted<Backend>[];
  /** Where the client is sent instead, by the Ingress' annotations and TLS; `host` with the port of TLS, where it has one. */
  redirect(
    protocol: "HTTP" | "HTTPS",
    url: string,
    host: string,
  ): { readonly status: number; readonly location: string } | undefined;
  /** Path and query as the backend gets them. */
  rewrite(url: string): string;
  /** Headers that the backend gets besides the client's. */
  readonly headers: Readonly<Record<string, string>>;
}

interface Rule {
  readonly host: string;
  readonly path: string;
  readonly type: "Exact" | "Prefix" | "Expression";
  readonly backend: Backend;
  readonly object: KubeObject;
}

const isCanary = (ingress: KubeObject): boolean => annotation(ingress, "canary") === "true";

// biome-ignore lint/suspicious/noExplicitAny: Ingresses as the API gives them
type Json = any;

function backendOf(ingress: KubeObject, backend: Json): Backend | undefined {
  const { service } = backend ?? {};
  if (!service) return undefined;
  return {
    namespace: ingress.metadata.namespace ?? "default",
    ingress: ingress.metadata.name,
    service: service.name,
    port: service.port?.number ?? service.port?.name,
  };
}

function rulesOf(ingress: KubeObject): Rule[] {
  const rules: Rule[] = [];
  for (const rule of (ingress["spec"]?.rules ?? []) as Json[]) {
    for (const path of rule.http?.paths ?? []) {
      const backend = backendOf(ingress, path.backend);
      if (!backend) continue;
      rules.push({
        host: String(rule.host ?? "").toLowerCase(),
        path: path.path ?? "/",
        type: hasExpressions(ingress) ? "Expression" : path.pathType === "Exact" ? "Exact" : "Prefix",
        backend,
        object: ingress,
      });
    }
  }
  const fallback = backendOf(ingress, ingress["spec"]?.defaultBackend);
  if (fallback) rules.push({ host: "", path: "/", type: "Prefix", backend: fallback, object: ingress });
  return rules;
}

/** `/a` holds `/a` and `/a/b`, not `/ab`. */
const holds = (prefix: string, path: string): boolean =>
  prefix === "/" || path === prefix || path.startsWith(prefix.endsWith("/") ? prefix : `${prefix}/`);

/** A wildcard stands for one label. */
const fitsHost = (pattern: string, host: string): boolean =>
  pattern === "" ||
  pattern === host ||
  (pattern.startsWith("*.") && host.endsWith(pattern.slice(1)) && !host.slice(0, 1 - pattern.length).includes("."));

function fits(rule: Rule, host: string, path: string): boolean {
  if (!fitsHost(rule.host, host)) return false;
  if (rule.type === "Expression") return expressionOf(rule.path)?.matcher(path).find() === true;
  return rule.type === "Exact" ? rule.path === path : holds(rule.path, path);
}

/** Larger is more specific: exact host, wildcard host, any host; then exact path, then the longest prefix. */
const rank = (rule: Rule): number[] => [
  rule.host === "" ? 0 : rule.host.startsWith("*.") ? 1 : 2,
  rule.type === "Exact" ? 1 : 0,
  rule.path.length,
];

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [i, value] of a.entries()) if (value !== b[i]) return value - b[i]!;
  return 0;
}

/** Finds the backends of `request`. Canary ingresses join the place of the main rule with the same host and path. */
export function matchIngress(ingresses: readonly KubeObject[], request: IngressRequest): Match | undefined {
  const host = request.host.toLowerCase().replace(/:\d+$/, "");
  let main: Rule | undefined;
  // Older ingresses win a tie, as in nginx.
  const ordered = [...ingresses].sort((a, b) =>
    (a.metadata.creationTimestamp ?? "") < (b.metadata.creationTimestamp ?? "") ? -1 : 1,
  );
  for (const ingress of ordered) {
    if (isCanary(ingress) || ingress.metadata.deletionTimestamp) continue;
    for (const rule of rulesOf(ingress)) {
      if (fits(rule, host, request.path) && (!main || compare(rank(rule), rank(main)) > 0)) main = rule;
    }
  }
  if (!main) return undefined;
  const { backend, object, ...place } = main;
  const vhost = annotation(object, "upstream-vhost");
  const rest = {
    redirect: (protocol: "HTTP" | "HTTPS", url: string, to: string) => redirected(object, protocol, url, to),
    rewrite: (url: string) => rewritten(object, place.path, url),
    headers: (vhost ? { host: vhost } : {}) as Readonly<Record<string, string>>,
  };
  const key = `${backend.namespace}/${backend.ingress} ${place.host}${place.path}`;
  const always = (value: Backend): Match => ({ ...rest, key, choices: [{ value, weight: 1 }] });
  let left = 1;
  const choices: Weighted<Backend>[] = [];
  for (const ingress of ordered) {
    if (!isCanary(ingress) || ingress.metadata.deletionTimestamp || ingress.metadata.namespace !== backend.namespace)
      continue;
    const twin = rulesOf(ingress).find((rule) => rule.host === place.host && rule.path === place.path);
    if (!twin) continue;
    const told = canaryOf(ingress, request);
    if (told === "always") return always(twin.backend);
    if (told === "never") continue;
    const total = Number(annotation(ingress, "canary-weight-total") ?? 100) || 100;
    const weight = Math.min(Math.max(0, Number(annotation(ingress, "canary-weight") ?? 0) / total), left);
    left -= weight;
    choices.push({ value: twin.backend, weight: round(weight) });
  }
  return { ...rest, key, choices: [{ value: backend, weight: round(left) }, ...choices] };
}

/** Weights as whole numbers, so that equal weights compare equal. */
const round = (share: number): number => Math.round(share * 1_000_000);

/** What header and cookie say; the header goes first. */
function canaryOf(ingress: KubeObject, request: IngressRequest): "always" | "never" | undefined {
  const header = annotation(ingress, "canary-by-header");
  if (header) {
    const given = request.headers[header.toLowerCase()];
    const value = Array.isArray(given) ? given[0] : given;
    const wanted = annotation(ingress, "canary-by-header-value");
    const pattern = annotation(ingress, "canary-by-header-pattern");
    if (value !== undefined && wanted !== undefined && value === wanted) return "always";
    if (value !== undefined && wanted === undefined && pattern && expressionOf(pattern)?.matches(value))
      return "always";
    if (value !== undefined && wanted === undefined && !pattern && (value === "always" || value === "never"))
      return value;
  }
  const cookie = annotation(ingress, "canary-by-cookie");
  if (cookie) {
    const value = new RegExp(`(?:^|;\\s*)${cookie.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}=([^;]*)`).exec(
      String(request.headers["cookie"] ?? ""),
    )?.[1];
    if (value === "always" || value === "never") return value;
  }
  return undefined;
}

const CONTROLLERS: ReadonlySet<string> = new Set(["k8s.io/ingress-nginx", "tiphys.dev/ingress"]);
const CLASSES: ReadonlySet<string> = new Set(["nginx", "tiphys"]);

/** Whether this proxy serves an Ingress: one without a class, or of a class that is nginx's or ours. */
export function isServed(ingress: KubeObject, classes: readonly KubeObject[]): boolean {
  const name: string | undefined =
    ingress["spec"]?.ingressClassName ?? ingress.metadata.annotations?.["kubernetes.io/ingress.class"];
  if (name === undefined) return true;
  const known = classes.find(({ metadata }) => metadata.name === name);
  return known ? CONTROLLERS.has(known["spec"]?.controller) : CLASSES.has(name);
}

/** Secrets with the certificate of a host, the most specific first. */
export function tlsSecrets(ingresses: readonly KubeObject[], host: string): { namespace: string; name: string }[] {
  const found: { namespace: string; name: string; exact: boolean }[] = [];
  for (const ingress of ingresses) {
    for (const { hosts = [], secretName } of (ingress["spec"]?.tls ?? []) as {
      hosts?: string[];
      secretName?: string;
    }[]) {
      if (!secretName || !hosts.some((one) => fitsHost(one.toLowerCase(), host))) continue;
      found.push({ namespace: ingress.metadata.namespace ?? "", name: secretName, exact: hosts.includes(host) });
    }
  }
  return found.sort((a, b) => Number(b.exact) - Number(a.exact));
}
