import { deepEqual } from "@tiphys/canonical-json";
import { createMergePatch } from "@tiphys/kube-patch";

type Plain = Record<string, unknown>;

const isPlain = (value: unknown): value is Plain =>
  value !== null && typeof value === "object" && !Array.isArray(value) && !(value instanceof Date);

/** `value` as the API server would store it: members that are null or undefined do not exist, dates are texts. */
export function stored(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(stored);
  if (!isPlain(value)) return value;
  const kept: Plain = {};
  for (const [name, member] of Object.entries(value)) {
    if (member !== null && member !== undefined) kept[name] = stored(member);
  }
  return kept;
}

/** The JSON merge patch (RFC 7386) that turns `from` into `to`; undefined when they are equal. `to` must be `stored`. */
export function mergePatch(from: unknown, to: Plain): Plain | undefined {
  const patch = createMergePatch(isPlain(from) ? from : {}, to);
  return Object.keys(patch).length > 0 ? patch : undefined;
}

/** The part of a JSON merge patch that would change `object`; undefined when nothing would. */
export function effectivePatch(object: unknown, patch: Plain): Plain | undefined {
  const base = isPlain(object) ? object : {};
  const effective: Plain = {};
  for (const [name, wanted] of Object.entries(patch)) {
    if (wanted === undefined) continue;
    const current = base[name];
    if (wanted === null) {
      if (current !== undefined && current !== null) effective[name] = null;
    } else if (isPlain(wanted)) {
      const inner = effectivePatch(current, wanted);
      if (inner) effective[name] = inner;
      else if (!isPlain(current)) effective[name] = {};
    } else if (!deepEqual(current, wanted)) effective[name] = stored(wanted);
  }
  return Object.keys(effective).length > 0 ? effective : undefined;
}
