import { createHash } from "node:crypto";

/** JSON with sorted keys and no white space, so equal values give equal texts. `undefined` members are left out. */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value !== "object") {
    return typeof value === "bigint" ? value.toString() : (JSON.stringify(value) ?? "null");
  }
  if (value instanceof Date) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const members: string[] = [];
  for (const key of Object.keys(value).sort()) {
    const member = (value as Record<string, unknown>)[key];
    if (member !== undefined) members.push(`${JSON.stringify(key)}:${canonicalJson(member)}`);
  }
  return `{${members.join(",")}}`;
}

/** SHA-256 of the canonical JSON, in hex. */
export const digest = (value: unknown): string => createHash("sha256").update(canonicalJson(value)).digest("hex");

/** Structural equality of plain data; a missing member equals an undefined one. */
export function deepEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => deepEqual(item, b[index]));
  }
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  for (const key of Object.keys(left)) if (!deepEqual(left[key], right[key])) return false;
  for (const key of Object.keys(right)) if (right[key] !== undefined && left[key] === undefined) return false;
  return true;
}

/** A deep copy of plain data (objects, arrays, scalars). */
export function clone<T>(value: T): T {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(clone) as T;
  const copy: Record<string, unknown> = {};
  for (const key in value) {
    // A member named __proto__ must stay data.
    if (key === "__proto__")
      Object.defineProperty(copy, key, {
        value: clone(value[key]),
        enumerable: true,
        writable: true,
        configurable: true,
      });
    else copy[key] = clone(value[key]);
  }
  return copy as T;
}

/** Freezes plain data in depth; stops at what is frozen already. */
export function deepFreeze<T>(value: T): T {
  if (value === null || typeof value !== "object" || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const member of Object.values(value)) deepFreeze(member);
  return value;
}

/** A text of JSON in the form that Go's encoder gives it: what HTML would act on, and ends of lines of Unicode, are escaped. */
export const goEscaped = (json: string): string =>
  json.replace(/[<>&\u2028\u2029]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
