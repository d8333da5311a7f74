import { JsonnetRuntimeError } from "./errors.js";
import type { Machine } from "./machine.js";
import { typeOf, type Value } from "./values.js";

function bound(value: Value, name: string, absent: number): number {
  if (value === null) return absent;
  if (typeof value !== "number" || !Number.isInteger(value)) {
    throw new JsonnetRuntimeError(
      `slice ${name} must be an integer, got ${typeof value === "number" ? value : typeOf(value)}`,
    );
  }
  return value;
}

/** `target[from:to:step]`; positions below zero count from the end. */
export function sliceOf(machine: Machine, target: Value, from: Value, to: Value, step: Value): Value {
  const text = typeof target === "string";
  if (!text && !Array.isArray(target)) {
    throw new JsonnetRuntimeError(`std.slice accepts a string or an array, but got: ${typeOf(target)}`);
  }
  const items = text ? [...target] : target;
  const start = bound(from, "index", 0);
  const end = bound(to, "end", items.length);
  const by = bound(step, "step", 1);
  if (by < 1) throw new JsonnetRuntimeError(`slice step must be greater than 0, got: ${by}`);
  const first = start < 0 ? Math.max(0, items.length + start) : start;
  const last = Math.min(items.length, end < 0 ? items.length + end : end);
  const chosen = [];
  for (let at = first; at < last; at += by) chosen.push(items[at]);
  machine.charge(chosen.length);
  return text ? chosen.join("") : (chosen as Value);
}
