import { deepEqual } from "@tiphys/canonical-json";
import { isObject, type Json, type JsonObject } from "./typed.js";

/** JSON merge patch (RFC 7386): null deletes, objects merge, everything else replaces. Inputs are not changed. */
export function mergePatch<T = unknown>(target: unknown, patch: unknown): T {
  return merge(target, patch) as T;
}

function merge(target: Json, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const out: JsonObject = isObject(target) ? { ...target } : {};
  for (const key of Object.keys(patch)) {
    const value = patch[key];
    if (value === undefined) continue;
    if (value === null) delete out[key];
    else setOwn(out, key, merge(Object.hasOwn(out, key) ? out[key] : undefined, value));
  }
  return out;
}

/** Sets a member even when it is called `__proto__`. */
export function setOwn(object: JsonObject, key: string, value: Json): void {
  if (key !== "__proto__") object[key] = value;
  else Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
}

/** The smallest merge patch that makes `to` of `from`; without members when they are equal. A null member counts as absent. */
export function createMergePatch(from: object, to: object): Record<string, unknown> {
  const patch: JsonObject = {};
  // Own members alone: every object has a `constructor`.
  const own = (object: object, key: string): Json =>
    Object.hasOwn(object, key) ? (object as JsonObject)[key] : undefined;
  const absent = (value: Json) => value === undefined || value === null;
  for (const key of Object.keys(from)) if (absent(own(to, key)) && !absent(own(from, key))) setOwn(patch, key, null);
  for (const key of Object.keys(to)) {
    const was = own(from, key);
    const is = own(to, key);
    if (absent(is) || deepEqual(was, is)) continue;
    if (isObject(was) && isObject(is)) {
      const inner = createMergePatch(was, is);
      if (Object.keys(inner).length > 0) setOwn(patch, key, inner);
    } else setOwn(patch, key, is);
  }
  return patch;
}
