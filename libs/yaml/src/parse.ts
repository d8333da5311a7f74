import { InvalidArgumentError, LimitExceededError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import yaml from "js-yaml";
import { expandAliases } from "./aliases.js";
import { goNodeSchema, goSchema, NonFiniteError, tellNulls } from "./go-schema.js";

export interface ParseOptions {
  /** Named in errors. */
  readonly file?: string;
  /**
   * Reads as kustomize does, which keeps to Go's yaml.v3: `yes`, `on`, `y` and their contraries are texts, dates are
   * said in full, and an empty value (undefined) is told from one that says null.
   */
  readonly asNodes?: boolean;
}

export interface YamlDocument {
  readonly value: unknown;
  /** 1-based line where the document's content starts. */
  readonly line: number;
}

/** Parses a text with one YAML (or JSON) document; an empty text is null. Integers beyond 2^53 become bigint. */
export function parseYaml(text: string, options: ParseOptions = {}): unknown {
  const documents = parseYamlDocuments(text, options);
  if (documents.length > 1) {
    throw new InvalidArgumentError(
      "",
      `${options.file ?? "yaml"}:${documents[1]!.line}:1: expected one document, found ${documents.length}`,
    );
  }
  return documents[0]?.value ?? null;
}

/** Parses every document of a YAML stream, in order; documents without content are left out. */
export function parseYamlDocuments(text: string, options: ParseOptions = {}): YamlDocument[] {
  const file = options.file ?? "yaml";
  // One UTF-16 unit is at least one byte, so a long text is refused without counting its bytes.
  if (text.length > limits.yamlFileBytes || Buffer.byteLength(text) > limits.yamlFileBytes) {
    throw new LimitExceededError(`${file}: larger than ${limits.yamlFileBytes} bytes, split it into several files`);
  }
  const documents: YamlDocument[] = [];
  for (const chunk of split(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text)) {
    for (const value of load(chunk, file, options.asNodes ? goNodeSchema : goSchema)) {
      if (value === null || value === undefined) continue;
      documents.push({ value, line: chunk.contentLine });
      if (documents.length > limits.yamlDocuments) {
        throw new LimitExceededError(`${file}: more than ${limits.yamlDocuments} documents, split it`);
      }
    }
  }
  return documents;
}

interface Chunk {
  readonly text: string;
  /** 1-based line of the chunk's first line. */
  readonly line: number;
  readonly contentLine: number;
}

const contentPattern = /^(?!\s*(?:#|$))/;

/** Cuts a stream before each `---` line: such a line ends a document wherever it is, even inside a block scalar. */
function* split(text: string): Iterable<Chunk> {
  let start = 0;
  let startLine = 1;
  let contentLine = 0;
  let line = 0;
  for (let at = 0; at <= text.length; ) {
    const newline = text.indexOf("\n", at);
    const end = newline < 0 ? text.length : newline;
    line++;
    const separator = text.startsWith("---", at) && (end === at + 3 || /\s/.test(text[at + 3]!));
    if (separator) {
      if (contentLine > 0) {
        yield { text: text.slice(start, at), line: startLine, contentLine };
        contentLine = 0;
        start = at;
        startLine = line;
      }
      // Content may follow on the same line: `--- {a: 1}`.
      if (contentPattern.test(text.slice(at + 3, end))) contentLine = line;
    } else if (contentLine === 0 && text[at] !== "%" && contentPattern.test(text.slice(at, end))) contentLine = line;
    at = end + 1;
  }
  if (contentLine > 0) yield { text: text.slice(start), line: startLine, contentLine };
}

const blockHead = /(^|[\s:-])([|>])([0-9]?)[+-]?([0-9]?)(\s+#.*|\s*)$/;

/**
 * A block scalar that the text ends in, without a line break, has none at its end either; the parser would add one. So its head
 * is made to say so.
 */
function withExactEnd(text: string): string {
  if (text.endsWith("\n") || !/[|>]/.test(text)) return text;
  const lines = text.split("\n");
  const last = lines.at(-1) as string;
  if (last.trim() === "") return text;
  const indentOf = (line: string): number => line.length - line.trimStart().length;
  // Of the lines that all after them are deeper than, the first that is a head: those below it are its text, whatever they look like.
  let depth = indentOf(last);
  let found = -1;
  for (let at = lines.length - 2; at >= 0 && depth > 0; at--) {
    const line = lines[at] as string;
    if (line.trim() === "" || indentOf(line) >= depth) continue;
    depth = indentOf(line);
    if (blockHead.test(line)) found = at;
  }
  const line = lines[found];
  if (line !== undefined) {
    const [whole = "", before = "", sign = "", digit = "", other = "", rest = ""] = blockHead.exec(line) ?? [];
    lines[found] = `${line.slice(0, -whole.length)}${before}${sign}${digit || other}-${rest}`;
  }
  return lines.join("\n");
}

const foldedHead = /^([ ]*(?:-[ ]+)*)(?:[^\s#'"|>][^#|>]*:[ ]+)?([>])([0-9]?)[+-]?([0-9]?)(\s+#.*|\s*)$/;
const anyHead = /^([ ]*(?:-[ ]+)*)(?:[^\s#'"|>][^#|>]*:[ ]+)?([|>])[-+0-9]*(\s+#.*|\s*)$/;

/**
 * kustomize writes what it has read once more, and its writer puts an empty line into a folded text before lines that are deeper:
 * so do we, before reading.
 */
function withDeeperLines(text: string): string {
  if (!/>[-+0-9]*\s*(?:#.*)?$/m.test(text)) return text;
  const lines = text.split("\n");
  const result: string[] = [];
  const indentOf = (line: string): number => line.length - line.trimStart().length;
  for (let at = 0; at < lines.length; at++) {
    const head = lines[at] as string;
    result.push(head);
    const [whole, before = ""] = anyHead.exec(head) ?? [];
    if (whole === undefined) continue;
    // The text is deeper than the map or list that holds it.
    const dashes = before.trimEnd();
    const holder = before.length < head.search(/[|>][-+0-9]*(\s+#.*|\s*)$/) ? before.length : dashes.length - 1;
    const isFolded = foldedHead.test(head);
    let depth = -1;
    let isShallow = false;
    for (let line = lines[at + 1]; line !== undefined; line = lines[at + 1]) {
      const isBlank = line.trim() === "";
      if (!isBlank && indentOf(line) <= holder) break;
      if (!isBlank && depth < 0) depth = indentOf(line);
      if (isFolded && !isBlank && depth >= 0) {
        if (indentOf(line) > depth && isShallow) result.push("");
        isShallow = indentOf(line) === depth;
      }
      result.push(line);
      at++;
    }
  }
  return result.join("\n");
}

function load(chunk: Chunk, file: string, schema: yaml.Schema): unknown[] {
  let values: unknown[];
  try {
    values = yaml.loadAll(withExactEnd(schema === goNodeSchema ? withDeeperLines(chunk.text) : chunk.text), null, {
      schema,
      json: true,
      ...{ maxDepth: limits.documentDepth },
    });
  } catch (error) {
    throw translate(error, chunk, file);
  }
  // Anchors are rare: only a text with both signs can hold an alias.
  if (chunk.text.includes("*") && chunk.text.includes("&")) {
    values = values.map((value) => expandAliases(value, `${file}:${chunk.contentLine}`));
  }
  return schema === goNodeSchema ? values.map(tellNulls) : values;
}

function translate(error: unknown, chunk: Chunk, file: string): Error {
  if (error instanceof NonFiniteError) {
    const before = chunk.text.slice(0, Math.max(0, chunk.text.indexOf(error.text))).split("\n");
    const line = chunk.line + before.length - 1;
    const column = before.at(-1)!.length + 1;
    return new InvalidArgumentError("", `${file}:${line}:${column}: ${error.message}`, { cause: error });
  }
  if (!(error instanceof yaml.YAMLException)) return error as Error;
  const { reason, mark } = error;
  const place = mark ? `${chunk.line + mark.line}:${mark.column + 1}` : `${chunk.contentLine}:1`;
  const message = `${file}:${place}: ${reason.trim()}`;
  if (/maxDepth|maxTotalMergeKeys/.test(reason)) return new LimitExceededError(message, { cause: error });
  return new InvalidArgumentError("", message, { cause: error });
}
