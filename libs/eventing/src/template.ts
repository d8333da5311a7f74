import { InvalidArgumentError, UnimplementedError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";

/** A compiled template; throws when a value it names is missing or the output is empty. */
export type Template = (input: unknown) => string;

type Value = (input: unknown) => unknown;

/** JSON for what is no text: data may have a `toString` of its own that is no function. */
const written = (value: unknown): string =>
  value !== null && typeof value === "object" ? JSON.stringify(value) : String(value);

/** The Sprig functions that event templates may use so far, with the piped value last. */
const functions: Record<string, (...values: readonly unknown[]) => unknown> = {
  lower: (text) => written(text).toLowerCase(),
  upper: (text) => written(text).toUpperCase(),
  trim: (text: unknown) => written(text).trim(),
  quote: (text) => JSON.stringify(written(text)),
  toJson: (value) => JSON.stringify(value),
  toString: (value: unknown) => written(value),
  trimPrefix: (prefix, text) =>
    written(text).startsWith(written(prefix)) ? written(text).slice(written(prefix).length) : text,
  trimSuffix: (suffix, text) =>
    written(text).endsWith(written(suffix))
      ? written(text).slice(0, written(text).length - written(suffix).length)
      : text,
  replace: (from, to, text) => written(text).replaceAll(written(from), written(to)),
  trunc: (length, text) =>
    Number(length) < 0 ? written(text).slice(Number(length)) : written(text).slice(0, Number(length)),
  default: (fallback: unknown, value: unknown) =>
    value === undefined || value === null || value === "" || value === 0 ? fallback : value,
  b64enc: (text) => Buffer.from(written(text)).toString("base64"),
  b64dec: (text) => Buffer.from(written(text), "base64").toString(),
  index: (value: unknown, ...keys: readonly unknown[]) =>
    keys.reduce((at: unknown, key) => {
      if (Array.isArray(at)) return at[Number(key)];
      return typeof at === "object" && at !== null && Object.hasOwn(at, String(key))
        ? (at as Record<string, unknown>)[String(key)]
        : undefined;
    }, value),
};

/** Functions that make something of a missing value. */
const acceptMissing = new Set(["default"]);

/**
 * The part of Go's text/template that event parameters use: `{{ .Input.a.b }}`, literals, pipelines and the functions
 * above. Anything beyond (if, range, variables, other Sprig functions) is refused by name.
 */
export function compileTemplate(source: string): Template {
  if (source.length > limits.expressionBytes)
    throw new InvalidArgumentError("", `the template is longer than ${limits.expressionBytes} characters`);
  const pieces: (string | Value)[] = [];
  const pattern = /\{\{(- )?((?:"(?:\\.|[^"\\])*"|`[^`]*`|(?!\}\}|\{\{).)*?)( -)?\}\}/gs;
  let at = 0;
  let trimNext = false;
  const literal = (text: string) => pieces.push(trimNext ? text.trimStart() : text);
  for (const found of source.matchAll(pattern)) {
    const before = source.slice(at, found.index);
    literal(found[1] ? before.trimEnd() : before);
    pieces.push(pipeline(found[2]!.trim(), source));
    trimNext = found[3] !== undefined;
    at = found.index + found[0].length;
  }
  literal(source.slice(at));
  if (pieces.some((piece) => typeof piece === "string" && piece.includes("{{"))) {
    throw new InvalidArgumentError("", `template "${source}" has an unclosed action`);
  }
  return (input) => {
    const output = pieces.map((piece) => (typeof piece === "string" ? piece : shown(piece(input), source))).join("");
    if (output === "") throw new InvalidArgumentError("", `template "${source}" gave an empty text`);
    return output;
  };
}

function shown(value: unknown, source: string): string {
  if (value === undefined)
    throw new InvalidArgumentError("", `template "${source}" names a value that the event does not have`);
  if (value !== null && typeof value === "object") return JSON.stringify(value);
  return value === null ? "<nil>" : String(value);
}

function pipeline(text: string, source: string): Value {
  if (/^(\/\*|if\b|range\b|with\b|else\b|end\b|define\b|template\b|block\b|\$)/.test(text)) {
    throw new UnimplementedError(`template action "${text.split(/\s/)[0]}" in event templates`);
  }
  let value: Value | undefined;
  for (const command of splitOutsideQuotes(text, "|")) {
    const words = splitOutsideQuotes(command.trim(), " ").filter((word) => word !== "");
    if (words.length === 0) throw new InvalidArgumentError("", `template "${source}" has an empty command`);
    value = commandOf(words, value, source);
  }
  return value!;
}

function commandOf(words: readonly string[], piped: Value | undefined, source: string): Value {
  const [head = "", ...rest] = words;
  if (/^[A-Za-z]\w*$/.test(head) && head !== "true" && head !== "false" && head !== "nil") {
    const call = Object.hasOwn(functions, head) ? functions[head] : undefined;
    if (!call) throw new UnimplementedError(`template function "${head}" in event templates`);
    const values = [...rest.map((word) => operand(word, source)), ...(piped ? [piped] : [])];
    return (input) => {
      const given = values.map((value) => value(input));
      if (!acceptMissing.has(head) && given.includes(undefined)) return undefined;
      return call(...given);
    };
  }
  if (rest.length > 0 || piped) throw new InvalidArgumentError("", `template "${source}": ${head} is not a function`);
  return operand(head, source);
}

function operand(word: string, source: string): Value {
  if (word === ".") return (input) => ({ Input: input });
  if (/^\.[A-Za-z_]/.test(word)) {
    const keys = word.slice(1).split(".");
    if (keys.shift() !== "Input")
      throw new InvalidArgumentError("", `template "${source}": values start with .Input, not ${word}`);
    return (input) => functions["index"]!(input, ...keys);
  }
  if (/^"(\\.|[^"\\])*"$/s.test(word)) return constant(quoted(word, source));
  if (/^`[^`]*`$/s.test(word)) return constant(word.slice(1, -1));
  if (word === "true" || word === "false") return constant(word === "true");
  if (word === "nil") return constant(null);
  if (/^-?\d+(\.\d+)?$/.test(word)) return constant(Number(word));
  throw new UnimplementedError(`"${word}" in event templates`);
}

function quoted(word: string, source: string): string {
  try {
    return JSON.parse(word);
  } catch (cause) {
    throw new InvalidArgumentError("", `template "${source}": ${word} has an escape that is not known`, { cause });
  }
}

const constant =
  (value: unknown): Value =>
  () =>
    value;

function splitOutsideQuotes(text: string, separator: string): string[] {
  const parts: string[] = [];
  let part = "";
  let quote = "";
  for (let index = 0; index < text.length; index++) {
    const character = text[index]!;
    if (quote === '"' && character === "\\") part += character + (text[++index] ?? "");
    else if (quote === "" && character === separator) {
      parts.push(part);
      part = "";
    } else {
      if (quote === "" && (character === '"' || character === "`")) quote = character;
      else if (character === quote) quote = "";
      part += character;
    }
  }
  parts.push(part);
  return parts;
}
