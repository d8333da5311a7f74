import { RE2JS } from "re2js";
import { covers, specificity } from "./hostnames.js";
import type { Entry, Json, ServedListener } from "./model.js";

export interface GatewayRequest {
  /** Host without port, in lower case. */
  readonly host: string;
  readonly method: string;
  /** Path without query, as it came. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** The listener of a port that takes a host: the most specific of those that cover it. */
export function listenerFor(
  listeners: readonly ServedListener[],
  protocol: "HTTP" | "HTTPS",
  port: number,
  host: string,
): ServedListener | undefined {
  let best: ServedListener | undefined;
  for (const listener of listeners) {
    if (listener.protocol !== protocol || listener.port !== port || !covers(listener.hostname, host)) continue;
    if (!best || compare(specificity(listener.hostname), specificity(best.hostname)) > 0) best = listener;
  }
  return best;
}

/** The first rule of a listener that fits a request. */
export const entryFor = ({ entries }: ServedListener, request: GatewayRequest): Entry | undefined =>
  entries.find(({ hostname, match }) => covers(hostname, request.host) && fits(match, request));

/** `/a` holds `/a` and `/a/b`, not `/ab`. */
export const holdsPath = (prefix: string, path: string): boolean => {
  const bare = prefix.replace(/\/+$/, "");
  return bare === "" || path === bare || path.startsWith(`${bare}/`);
};

function fits(match: Json, request: GatewayRequest): boolean {
  const { type = "PathPrefix", value = "/" } = match.path ?? {};
  if (type === "Exact" ? request.path !== value : type === "PathPrefix" && !holdsPath(value, request.path))
    return false;
  if (type === "RegularExpression" && !matchesWhole(value, request.path)) return false;
  if (match.method && match.method !== request.method) return false;
  for (const one of match.headers ?? []) {
    const given = request.headers[String(one.name).toLowerCase()];
    if (given === undefined || !same(one, Array.isArray(given) ? given.join(",") : (given as string))) return false;
  }
  for (const one of match.queryParams ?? []) {
    const given = request.query.get(one.name);
    if (given === null || !same(one, given)) return false;
  }
  return true;
}

const same = (wanted: Json, given: string): boolean =>
  wanted.type === "RegularExpression" ? matchesWhole(wanted.value, given) : wanted.value === given;

const compiled = new Map<string, RE2JS | undefined>();
const KEPT = 1000;

/** An expression of RE2 over the whole text; one that cannot be read matches nothing. */
function matchesWhole(expression: string, text: string): boolean {
  if (!compiled.has(expression)) {
    if (compiled.size >= KEPT) compiled.clear();
    try {
      compiled.set(expression, RE2JS.compile(expression));
    } catch {
      compiled.set(expression, undefined);
    }
  }
  return compiled.get(expression)?.matches(text) === true;
}

/** Order of precedence among entries of one listener, the first to be tried first; equal ones keep their order. */
export function precedence(a: Entry, b: Entry): number {
  return compare(rankOf(b), rankOf(a));
}

const PATHS: Readonly<Record<string, number>> = { Exact: 2, PathPrefix: 1, RegularExpression: 0 };

function rankOf({ hostname, match }: Entry): readonly number[] {
  const { type = "PathPrefix", value = "/" } = match.path ?? {};
  return [
    ...specificity(hostname),
    PATHS[type] ?? 0,
    String(value).length,
    match.method ? 1 : 0,
    match.headers?.length ?? 0,
    match.queryParams?.length ?? 0,
  ];
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [i, value] of a.entries()) if (value !== b[i]) return value - b[i]!;
  return 0;
}
