import { constant } from "./cost.js";
import {
  CelList,
  CelMap,
  CidrValue,
  FormatValue,
  IpValue,
  QuantityValue,
  SemverValue,
  sizeOf,
  UrlValue,
  type Value,
} from "./values.js";

const PER_CHARACTER = 0.1;
const PER_PATTERN_CHARACTER = 0.25;
const text = (size: number, factor = 1): number => Math.ceil(size * PER_CHARACTER * factor);

/** What one call has cost, in the API server's units. */
export function callCost(fn: string, overload: string | undefined, args: readonly Value[], result: Value): number {
  if (constant.has(fn)) return 1;
  const size = (at: number): number => sizeOf(args[at]!);
  switch (fn) {
    case "isSorted":
    case "sum":
    case "max":
    case "min":
    case "indexOf":
    case "lastIndexOf":
      return traversal(args[0]!);
    case "url":
    case "lowerAscii":
    case "upperAscii":
    case "substring":
    case "trim":
    case "cidr":
    case "isIP":
    case "isCIDR":
    case "quantity":
    case "isQuantity":
    case "semver":
    case "isSemver":
      return text(size(0));
    case "replace":
    case "split":
    case "ip.isCanonical":
      return text(size(0), 2);
    case "join":
      return text(sizeOf(result), 2);
    case "find":
    case "findAll":
      return text(1 + size(0)) * Math.ceil(size(1) * PER_PATTERN_CHARACTER);
    case "ip":
      return overload === "cidr_ip" ? 1 : text(size(0));
    case "containsIP":
      return text(2 * size(0)) + (overload === "cidr_contains_ip_string" ? text(size(1)) : 0);
    case "containsCIDR":
      return text(2 * size(0)) + text(size(0)) + 1 + (overload === "cidr_contains_cidr_string" ? text(size(1)) : 0);
    case "validate":
      if (args[0] instanceof FormatValue)
        return text(1 + size(1)) * Math.ceil(args[0].format.regexSize * PER_PATTERN_CHARACTER);
      return 1;
    case "_==_":
      if (comparedAtOnce(args[0]!)) return 1;
  }
  switch (overload) {
    case "starts_with_string":
    case "ends_with_string":
    case "string_to_bytes":
    case "bytes_to_string":
    case "strings_quote":
    case "string_format":
      return text(size(0));
    case "in_list":
      return size(1);
    case "add_string":
    case "add_bytes":
      return text(size(0) + size(1));
    case "matches_string":
      return text(1 + size(0)) * Math.ceil(size(1) * PER_PATTERN_CHARACTER);
    case "contains_string":
      return text(size(0)) * text(size(1));
    case "equals":
    case "not_equals":
    case "less_string":
    case "less_bytes":
    case "less_equals_string":
    case "less_equals_bytes":
    case "greater_string":
    case "greater_bytes":
    case "greater_equals_string":
    case "greater_equals_bytes":
      return text(Math.min(size(0), size(1)));
  }
  return 1;
}

const comparedAtOnce = (value: Value): boolean =>
  value instanceof QuantityValue ||
  value instanceof IpValue ||
  value instanceof CidrValue ||
  value instanceof FormatValue ||
  value instanceof UrlValue ||
  value instanceof SemverValue;

function traversal(value: Value): number {
  if (typeof value === "string" || value instanceof Uint8Array) return Math.floor(value.length * PER_CHARACTER);
  let cost = 0;
  if (value instanceof CelList) for (const item of value) cost += traversal(item);
  else if (value instanceof CelMap) for (const key of value.keys()) cost += traversal(key) + traversal(value.get(key)!);
  else return 1;
  return cost;
}
