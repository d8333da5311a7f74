import { RE2JS } from "re2js";
import { FunctionError } from "../errors.js";
import type { GoFunction, State } from "../state.js";
import { quote } from "../strconv.js";
import { strings } from "../values.js";

const MAX_PATTERN = 10_000;
const compiled = new Map<string, RE2JS>();

/** Compiles a pattern of Go's regexp; the last few hundred are kept. */
function compile(pattern: string): RE2JS {
  const known = compiled.get(pattern);
  if (known) return known;
  if (pattern.length > MAX_PATTERN) throw new FunctionError("error parsing regexp: expression too large");
  let regex: RE2JS;
  try {
    regex = RE2JS.compile(pattern);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new FunctionError(text.startsWith("error parsing regexp") ? text : `error parsing regexp: ${text}`);
  }
  if (compiled.size > 500) compiled.clear();
  compiled.set(pattern, regex);
  return regex;
}

/** What a `must…` function without an error result panics with. */
function mustCompile(pattern: string): RE2JS {
  try {
    return compile(pattern);
  } catch (error) {
    const shown = pattern.includes("`") ? quote(pattern) : `\`${pattern}\``;
    throw new FunctionError(`regexp: Compile(${shown}): ${(error as Error).message}`);
  }
}

type Match = {
  readonly start: number;
  readonly end: number;
  group(index: number): string | null;
  named(name: string): number;
};

/** Matches from left to right; an empty one right after another is none, as in Go. */
function* matches(regex: RE2JS, text: string, state: State): Generator<Match> {
  const matcher = regex.matcher(text);
  const names = regex.namedGroups() as Record<string, number>;
  let previousEnd = -1;
  let at = 0;
  while (at <= text.length && matcher.find(at)) {
    state.step(4);
    const start = matcher.start();
    const end = matcher.end();
    if (end > start || start !== previousEnd) {
      yield {
        start,
        end,
        group: (index) => (index > matcher.groupCount() ? null : matcher.group(index)),
        named: (name) => names[name] ?? -1,
      };
    }
    previousEnd = end;
    at = end > start ? end : end + ((text.codePointAt(end) ?? 0) > 0xffff ? 2 : 1);
  }
}

function findAll(regex: RE2JS, text: string, count: number, state: State): string[] {
  const found: string[] = [];
  if (count === 0) return found;
  for (const { start, end } of matches(regex, text, state)) {
    found.push(text.slice(start, end));
    if (count > 0 && found.length >= count) break;
  }
  return found;
}

const find = (regex: RE2JS, text: string): string => {
  const matcher = regex.matcher(text);
  return matcher.find() ? (matcher.group() ?? "") : "";
};

/** Puts the groups of a match in for `$1`, `${1}` and `$name`; `$$` is a dollar. */
function expand(template: string, match: Match): string {
  return template.replace(/\$(?:\$|\{(\w+)\}|(\w+))?/g, (whole, braced?: string, bare?: string) => {
    if (whole === "$$") return "$";
    const name = braced ?? bare;
    if (name === undefined) return "$";
    const index = /^[0-9]+$/.test(name) && !(name.length > 1 && name[0] === "0") ? Number(name) : match.named(name);
    return index < 0 ? "" : (match.group(index) ?? "");
  });
}

function replace(regex: RE2JS, text: string, state: State, replacement: (match: Match) => string): string {
  let out = "";
  let last = 0;
  for (const match of matches(regex, text, state)) {
    out += text.slice(last, match.start) + replacement(match);
    last = match.end;
    state.checkSize(out.length);
  }
  return out + text.slice(last);
}

function split(regex: RE2JS, text: string, count: number, state: State): { parts: string[]; nil: boolean } {
  if (count === 0) return { parts: [], nil: true };
  if (regex.pattern().length > 0 && text === "") return { parts: [""], nil: false };
  const parts: string[] = [];
  let begin = 0;
  let end = 0;
  for (const match of matches(regex, text, state)) {
    if (count > 0 && parts.length === count - 1) break;
    end = match.start;
    if (match.end !== 0) parts.push(text.slice(begin, end));
    begin = match.end;
  }
  if (end !== text.length) parts.push(text.slice(begin));
  return { parts, nil: false };
}

const two = ["string", "string"] as const;
const three = ["string", "string", "string"] as const;
const counted = ["string", "string", "int"] as const;

/** Each function twice: the plain one panics on a bad pattern, the other returns the error. */
const pairs: Readonly<Record<string, (compileFn: (pattern: string) => RE2JS) => GoFunction>> = {
  FindAll: (get) => ({
    params: counted,
    call: ([pattern, text, count], state) => {
      const found = findAll(get(pattern), text, count, state);
      return strings(found, found.length === 0);
    },
  }),
  Find: (get) => ({ params: two, call: ([pattern, text]) => find(get(pattern), text) }),
  ReplaceAll: (get) => ({
    params: three,
    call: ([pattern, text, replacement], state) =>
      replace(get(pattern), text, state, (match) => expand(replacement, match)),
  }),
  ReplaceAllLiteral: (get) => ({
    params: three,
    call: ([pattern, text, replacement], state) => replace(get(pattern), text, state, () => replacement),
  }),
  Split: (get) => ({
    params: counted,
    call: ([pattern, text, count], state) => {
      const { parts, nil } = split(get(pattern), text, count, state);
      return strings(parts, nil);
    },
  }),
};

const matchesText = (regex: RE2JS, text: string) => regex.matcher(text).find();

export const regexFunctions: Readonly<Record<string, GoFunction>> = {
  regexMatch: {
    params: two,
    call: ([pattern, text]) => {
      let regex: RE2JS;
      try {
        regex = compile(pattern);
      } catch (error) {
        if (error instanceof FunctionError) return false;
        throw error;
      }
      return matchesText(regex, text);
    },
  },
  mustRegexMatch: { params: two, call: ([pattern, text]) => matchesText(compile(pattern), text) },
  ...Object.fromEntries(
    Object.entries(pairs).flatMap(([name, make]) => [
      [`regex${name}`, make(mustCompile)],
      [`mustRegex${name}`, make(compile)],
    ]),
  ),
  regexQuoteMeta: { params: ["string"], call: ([text]) => text.replace(/[\\.+*?()|[\]{}^$]/g, "\\$&") },
};
