import { InvalidArgumentError, LimitExceededError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import { isAlias, isMap, isScalar, isSeq, LineCounter, type ParsedNode, parseAllDocuments, type Scalar } from "yaml";
import { type Branch, type Leaf, type Node, plainFloat, type Store } from "../tree.js";

const NULLS = new Set(["", "~", "null", "Null", "NULL"]);
const TRUE = new Set(["true", "True", "TRUE"]);
const FALSE = new Set(["false", "False", "FALSE"]);
const INTEGER = /^[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)$/;
const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
const DATE = /^(\d{4})-(\d\d?)-(\d\d?)$/;
const TIME = /^(\d{4}-\d\d?-\d\d?)(?:[Tt](\d\d?:\d\d?:\d\d?)(\.\d+)?(Z|[-+]\d\d:\d\d)| (\d\d?:\d\d?:\d\d?)(\.\d+)?)$/;

/** YAML as SOPS reads it: only words that YAML 1.2 knows are booleans, so `yes` is a text. */
export const yamlStore: Store = {
  metadata: "nested",
  parse(text) {
    const lines = new LineCounter();
    const documents = parseAllDocuments(text, { schema: "failsafe", lineCounter: lines, prettyErrors: false });
    if (!Array.isArray(documents)) return [];
    if (documents.length > limits.yamlDocuments) throw new LimitExceededError("too many documents");
    return documents.map((document) => {
      const problem = document.errors[0];
      if (problem) {
        const { line } = lines.linePos(problem.pos[0]);
        throw new InvalidArgumentError("", `line ${line}: ${problem.code.toLowerCase().replaceAll("_", " ")}`);
      }
      const at = (node: ParsedNode) => `line ${lines.linePos(node.range[0]).line}`;
      const { contents } = document;
      if (contents === null || (isScalar(contents) && plainLeaf(contents, at).type === "null")) return [];
      const node = nodeOf(contents, at, 0);
      if (node.kind !== "map") throw new InvalidArgumentError("", `${at(contents)}: a document must be a mapping`);
      return node.entries;
    });
  },
  emit: (branches) => branches.map((branch) => `---\n${block(branch, "")}`).join(""),
};

function nodeOf(node: ParsedNode, at: (node: ParsedNode) => string, depth: number): Node {
  if (depth > limits.documentDepth) throw new LimitExceededError(`${at(node)}: nested too deep`);
  if (isMap(node)) {
    const entries = node.items.map(({ key, value }): readonly [string, Node] => {
      const name = isScalar(key) ? plainLeaf(key as Scalar.Parsed, at) : undefined;
      if (name?.type !== "str") throw new InvalidArgumentError("", `${at(key)}: only texts can be keys`);
      const below = value ? nodeOf(value, at, depth + 1) : NULL;
      return [name.text, below];
    });
    return { kind: "map", entries };
  }
  if (isSeq(node)) return { kind: "list", items: node.items.map((item) => nodeOf(item as ParsedNode, at, depth + 1)) };
  if (isAlias(node)) throw new InvalidArgumentError("", `${at(node)}: SOPS writes no aliases, and none is read`);
  return { kind: "leaf", leaf: plainLeaf(node as Scalar.Parsed, at) };
}

const NULL: Node = { kind: "leaf", leaf: { type: "null", text: "" } };

function plainLeaf(node: Scalar.Parsed, at: (node: ParsedNode) => string): Leaf {
  const text = String(node.value ?? "");
  const tag = node.tag?.replace("tag:yaml.org,2002:", "!!");
  if (tag === "!!binary") return { type: "str", text: Buffer.from(text, "base64").toString("utf8") };
  if (tag !== undefined && !["!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp"].includes(tag)) {
    throw new InvalidArgumentError("", `${at(node)}: the tag ${tag.slice(0, 40)} is not known`);
  }
  if (tag === "!!str" || (node.type !== "PLAIN" && tag === undefined)) return { type: "str", text };
  return resolve(text);
}

/** The type of a plain scalar. */
export function resolve(text: string): Leaf {
  if (NULLS.has(text)) return { type: "null", text: "" };
  if (TRUE.has(text)) return { type: "bool", text: "True" };
  if (FALSE.has(text)) return { type: "bool", text: "False" };
  const digits = text.replaceAll("_", "");
  if (INTEGER.test(digits)) return { type: "int", text: decimal(digits) };
  if (FLOAT.test(digits)) return { type: "float", text: plainFloat(Number(digits)) };
  const date = DATE.exec(text);
  if (date) return { type: "time", text: `${dateOf(text)}T00:00:00Z` };
  const time = TIME.exec(text);
  if (time) {
    const day = time[1] ?? "";
    const clock = time[2] ?? time[5] ?? "";
    const fraction = time[3] ?? time[6] ?? "";
    const zone = time[4] ?? "Z";
    const trimmed = fraction.replace(/\.?0+$/, "");
    return { type: "time", text: `${dateOf(day)}T${clockOf(clock)}${trimmed}${zoneOf(zone)}` };
  }
  return { type: "str", text };
}

const dateOf = (text: string): string => text.replace(/-(\d)(?!\d)/g, "-0$1");

const clockOf = (text: string): string =>
  text
    .split(":")
    .map((part) => part.padStart(2, "0"))
    .join(":");

const zoneOf = (zone: string): string => (/^[-+]00:00$/.test(zone) ? "Z" : zone);

function decimal(text: string): string {
  const negative = text.startsWith("-");
  let digits = text.replace(/^[-+]/, "");
  if (/^0[0-7]+$/.test(digits)) digits = `0o${digits.slice(1)}`;
  const value = BigInt(digits.toLowerCase());
  return String(negative ? -value : value);
}

/** A mapping in block form; texts are always quoted, so that no reader takes them for something else. */
function block(entries: Branch, indent: string): string {
  if (entries.length === 0) return `${indent}{}\n`;
  return entries.map(([key, value]) => `${indent}${quoted(key)}:${below(value, indent)}`).join("");
}

function below(node: Node, indent: string): string {
  if (node.kind === "leaf") return ` ${scalar(node.leaf)}\n`;
  const inner = `${indent}  `;
  if (node.kind === "map") return node.entries.length === 0 ? " {}\n" : `\n${block(node.entries, inner)}`;
  if (node.items.length === 0) return " []\n";
  return `\n${node.items.map((item) => `${indent}- ${dashed(item, inner)}`).join("")}`;
}

/** What stands after a dash: the first line goes on it. */
function dashed(item: Node, inner: string): string {
  const text =
    item.kind === "map" && item.entries.length > 0
      ? block(item.entries, inner)
      : item.kind === "list" && item.items.length > 0
        ? item.items.map((each) => `${inner}- ${dashed(each, `${inner}  `)}`).join("")
        : `${inner}${below(item, inner).trimStart()}`;
  return text.slice(inner.length);
}

function scalar({ type, text }: Leaf): string {
  if (type === "null") return "null";
  if (type === "bool") return text.toLowerCase();
  // A float that looks like an integer would be read as one.
  if (type === "float") return /^-?\d+$/.test(text) ? `${text}.0` : text;
  return type === "str" || type === "time" ? quoted(text) : text;
}

/** JSON's form is YAML's too, once what YAML calls not printable is escaped. */
const quoted = (text: string): string =>
  JSON.stringify(text).replace(
    /[\p{Cc}\u2028\u2029\ufeff\ufffe\uffff]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
