import { limits } from "@tiphys/limits";
import type { WorkflowStep } from "@tiphys/resources";

/** A loop that cannot be run. */
export class LoopError extends Error {}

export const isLoop = (step: WorkflowStep): boolean =>
  step.withItems !== undefined || step.withParam !== undefined || step.withSequence !== undefined;

/** The items of a loop; texts of the loop are passed through `text` to resolve their tags. */
export function loopItems(step: WorkflowStep, text: (raw: string) => string): readonly unknown[] {
  const items = itemsOf(step, text);
  if (items.length > limits.loopItems)
    throw new LoopError(`a loop of ${items.length} items is longer than ${limits.loopItems}`);
  return items;
}

function itemsOf(step: WorkflowStep, text: (raw: string) => string): readonly unknown[] {
  if (step.withItems !== undefined) {
    return step.withItems.map((item) => (typeof item === "string" && item.includes("{{") ? text(item) : item));
  }
  if (step.withParam !== undefined) {
    const value = text(step.withParam);
    let parsed: unknown;
    try {
      parsed = JSON.parse(value);
    } catch {
      parsed = undefined;
    }
    if (!Array.isArray(parsed)) {
      throw new LoopError(`withParam value could not be parsed as a JSON list: ${value.slice(0, 100)}`);
    }
    return parsed;
  }
  return sequence(step.withSequence ?? {}, text);
}

function sequence(spec: NonNullable<WorkflowStep["withSequence"]>, text: (raw: string) => string): string[] {
  const number = (field: "start" | "end" | "count") => {
    const raw = spec[field];
    if (raw === undefined || raw === null) return undefined;
    const value = text(String(raw));
    if (!/^-?\d+$/.test(value)) throw new LoopError(`withSequence.${field} "${value}" is not an integer`);
    return Number(value);
  };
  const start = number("start") ?? 0;
  const count = number("count");
  const end = number("end") ?? (count === undefined ? undefined : start + count - 1);
  if (count !== undefined && count <= 0) return [];
  if (end === undefined) throw new LoopError("must have end or count in withSequence");
  const length = Math.abs(end - start) + 1;
  if (length > limits.loopItems) throw new LoopError(`a loop of ${length} items is longer than ${limits.loopItems}`);
  const step = end < start ? -1 : 1;
  return Array.from({ length }, (_, index) => formatted(start + index * step, spec.format));
}

/** Go's %d, %x, %o, %b with flags and width; other text stays. */
function formatted(value: number, format: string | undefined): string {
  if (!format) return String(value);
  return format.replace(/%%|%([-0+ ]*)(\d*)([dxXob])/g, (all, flags: string, width: string, verb: string) => {
    if (all === "%%") return "%";
    const base = { d: 10, x: 16, X: 16, o: 8, b: 2 }[verb] ?? 10;
    let digits = Math.abs(value).toString(base);
    if (verb === "X") digits = digits.toUpperCase();
    const sign = value < 0 ? "-" : flags.includes("+") ? "+" : flags.includes(" ") ? " " : "";
    const room = Number(width || 0);
    if (flags.includes("-")) return (sign + digits).padEnd(room);
    return flags.includes("0") ? sign + digits.padStart(room - sign.length, "0") : (sign + digits).padStart(room);
  });
}
