const isWildcard = (name: string): boolean => name.startsWith("*.");

/** True when `pattern` (`shop.example`, `*.example`, or absent for all) covers `host`; a wildcard covers any depth. */
export function covers(pattern: string | undefined, host: string): boolean {
  if (pattern === undefined || pattern === "") return true;
  if (isWildcard(pattern)) return host.endsWith(pattern.slice(1)) && host.length > pattern.length - 1;
  return pattern === host;
}

/** The narrower of two patterns that have hosts in common; undefined when they have none. */
export function common(
  a: string | undefined,
  b: string | undefined,
): { readonly host: string | undefined } | undefined {
  if (!a) return { host: b || undefined };
  if (!b) return { host: a };
  if (a === b) return { host: a };
  if (isWildcard(a) && isWildcard(b)) {
    if (a.endsWith(b.slice(1))) return { host: a };
    return b.endsWith(a.slice(1)) ? { host: b } : undefined;
  }
  if (isWildcard(a)) return covers(a, b) ? { host: b } : undefined;
  if (isWildcard(b)) return covers(b, a) ? { host: a } : undefined;
  return undefined;
}

/** Larger is more specific: exact names, then wildcards by length, then any host. */
export function specificity(pattern: string | undefined): readonly [number, number] {
  if (!pattern) return [0, 0];
  return [isWildcard(pattern) ? 1 : 2, pattern.length];
}
