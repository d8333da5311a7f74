import type { KubeObject } from "@tiphys/resources";
import { RE2JS } from "re2js";

const ANNOTATION = "nginx.ingress.kubernetes.io/";

export const annotation = (ingress: KubeObject, name: string): string | undefined =>
  ingress.metadata.annotations?.[`${ANNOTATION}${name}`];

/** Annotations that this proxy acts on; an unknown one is named in the log. */
const KNOWN: ReadonlySet<string> = new Set([
  "app-root",
  "canary",
  "canary-by-cookie",
  "canary-by-header",
  "canary-by-header-pattern",
  "canary-by-header-value",
  "canary-weight",
  "canary-weight-total",
  "force-ssl-redirect",
  "permanent-redirect",
  "permanent-redirect-code",
  "rewrite-target",
  "ssl-redirect",
  "temporal-redirect",
  "upstream-vhost",
  "use-regex",
]);

/** Annotations of an Ingress that this proxy does not act on. */
export function unknownAnnotations(ingress: KubeObject): readonly string[] {
  return Object.keys(ingress.metadata.annotations ?? {})
    .filter((name) => name.startsWith(ANNOTATION) && !KNOWN.has(name.slice(ANNOTATION.length)))
    .sort();
}

/** True when the paths of an Ingress are regular expressions. */
export const hasExpressions = (ingress: KubeObject): boolean =>
  annotation(ingress, "use-regex") === "true" || /\$\d/.test(annotation(ingress, "rewrite-target") ?? "");

const compiled = new Map<string, RE2JS | undefined>();
const KEPT = 1000;

/** As nginx compares: from the start, without case. An expression that cannot be read matches nothing. */
export function expressionOf(path: string): RE2JS | undefined {
  if (!compiled.has(path)) {
    if (compiled.size >= KEPT) compiled.clear();
    try {
      compiled.set(path, RE2JS.compile(`^(?:${path})`, RE2JS.CASE_INSENSITIVE));
    } catch {
      compiled.set(path, undefined);
    }
  }
  return compiled.get(path);
}

/** Path and query as the backend gets them: `rewrite-target`, with the groups of the rule's path. */
export function rewritten(ingress: KubeObject, rulePath: string, url: string): string {
  const target = annotation(ingress, "rewrite-target");
  if (!target) return url;
  const cut = url.indexOf("?");
  const path = cut < 0 ? url : url.slice(0, cut);
  const search = cut < 0 ? "" : url.slice(cut);
  const matcher = hasExpressions(ingress) ? expressionOf(rulePath)?.matcher(path) : undefined;
  const found = matcher?.find() ? matcher : undefined;
  const group = (index: number) => (found && index <= found.groupCount() ? (found.group(index) ?? "") : "");
  return `${target.replace(/\$(\d)/g, (_whole, index) => group(Number(index))) || "/"}${search}`;
}

export interface Redirect {
  readonly status: number;
  readonly location: string;
}

/** Where an Ingress sends the client instead of a backend. `host` is what the client should call the TLS port. */
export function redirected(
  ingress: KubeObject,
  protocol: "HTTP" | "HTTPS",
  url: string,
  host: string,
): Redirect | undefined {
  const permanent = annotation(ingress, "permanent-redirect");
  if (permanent) return { status: Number(annotation(ingress, "permanent-redirect-code")) || 301, location: permanent };
  const temporal = annotation(ingress, "temporal-redirect");
  if (temporal) return { status: 302, location: temporal };
  const name = host.split(":")[0]!.toLowerCase();
  const hasTls = ((ingress["spec"]?.tls ?? []) as { hosts?: string[] }[]).some(({ hosts }) => hosts?.includes(name));
  const toTls =
    annotation(ingress, "force-ssl-redirect") === "true" || (hasTls && annotation(ingress, "ssl-redirect") !== "false");
  if (protocol === "HTTP" && toTls) return { status: 308, location: `https://${host}${url}` };
  const root = annotation(ingress, "app-root");
  if (root && url === "/") return { status: 302, location: root };
  return undefined;
}
