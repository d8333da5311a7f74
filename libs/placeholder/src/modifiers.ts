import { createHash } from "node:crypto";
import { jsonPath } from "@tiphys/json-path";
import { parseYaml } from "@tiphys/yaml";

/** Why a modifier cannot be applied; says nothing of the value. */
export class ModifierProblem extends Error {}

type Modifier = (value: unknown, parameters: readonly string[]) => unknown;

const textOf = (value: unknown): string => {
  if (typeof value === "string") return value;
  throw new ModifierProblem("the value is no text");
};

/** A modifier of texts that takes no parameters. */
const ofText =
  (change: (text: string) => unknown): Modifier =>
  (value, parameters) => {
    if (parameters.length > 0) throw new ModifierProblem("it takes no parameters");
    return change(textOf(value));
  };

function parsed(text: string, parse: (text: string) => unknown, format: string): unknown {
  try {
    return parse(text);
  } catch {
    // The parser's own message would show what it has read.
    throw new ModifierProblem(`the value is not ${format}`);
  }
}

const json = (text: string): unknown => parsed(text, (each) => JSON.parse(each), "JSON");

/** Text with `{…}` in it, as `kubectl -o jsonpath` prints it. */
function printedPath(value: unknown, template: string): string {
  const document = typeof value === "string" ? json(value) : value;
  const print = (found: unknown) => (typeof found === "string" ? found : JSON.stringify(found));
  const expression = (text: string): string => {
    let found: unknown[];
    try {
      found = jsonPath(text, document);
    } catch {
      throw new ModifierProblem(`${template} is no JSONPath`);
    }
    if (found.length === 0) throw new ModifierProblem(`${template} is not found`);
    return found.map(print).join(" ");
  };
  if (!template.includes("{")) throw new ModifierProblem("a JSONPath is written {…}");
  return template.replace(/\{[^{}]*\}/g, (text) => expression(text));
}

const pad = (level: number): string => " ".repeat(Math.max(0, level));
const MOST_INDENT = 1000;

function indented(value: unknown, parameters: readonly string[]): string {
  const level = parameters.length === 1 ? Number(parameters[0]) : Number.NaN;
  if (!Number.isInteger(level) || level > MOST_INDENT) throw new ModifierProblem("it takes a number of spaces");
  const lines = textOf(value).split("\n");
  // Empty lines go; a text that ends a line still does.
  const ended = (text: string, at: number) => (at < lines.length - 1 ? `${text}\n` : text);
  return lines
    .map((line, at) => (at === 0 ? ended(line.trim(), at) : line === "" ? "" : ended(pad(level) + line.trim(), at)))
    .join("");
}

export const modifiers: Readonly<Record<string, Modifier>> = {
  base64encode: ofText((text) => Buffer.from(text).toString("base64")),
  base64decode: ofText((text) => Buffer.from(text, "base64").toString("utf8")),
  jsonParse: ofText(json),
  yamlParse: ofText((text) => parsed(text, (each) => parseYaml(each, { file: "a value" }), "YAML")),
  jsonPath: (value, parameters) => printedPath(value, parameters.join(" ")),
  sha256sum: ofText((text) => createHash("sha256").update(text).digest("hex")),
  indent: indented,
};
