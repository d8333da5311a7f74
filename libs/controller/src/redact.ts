const MASK = "[redacted]";

/** Fields whose text users fill with secrets, although a reference would be right. */
const carriesSecrets: ReadonlySet<string> = new Set(["env"]);

/**
 * A copy of an object's state without the values of environment variables, for the journal: what they are called explains
 * a decision, what they hold may be a password. Parts without such values are shared, not copied.
 */
export function redacted<T>(state: T): T {
  if (state === null || typeof state !== "object") return state;
  if (Array.isArray(state)) return mapped(state, (item) => redacted(item)) as T;
  let copy: Record<string, unknown> | undefined;
  for (const [name, member] of Object.entries(state)) {
    const clean = carriesSecrets.has(name) && Array.isArray(member) ? mapped(member, withoutValue) : redacted(member);
    if (clean === member) continue;
    copy ??= { ...(state as Record<string, unknown>) };
    copy[name] = clean;
  }
  return (copy ?? state) as T;
}

function withoutValue(variable: unknown): unknown {
  if (variable === null || typeof variable !== "object" || !("value" in variable)) return variable;
  return { ...variable, value: MASK };
}

/** The same array when nothing in it changes. */
function mapped(items: readonly unknown[], change: (item: unknown) => unknown): readonly unknown[] {
  const changed = items.map(change);
  return changed.every((item, index) => item === items[index]) ? items : changed;
}
