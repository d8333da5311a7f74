import { TiphysError } from "@tiphys/errors";

/** A random number generator in [0, 1) that gives the same numbers for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const nasty = [
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "",
  "\u0000",
  "\uD800",
  "💥",
  "-1",
  "1e999",
  "99999999999999999999",
  "NaN",
  "null",
  "{{",
  "}}",
  "'",
  '"',
  "\\",
  "((((((((((",
  "[[[[[[[[[[",
  "{{{{{{{{{{",
  "..",
  "**",
  "!!",
  "\n",
  "\t",
  "%",
];

/** Chooses one. */
export const oneOf = <T>(random: () => number, values: readonly T[]): T =>
  values[Math.floor(random() * values.length)] as T;

/** `text` with a few things cut out, doubled, swapped or put in. */
export function mutate(text: string, random: () => number): string {
  let result = text;
  for (let times = 1 + Math.floor(random() * 4); times > 0; times--) {
    const at = Math.floor(random() * (result.length + 1));
    const to = Math.min(result.length, at + Math.floor(random() * 8));
    const [before, part, after] = [result.slice(0, at), result.slice(at, to), result.slice(to)];
    switch (Math.floor(random() * 5)) {
      case 0:
        result = before + after;
        break;
      case 1:
        result = before + part + part + after;
        break;
      case 2:
        result = before + oneOf(random, nasty) + after;
        break;
      case 3:
        result = before + String.fromCharCode(Math.floor(random() * 128)) + after;
        break;
      default:
        result = before + [...part].reverse().join("") + after;
    }
  }
  return result;
}

/** JSON of every shape, at most `depth` levels deep. */
export function randomJson(random: () => number, depth = 4): unknown {
  const kind = Math.floor(random() * (depth > 0 ? 8 : 5));
  if (kind < 2) return oneOf(random, nasty);
  if (kind === 2) return oneOf(random, [0, -1, 1.5, 2 ** 53, -(2 ** 31), 1e300]);
  if (kind === 3) return random() < 0.5;
  if (kind === 4) return null;
  const count = Math.floor(random() * 4);
  const items = Array.from({ length: count }, () => randomJson(random, depth - 1));
  if (kind === 5) return items;
  return Object.fromEntries(items.map((item) => [oneOf(random, [...nasty, "a", "name", "spec", "metadata"]), item]));
}

/** Longest time for one input, in milliseconds: far above what any takes, far below a hang. */
const HANG_MS = 20_000;

/**
 * Calls `run` with every input: it may answer, or refuse with an error of ours. Anything else, a TypeError, a RangeError
 * or a long think, is a bug, and the input that shows it is in the message.
 */
export function survives<T>(inputs: Iterable<T>, run: (input: T) => unknown): void {
  for (const input of inputs) {
    const start = performance.now();
    const shown = () =>
      (typeof input === "string" ? JSON.stringify(input) : String(JSON.stringify(input))).slice(0, 600);
    try {
      run(input);
    } catch (cause) {
      if (!(cause instanceof TiphysError)) throw new Error(`${cause} on ${shown()}`, { cause });
    }
    const took = performance.now() - start;
    if (took > HANG_MS) throw new Error(`took ${Math.round(took)} ms on ${shown()}`);
    if (({} as Record<string, unknown>)["polluted"] !== undefined) throw new Error(`prototype polluted by ${shown()}`);
  }
}

/** `count` mutations of `samples`, the samples themselves first. */
export function* mutations(samples: readonly string[], count: number, seed = 1): Iterable<string> {
  const random = seeded(seed);
  yield* samples;
  for (let i = 0; i < count; i++) {
    let text = oneOf(random, samples);
    for (let rounds = 1 + Math.floor(random() * 3); rounds > 0; rounds--) text = mutate(text, random);
    yield text;
  }
}

/** `part` again and again: what recursive descent falls over. */
export const nested = (open: string, inner: string, close: string, depth: number): string =>
  open.repeat(depth) + inner + close.repeat(depth);
