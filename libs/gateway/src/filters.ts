import { holdsPath } from "./match.js";
import type { Json } from "./model.js";

export type HeaderValues = Record<string, string | string[] | undefined>;

/** Headers after a header modifier; names are compared without case and come out in lower case. */
export function modifyHeaders(headers: Readonly<HeaderValues>, modifier: Json): HeaderValues {
  const result: HeaderValues = { ...headers };
  for (const { name, value } of modifier?.set ?? []) result[String(name).toLowerCase()] = value;
  for (const { name, value } of modifier?.add ?? []) {
    const key = String(name).toLowerCase();
    const before = result[key];
    result[key] = before === undefined ? value : Array.isArray(before) ? [...before, value] : [before, value];
  }
  for (const name of modifier?.remove ?? []) delete result[String(name).toLowerCase()];
  return result;
}

/** A path after a replacement, where `prefix` is what the rule's match holds. */
export function replacePath(path: string, replacement: Json, prefix: string): string {
  if (!replacement) return path;
  if (replacement.type === "ReplaceFullPath") return replacement.replaceFullPath || "/";
  const bare = prefix.replace(/\/+$/, "");
  const rest = holdsPath(prefix, path) ? path.slice(bare.length) : path;
  const start = String(replacement.replacePrefixMatch ?? "/").replace(/\/+$/, "");
  const replaced = rest === "" ? start : `${start}${rest.startsWith("/") ? rest : `/${rest}`}`;
  return replaced === "" ? "/" : replaced;
}

/** Where a redirect leads. */
export function redirectOf(
  filter: Json,
  request: {
    readonly scheme: "http" | "https";
    readonly host: string;
    /** Port of the listener, as the user has reached it. */
    readonly port: number;
    /** Port of another scheme, as the user would reach it; 80 and 443 by default. */
    readonly portOf?: (scheme: string) => number;
    readonly path: string;
    readonly search: string;
  },
  prefix: string,
): { readonly status: number; readonly location: string } {
  const scheme: string = filter.scheme ?? request.scheme;
  const host: string = filter.hostname ?? request.host;
  const usual = scheme === "https" ? 443 : 80;
  // A new scheme without a port means that scheme's own port.
  const port: number = filter.port ?? (filter.scheme ? (request.portOf?.(scheme) ?? usual) : request.port);
  const path = replacePath(request.path, filter.path, prefix);
  return {
    status: filter.statusCode ?? 302,
    location: `${scheme}://${host}${port === usual ? "" : `:${port}`}${path}${request.search}`,
  };
}

/** How many requests of how many a mirror filter copies. */
export function mirrorShare(mirror: Json): { readonly of: number; readonly taken: number } {
  if (mirror?.fraction) return { taken: mirror.fraction.numerator, of: mirror.fraction.denominator ?? 100 };
  return { taken: mirror?.percent ?? 100, of: 100 };
}

const DURATION = /(\d+(?:\.\d+)?)(h|ms|m|s)/g;
const UNITS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** Milliseconds of a duration such as `1m30s` or `500ms`. */
export function milliseconds(text: string | undefined): number | undefined {
  if (!text) return undefined;
  let sum = 0;
  for (const [, number, unit] of text.matchAll(DURATION)) sum += Number(number) * UNITS[unit!]!;
  return sum;
}
