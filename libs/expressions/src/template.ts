import { InvalidArgumentError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import { goJson } from "./builtins.js";
import { type CompileOptions, compileExpression, type Env } from "./compile.js";
import { ExpressionError } from "./errors.js";
import { evaluate } from "./evaluate.js";
import { sprig } from "./sprig.js";

/** The text behind a plain tag; undefined when the tag is not known. */
export type TagResolver = (tag: string) => string | undefined;

export interface SubstituteOptions {
  /** What a tag that cannot be resolved does: stay as it is (default) or throw {@link UnresolvedTagError}. */
  readonly onUnknown?: "keep" | "error";
  /** Variables for `{{=expression}}`; without it such tags count as unknown. */
  readonly env?: () => Env;
  readonly expression?: CompileOptions;
}

/** A tag names something that is not there (yet). */
export class UnresolvedTagError extends InvalidArgumentError {
  constructor(
    readonly tag: string,
    options?: ErrorOptions & { problem?: string },
  ) {
    super("", options?.problem ?? `failed to resolve {{${tag}}}`, options);
  }
}

type Piece = string | { readonly tag: readonly Piece[] };

/** Text and tags of a template; a tag without its end is text. The last opening braces before an end belong to it. */
function split(text: string): readonly Piece[] {
  const open: Piece[][] = [[]];
  const top = () => open.at(-1) as Piece[];
  let at = 0;
  while (at < text.length) {
    const start = text.indexOf("{{", at);
    const end = open.length > 1 ? text.indexOf("}}", at) : -1;
    if (start < 0 && end < 0) break;
    if (end < 0 || (start >= 0 && start < end)) {
      // Of three braces in a row the last two open the tag.
      const first = text[start + 2] === "{" && text[start + 3] !== "{" ? start + 1 : start;
      if (first > at) top().push(text.slice(at, first));
      if (open.length > limits.documentDepth) throw new InvalidArgumentError("", "tags are nested too deep");
      open.push([]);
      at = first + 2;
    } else {
      if (end > at) top().push(text.slice(at, end));
      const tag = open.pop() as Piece[];
      top().push({ tag });
      at = end + 2;
    }
  }
  if (at < text.length) top().push(text.slice(at));
  while (open.length > 1) {
    const unfinished = open.pop() as Piece[];
    top().push("{{", ...unfinished);
  }
  return open[0] as Piece[];
}

/** Replaces the tags of one text, innermost first. Inserted text is data: it is never read as a template again. */
export function substitute(text: string, resolve: TagResolver, options: SubstituteOptions = {}): string {
  if (!text.includes("{{")) return text;
  return render(split(text), resolve, options);
}

function render(pieces: readonly Piece[], resolve: TagResolver, options: SubstituteOptions): string {
  let out = "";
  for (const piece of pieces) {
    out += typeof piece === "string" ? piece : replacement(render(piece.tag, resolve, options), resolve, options);
  }
  return out;
}

function replacement(tag: string, resolve: TagResolver, options: SubstituteOptions): string {
  const expression = tag.startsWith("=");
  const found = expression ? computed(tag, options) : resolve(tag.trim());
  if (found !== undefined) return found;
  if (options.onUnknown === "error") throw new UnresolvedTagError(expression ? tag : tag.trim());
  return `{{${tag}}}`;
}

function computed(tag: string, options: SubstituteOptions): string | undefined {
  if (!options.env) return undefined;
  const source = tag.slice(1);
  try {
    const env = { ...options.env(), sprig };
    const value = options.expression ? compileExpression(source, options.expression)(env) : evaluate(source, env);
    if (value === null || value === undefined) return undefined;
    return typeof value === "string" ? value : goJson(value);
  } catch (cause) {
    if (!(cause instanceof ExpressionError)) throw cause;
    if (options.onUnknown !== "error") return undefined;
    throw new UnresolvedTagError(tag, { cause, problem: `failed to evaluate {{${tag}}}: ${cause.problem}` });
  }
}

/** {@link substitute} over every text (keys too) of JSON data; parts without tags are shared with the input. */
export function substituteJson<T>(value: T, resolve: TagResolver, options: SubstituteOptions = {}): T {
  return walk(value, resolve, options) as T;
}

function walk(value: unknown, resolve: TagResolver, options: SubstituteOptions): unknown {
  if (typeof value === "string") return substitute(value, resolve, options);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const items = value.map((item) => walk(item, resolve, options));
    return items.every((item, index) => item === value[index]) ? value : items;
  }
  let changed = false;
  const entries = Object.entries(value).map(([key, member]) => {
    const next = [substitute(key, resolve, options), walk(member, resolve, options)] as const;
    changed ||= next[0] !== key || next[1] !== member;
    return next;
  });
  return changed ? Object.fromEntries(entries) : value;
}

/** The tags of a text as written, innermost first; a nested tag's outer text holds its inner tag as it is. */
export function collectTags(text: string): { tag: string; expression: boolean }[] {
  const tags: { tag: string; expression: boolean }[] = [];
  if (!text.includes("{{")) return tags;
  const visit = (pieces: readonly Piece[]): string =>
    pieces
      .map((piece) => {
        if (typeof piece === "string") return piece;
        const tag = visit(piece.tag);
        tags.push({ tag: tag.startsWith("=") ? tag.slice(1) : tag.trim(), expression: tag.startsWith("=") });
        return `{{${tag}}}`;
      })
      .join("");
  visit(split(text));
  return tags;
}
