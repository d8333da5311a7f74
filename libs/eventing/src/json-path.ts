import { InvalidArgumentError, UnimplementedError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";

/** Largest index that a write may create: missing items before it become null. */
const MAX_INDEX = 10_000;

interface Part {
  readonly text: string;
  /** Written with `*` or `?`, unescaped. */
  readonly glob: boolean;
}

/** Splits a path at unescaped dots and pipes, leaving `#(…)` queries whole. */
function split(path: string): Part[] {
  const parts: Part[] = [];
  let text = "";
  let glob = false;
  let depth = 0;
  let quoted = false;
  for (let index = 0; index < path.length; index++) {
    const character = path[index]!;
    if (character === "\\" && index + 1 < path.length) {
      text += depth > 0 ? character + path[++index] : path[++index];
      continue;
    }
    if (depth > 0 && character === '"') quoted = !quoted;
    if (!quoted && (character === "(" || character === "[") && (depth > 0 || text.endsWith("#"))) depth++;
    else if (!quoted && depth > 0 && (character === ")" || character === "]")) depth--;
    if (depth === 0 && (character === "." || character === "|")) {
      parts.push({ text, glob });
      text = "";
      glob = false;
      continue;
    }
    if (depth === 0 && (character === "*" || character === "?")) glob = true;
    text += character;
  }
  parts.push({ text, glob });
  if (parts.length > limits.documentDepth || path.length > limits.expressionBytes)
    throw new InvalidArgumentError("", `path "${path.slice(0, 40)}…" is longer than any data is deep`);
  return parts;
}

const has = (value: object, key: string) => Object.hasOwn(value, key);
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Matches `*` and `?` in time pattern × text, whatever the pattern: a regular expression would try every split. */
function globMatcher(pattern: string): (key: string) => boolean {
  const wanted = [...pattern];
  return (key) => {
    const text = [...key];
    let at = 0;
    let star = -1;
    let resume = 0;
    for (let index = 0; index < text.length; ) {
      if (wanted[at] === "*") {
        star = at++;
        resume = index;
      } else if (at < wanted.length && (wanted[at] === "?" || wanted[at] === text[index])) {
        at++;
        index++;
      } else if (star >= 0) {
        at = star + 1;
        index = ++resume;
      } else return false;
    }
    while (wanted[at] === "*") at++;
    return at === wanted.length;
  };
}

/**
 * The value at a gjson path, or undefined when there is none: keys, indexes, `#`, `#(query)`, `#(query)#`, `*`, `?` and
 * `\` escapes. Modifiers (`@`), multipaths (`{`, `[`) and literals (`!`) are refused by name.
 */
export function getPath(data: unknown, path: string): unknown {
  const special = /^[@!{[]/.exec(path);
  if (special) throw new UnimplementedError(`gjson path "${path}" (starting with ${special[0]})`);
  return walk(data, split(path), 0, path);
}

function walk(value: unknown, parts: readonly Part[], at: number, path: string): unknown {
  const part = parts[at];
  if (!part) return value;
  if (part.text.startsWith("@")) throw new UnimplementedError(`gjson modifier ${part.text}`);
  const rest = (found: unknown) => (found === undefined ? undefined : walk(found, parts, at + 1, path));
  if (Array.isArray(value)) {
    if (part.text === "#") {
      if (at === parts.length - 1) return value.length;
      return value.map(rest).filter((item) => item !== undefined);
    }
    if (part.text.startsWith("#(") || part.text.startsWith("#[")) {
      const all = part.text.endsWith("#");
      const query = part.text.slice(2, all ? -2 : -1);
      const matches = queryMatcher(query, path);
      if (!all) return rest(value.find(matches));
      return value
        .filter(matches)
        .map(rest)
        .filter((item) => item !== undefined);
    }
    return /^\d+$/.test(part.text) ? rest(value[Number(part.text)]) : undefined;
  }
  if (!isRecord(value)) return undefined;
  if (part.glob) {
    const matches = globMatcher(part.text);
    const key = Object.keys(value).find(matches);
    return key === undefined ? undefined : rest(value[key]);
  }
  return has(value, part.text) ? rest(value[part.text]) : undefined;
}

const comparisons: Record<string, (left: string | number, right: string | number) => boolean> = {
  "=": (left, right) => left === right,
  "==": (left, right) => left === right,
  "!=": (left, right) => left !== right,
  "<": (left, right) => left < right,
  "<=": (left, right) => left <= right,
  ">": (left, right) => left > right,
  ">=": (left, right) => left >= right,
  "%": (left, right) => globMatcher(String(right))(String(left)),
  "!%": (left, right) => !globMatcher(String(right))(String(left)),
};

function queryMatcher(query: string, path: string): (item: unknown) => boolean {
  const [key, operator, literal] = splitQuery(query);
  if (operator === "") return (item) => getPath(item, key) !== undefined;
  const compare = comparisons[operator]!;
  const quoted = /^"(.*)"$/s.exec(literal);
  const wanted: unknown = quoted ? quoted[1]!.replace(/\\(.)/g, "$1") : scalar(literal, path);
  return (item) => {
    const value = key === "" ? item : getPath(item, key);
    if (typeof value === "boolean" || value === null) return compare(String(value), String(wanted));
    if (typeof value !== "string" && typeof value !== "number") return false;
    return typeof value === typeof wanted ? compare(value, wanted as string | number) : operator.startsWith("!");
  };
}

/** Key, operator and literal of a query; the operator is the first one outside nested queries and quotes. */
function splitQuery(query: string): [key: string, operator: string, literal: string] {
  let depth = 0;
  let quoted = false;
  for (let index = 0; index < query.length; index++) {
    const character = query[index]!;
    if (character === "\\") index++;
    else if (character === '"') quoted = !quoted;
    else if (!quoted && character === "(") depth++;
    else if (!quoted && character === ")") depth--;
    else if (!quoted && depth === 0) {
      const operator = /^(==|!=|<=|>=|!%|=|<|>|%)/.exec(query.slice(index))?.[0];
      if (operator) return [query.slice(0, index).trim(), operator, query.slice(index + operator.length).trim()];
    }
  }
  return [query.trim(), "", ""];
}

function scalar(literal: string, path: string): unknown {
  if (literal === "true" || literal === "false" || literal === "null") return literal;
  const number = Number(literal);
  if (literal === "" || Number.isNaN(number))
    throw new InvalidArgumentError("", `gjson path "${path}": bad query value`);
  return number;
}

/** How a picked value is written as text: strings as they are, null as nothing, the rest as JSON. */
export function asText(value: unknown): string {
  if (typeof value === "string") return value;
  return value === null || value === undefined ? "" : JSON.stringify(value);
}

/** A copy of `data` with `value` at an sjson path: missing parents are made, `-1` adds to a list, `:0` is a key. */
export function setPath(data: unknown, path: string, value: unknown): unknown {
  if (path === "") throw new InvalidArgumentError("dest", "is empty");
  const parts = split(path);
  for (const part of parts) {
    if (part.glob || part.text.startsWith("#") || part.text.startsWith("@")) {
      throw new InvalidArgumentError("dest", `"${path}" cannot be written to: wildcards and queries only read`);
    }
  }
  return put(data, parts, 0, value, path);
}

function put(data: unknown, parts: readonly Part[], at: number, value: unknown, path: string): unknown {
  const part = parts[at];
  if (!part) return value;
  const index = /^(\d+|-1)$/.test(part.text) ? Number(part.text) : undefined;
  if (Array.isArray(data) || (index !== undefined && !isRecord(data))) {
    const list = Array.isArray(data) ? [...data] : [];
    if (index === undefined)
      throw new InvalidArgumentError("dest", `"${path}": ${part.text} is not an index of the list`);
    const place = index === -1 ? list.length : index;
    if (place > MAX_INDEX) throw new InvalidArgumentError("dest", `"${path}": index ${place} is above ${MAX_INDEX}`);
    while (list.length < place) list.push(null);
    list[place] = put(list[place], parts, at + 1, value, path);
    return list;
  }
  const key = part.text.startsWith(":") ? part.text.slice(1) : part.text;
  const record: Record<string, unknown> = isRecord(data) ? { ...data } : {};
  const before = has(record, key) ? record[key] : undefined;
  // defineProperty: a part named __proto__ must stay data.
  Object.defineProperty(record, key, {
    value: put(before, parts, at + 1, value, path),
    enumerable: true,
    writable: true,
    configurable: true,
  });
  return record;
}
