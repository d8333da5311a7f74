import { deepEqual } from "@tiphys/canonical-json";

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

/** Every object has a `constructor`: what it has not of its own is absent. */
const own = (object: Plain, name: string): unknown => (Object.hasOwn(object, name) ? object[name] : undefined);

const isAbsent = (value: unknown): boolean => value === null || value === undefined;

/**
 * The JSON merge patch (RFC 7386) that turns `from` into what `to` is when `stored`; undefined when they are equal.
 * Parts that `to` shares with `from` are not looked into, so a wide status costs what has changed of it.
 */
export function mergePatch(from: unknown, to: Plain): Plain | undefined {
  if (from === to) return undefined;
  const base = isPlain(from) ? from : {};
  let patch: Plain | undefined;
  const note = (name: string, value: unknown) => {
    patch ??= {};
    // A member named __proto__ must stay data.
    if (name !== "__proto__") patch[name] = value;
    else Object.defineProperty(patch, name, { value, enumerable: true, writable: true, configurable: true });
  };
  for (const name of Object.keys(to)) {
    const wanted = to[name];
    const current = own(base, name);
    if (wanted === current || isAbsent(wanted)) continue;
    if (isPlain(wanted) && isPlain(current)) {
      const inner = mergePatch(current, wanted);
      if (inner) note(name, inner);
      continue;
    }
    const kept = stored(wanted);
    if (!deepEqual(current, kept)) note(name, kept);
  }
  for (const name of Object.keys(base)) {
    if (!isAbsent(base[name]) && isAbsent(own(to, name))) note(name, null);
  }
  return patch;
}

/** The part of a JSON merge patch that would change `object`; undefined when nothing would. */
export function effectivePatch(object: unknown, patch: Plain): Plain | undefined {
  const base = isPlain(object) ? object : {};
  const effective: Plain = {};
  for (const [name, wanted] of Object.entries(patch)) {
    if (wanted === undefined) continue;
    const current = own(base, name);
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
