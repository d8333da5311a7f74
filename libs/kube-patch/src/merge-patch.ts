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

/** The smallest merge patch that makes `to` of `from`. */
export function createMergePatch(from: object, to: object): Record<string, unknown> {
  const patch: JsonObject = {};
  const left = from as JsonObject;
  const right = to as JsonObject;
  for (const key of Object.keys(left))
    if (right[key] === undefined && left[key] !== undefined) setOwn(patch, key, null);
  for (const key of Object.keys(right)) {
    const was = left[key];
    const is = right[key];
    if (is === undefined || deepEqual(was, is)) continue;
    setOwn(patch, key, isObject(was) && isObject(is) ? createMergePatch(was, is) : is);
  }
  return patch;
}
