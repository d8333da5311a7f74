import { LimitExceededError } from "@tiphys/errors";

type Token =
  | { type: "char"; value: string }
  | { type: "any" }
  | { type: "star"; crosses: boolean }
  | { type: "class"; negated: boolean; ranges: readonly [string, string][] };

const LONGEST = 4_096;
const MOST_ALTERNATIVES = 256;

/** Expands `{a,b}` (nested too) into plain patterns. */
function alternatives(pattern: string): string[] {
  let depth = 0;
  let open = -1;
  let commas: number[] = [];
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i];
    if (c === "\\") i++;
    else if (c === "{") {
      if (depth++ === 0) [open, commas] = [i, []];
    } else if (c === "," && depth === 1) commas.push(i);
    else if (c === "}" && depth > 0 && --depth === 0) {
      const cuts = [open, ...commas, i];
      const rest = alternatives(pattern.slice(i + 1));
      const expanded: string[] = [];
      for (let k = 0; k + 1 < cuts.length; k++) {
        for (const inner of alternatives(pattern.slice((cuts[k] ?? 0) + 1, cuts[k + 1]))) {
          for (const tail of rest) expanded.push(pattern.slice(0, open) + inner + tail);
        }
      }
      if (expanded.length > MOST_ALTERNATIVES) throw new LimitExceededError("a glob has too many alternatives");
      return expanded;
    }
  }
  return [pattern];
}

function tokens(pattern: string, separators: string): Token[] {
  const list: Token[] = [];
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i] as string;
    if (c === "\\" && i + 1 < pattern.length) list.push({ type: "char", value: pattern[++i] as string });
    else if (c === "?") list.push({ type: "any" });
    else if (c === "*") {
      const double = pattern[i + 1] === "*";
      if (double) i++;
      list.push({ type: "star", crosses: double || separators === "" });
    } else if (c === "[") {
      const end = pattern.indexOf("]", i + 2);
      if (end < 0) list.push({ type: "char", value: c });
      else {
        let body = pattern.slice(i + 1, end);
        const negated = body.startsWith("!") || body.startsWith("^");
        if (negated) body = body.slice(1);
        const ranges: [string, string][] = [];
        for (let k = 0; k < body.length; k++) {
          const from = body[k] as string;
          if (body[k + 1] === "-" && k + 2 < body.length) {
            ranges.push([from, body[k + 2] as string]);
            k += 2;
          } else ranges.push([from, from]);
        }
        list.push({ type: "class", negated, ranges });
        i = end;
      }
    } else list.push({ type: "char", value: c });
  }
  return list;
}

/** Time is pattern × text: a set of reachable positions, no backtracking. */
function matches(list: readonly Token[], text: string, separators: string): boolean {
  let positions = new Set([0]);
  for (const token of list) {
    const next = new Set<number>();
    for (const at of positions) {
      const c = text[at];
      if (token.type === "star") {
        for (let end = at; ; end++) {
          if (next.has(end)) break;
          next.add(end);
          const step = text[end];
          if (step === undefined || (!token.crosses && separators.includes(step))) break;
        }
      } else if (c !== undefined) {
        const fits =
          token.type === "char"
            ? c === token.value
            : !separators.includes(c) &&
              (token.type === "any" || token.ranges.some(([from, to]) => c >= from && c <= to) !== token.negated);
        if (fits) next.add(at + 1);
      }
    }
    positions = next;
    if (positions.size === 0) return false;
  }
  return positions.has(text.length);
}

/**
 * True when `text` matches the glob: `*`, `**`, `?`, `[a-z]`, `[!a]`, `{a,b}` and `\` to escape. Without separators `*`
 * crosses everything, as Argo CD's globs of directories do.
 */
export function matchGlob(pattern: string, text: string, separators = ""): boolean {
  if (pattern.length > LONGEST) throw new LimitExceededError(`a glob is longer than ${LONGEST} characters`);
  return alternatives(pattern).some((each) => matches(tokens(each, separators), text, separators));
}
