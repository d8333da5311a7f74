const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A JSON merge patch (RFC 7386) laid over a value; the value stays as it is. */
export function mergePatch(under: unknown, patch: unknown): unknown {
  if (!isMap(patch)) return patch;
  const entries = new Map(isMap(under) ? Object.entries(under) : []);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) entries.delete(key);
    else entries.set(key, mergePatch(entries.get(key), value));
  }
  return Object.fromEntries(entries);
}
