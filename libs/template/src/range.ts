import { formatValue } from "./fmt.js";
import type { State } from "./state.js";
import { GoInt, type GoValue, int, sortedKeys } from "./values.js";

/**
 * Visits the elements of a collection in Go's order until `visit` says true; false when there was nothing to visit.
 * `variables` is how many the range declares.
 */
export function iterate(
  state: State,
  value: GoValue,
  variables: number,
  visit: (key: GoValue, element: GoValue) => boolean,
): boolean {
  if (value === undefined || value === null) return false;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) if (visit(variables > 1 ? int(i) : undefined, value[i] ?? null)) break;
    return value.length > 0;
  }
  if (value instanceof Map) {
    if (value.size === 0) return false;
    // Go collects keys and values before the first round: the body may change the map.
    const entries = sortedKeys(value).map((key) => [key, value.get(key)] as const);
    for (const [key, element] of entries) if (visit(key, element ?? null)) break;
    return true;
  }
  if (value instanceof Uint8Array) {
    for (let i = 0; i < value.length; i++) if (visit(int(i), new GoInt(BigInt(value[i]!), "uint8"))) break;
    return value.length > 0;
  }
  if (value instanceof GoInt) {
    if (variables > 1) state.fail(`can't use ${formatValue(value)} to iterate over more than one variable`);
    for (let i = 0n; i < value.v; i++) if (visit(undefined, new GoInt(i, value.kind, value.name))) break;
    return value.v > 0n;
  }
  return state.fail(`range can't iterate over ${formatValue(value)}`);
}
