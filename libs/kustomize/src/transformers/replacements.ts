import { parseYaml } from "@tiphys/yaml";
import { copy, get, isMap, isScalar, isUntyped, overwrite, put, putUntyped, splitPath, textOf } from "../data.js";
import { fail } from "../errors.js";
import type { Spot } from "../field-specs.js";
import { idSelected, idText } from "../ids.js";
import type { Resource } from "../resource.js";
import { labelSelector, pattern, type Selector } from "../selector.js";

export interface FieldOptions {
  readonly delimiter?: string;
  readonly index?: number;
  readonly create?: boolean;
}

export interface Replacement {
  readonly source?: Selector & { readonly fieldPath?: string; readonly options?: FieldOptions };
  readonly sourceValue?: string;
  readonly targets?: readonly {
    readonly select?: Selector;
    readonly reject?: readonly Selector[];
    readonly fieldPaths?: readonly string[];
    readonly options?: FieldOptions;
  }[];
}

const DEFAULT_PATH = "metadata.name";

/** Copies values from a field of one resource to fields of others. */
export function applyReplacements(resources: readonly Resource[], replacements: readonly Replacement[]): void {
  for (const { source, sourceValue, targets } of replacements) {
    if ((source === undefined && sourceValue === undefined) || !targets) {
      fail("replacements must specify a source and at least one target");
    }
    if (source && sourceValue !== undefined) fail("value and resource selectors are mutually exclusive");
    const value = source ? sourceOf(resources, source) : sourceValue;
    for (const target of targets) {
      if (!target.select) fail("target must specify resources to select");
      const chosen = selected(resources, target.select, target.reject ?? []);
      const paths = target.fieldPaths && target.fieldPaths.length > 0 ? target.fieldPaths : [DEFAULT_PATH];
      for (const resource of chosen) for (const path of paths) write(resource, path, value, target.options ?? {});
    }
  }
}

function sourceOf(resources: readonly Resource[], source: NonNullable<Replacement["source"]>): unknown {
  const found = resources.filter((resource) => resource.ids().some((id) => idSelected(id, source)));
  const words = idText({ group: "", version: "", kind: "", name: "", namespace: "", ...source });
  const [resource] = found;
  if (!resource) return fail(`nothing selected by ${words}`);
  if (found.length > 1) fail(`multiple matches for selector ${words}`);
  const path = source.fieldPath || DEFAULT_PATH;
  const value = lookup(resource.object, splitFieldPath(path));
  const empty = value === undefined || value === null || (typeof value === "object" && Object.keys(value).length === 0);
  if (empty) return fail(`fieldPath \`${path}\` is missing for replacement source ${words}`);
  const { delimiter, index = 0 } = source.options ?? {};
  if (!delimiter) return value;
  if (!isScalar(value)) fail("delimiter option can only be used with scalar nodes");
  const part = textOf(value).split(delimiter)[index];
  if (part === undefined || index < 0)
    return fail(`options.index ${index} is out of bounds for value ${textOf(value)}`);
  return part;
}

/**
 * Names parted by dots; a backslash keeps a dot. A part that begins with a bracket goes on to where one closes: it is a choice of an
 * element, or a name that the brackets guard. Brackets elsewhere are letters like others.
 */
export function splitFieldPath(path: string): string[] {
  const pieces = splitPath(path, ".");
  const parts: string[] = [];
  for (let at = 0; at < pieces.length; at++) {
    let part = pieces[at] as string;
    if (part.startsWith("[") && !part.endsWith("]")) {
      while (at + 1 < pieces.length) {
        part += `.${pieces[++at]}`;
        if (part.endsWith("]")) break;
      }
      parts.push(part.includes("=") ? part : part.replace(/^[[\]]+|[[\]]+$/g, ""));
    } else parts.push(part);
  }
  return parts;
}

const isChoice = (part: string): boolean => part.startsWith("[") && part.endsWith("]") && part.includes("=");
const choiceOf = (part: string): { key: string; value: string } => {
  const inner = part.slice(1, -1);
  const sign = inner.indexOf("=");
  return { key: inner.slice(0, sign).trim(), value: inner.slice(sign + 1).trim() };
};

function lookup(from: unknown, path: readonly string[]): unknown {
  let value = from;
  for (const each of path) {
    const part = each.trim();
    if (part === "") continue;
    if (Array.isArray(value)) {
      if (isChoice(part)) {
        const { key, value: wanted } = choiceOf(part);
        value = value.find((item) => (key === "" ? textOf(item) === wanted : textOf(get(item, key)) === wanted));
      } else if (part === "-") value = value.at(-1);
      else if (/^\d+$/.test(part)) {
        if (Number(part) >= value.length) return undefined;
        value = value[Number(part)];
      } else return fail(`error looking up replacement source: ${JSON.stringify(part)} is no element of a list`);
    } else if (isMap(value)) value = get(value, part);
    else return undefined;
  }
  return value;
}

function selected(resources: readonly Resource[], select: Selector, reject: readonly Selector[]): Resource[] {
  const chosen = bySelectors(select);
  const rejected = reject.map((one) => ({
    selectors: one.labelSelector || one.annotationSelector ? bySelectors(one) : undefined,
    id: one.group || one.version || one.kind || one.name || one.namespace ? one : undefined,
  }));
  return resources.filter((resource) => {
    const ids = resource.ids();
    return (
      chosen(resource) &&
      ids.some((id) => idSelected(id, select)) &&
      !rejected.some(({ selectors, id }) => selectors?.(resource) || (id && ids.some((one) => idSelected(one, id))))
    );
  });
}

function bySelectors({ labelSelector: labels = "", annotationSelector: annotations = "" }: Selector) {
  const [ofLabels, ofAnnotations] = [labelSelector(labels), labelSelector(annotations)];
  return (resource: Resource): boolean => ofLabels(resource.labels) && ofAnnotations(resource.annotations);
}

function write(resource: Resource, path: string, value: unknown, options: FieldOptions): void {
  const spots: Place[] = [];
  const root: Spot = { value: resource.object, set: () => {} };
  find(
    root,
    splitFieldPath(path),
    options.create ? (isScalar(value) ? "scalar" : Array.isArray(value) ? "list" : "map") : undefined,
    spots,
  );
  if (spots.length === 0) {
    fail(`unable to find ${options.create ? "or create " : ""}field ${JSON.stringify(path)} in replacement target`);
  }
  // Annotations are texts, whatever they look like.
  const [first, second] = splitFieldPath(path);
  const texts = first === "metadata" && second === "annotations";
  for (const spot of spots) set(spot, texts && isScalar(value) ? textOf(value) : value, options, texts);
}

/** A spot of a target; one that was made for the value has no type yet. */
interface Place extends Spot {
  readonly made?: boolean;
  setUntyped?(value: unknown, text: string): void;
}

type Made = "scalar" | "list" | "map" | undefined;

/** What stands where a path goes on with `next`. */
const emptyFor = (next: string | undefined, last: Made): unknown =>
  next === undefined
    ? last === "scalar"
      ? null
      : last === "list"
        ? []
        : {}
    : isChoice(next) || /^\d+$/.test(next)
      ? []
      : {};

function find(spot: Place, path: readonly string[], create: Made, into: Place[]): void {
  const [part, ...rest] = path;
  if (part === undefined) {
    into.push(spot);
    return;
  }
  // `.metadata.name` is `metadata.name`.
  if (part === "") {
    find(spot, rest, create, into);
    return;
  }
  const { value } = spot;
  const element = (list: unknown[], at: number, made = false): Place => ({
    value: list[at],
    set: (given) => (list[at] = given),
    made,
  });
  if (/^\d+$/.test(part) && Array.isArray(value)) {
    const index = Number(part);
    if (index === value.length && create) value.push(emptyFor(rest[0], create));
    if (index >= value.length) fail(`index ${index} specified but only ${value.length} elements found`);
    find(element(value, index), rest, create, into);
    return;
  }
  if (isChoice(part)) {
    if (value === undefined || value === null) return;
    if (!Array.isArray(value)) fail("wrong node kind: expected a list");
    const { key, value: wanted } = choiceOf(part);
    const matches = pattern(wanted);
    const before = into.length;
    value.forEach((item, at) => {
      const found = key === "" ? item : get(item, key);
      if (found === undefined || !matches.matcher(textOf(found)).find()) return;
      find(element(value, at), key === "" ? [] : rest, create, into);
    });
    if (into.length > before || !create) return;
    value.push(key === "" ? wanted : { [key]: wanted });
    find(element(value, value.length - 1), key === "" ? [] : rest, create, into);
    return;
  }
  if (part === "*") {
    if (!Array.isArray(value)) fail("wrong node kind: expected a list");
    for (let at = 0; at < value.length; at++) find(element(value, at), rest, create, into);
    return;
  }
  if (value === undefined || value === null) return;
  if (!isMap(value)) fail("wrong node kind: expected a map");
  let made = false;
  if (get(value, part) === undefined) {
    if (!create) return;
    put(value, part, emptyFor(rest[0], create));
    made = true;
  }
  find(
    {
      value: value[part],
      set: (given) => (isScalar(given) ? overwrite : put)(value, part, given),
      made: made || isUntyped(value, part),
      setUntyped: (given, text) => putUntyped(value, part, given, text),
    },
    rest,
    create,
    into,
  );
}

/** Writes into a field; a scalar that was there keeps its type where the text allows it. */
function set(spot: Place, value: unknown, { delimiter, index = 0 }: FieldOptions, texts: boolean): void {
  let given = value;
  if (delimiter) {
    if (!isScalar(spot.value)) fail("delimiter option can only be used with scalar nodes");
    const parts = textOf(spot.value).split(delimiter);
    if (index < 0) parts.unshift(textOf(value));
    else if (index >= parts.length) parts.push(textOf(value));
    else parts[index] = textOf(value);
    given = parts.join(delimiter);
  }
  if (!isScalar(spot.value) || !isScalar(given)) {
    spot.set(copy(given));
    return;
  }
  const text = textOf(given);
  if (texts || (!spot.made && typeof spot.value === "string")) {
    spot.set(text);
    return;
  }
  // The original changes the text of a node and leaves its type: a new one has none yet, another has to be able to read it.
  const read = plainScalar(text);
  const [wanted, found] = [typeOf(spot.value), typeOf(read)];
  if (!spot.made && wanted !== found && !(wanted === "float" && found === "int")) {
    fail(`cannot decode !!${found} \`${text}\` as a !!${wanted}`);
  }
  if (spot.made && spot.setUntyped) spot.setUntyped(read, text);
  else spot.set(read);
}

const typeOf = (value: unknown): string => {
  if (value === null || value === undefined) return "null";
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "float";
  return typeof value === "bigint" ? "int" : typeof value === "boolean" ? "bool" : "str";
};

/** What YAML makes of a text without quotes. */
function plainScalar(text: string): unknown {
  if (text === "") return null;
  if (!/^[-+.~\w]+(?::[\d.:+-]+Z?)?$/.test(text)) return text;
  try {
    const parsed = parseYaml(`- ${text}`, { asNodes: true });
    const value = Array.isArray(parsed) ? parsed[0] : text;
    return value === undefined ? null : isScalar(value) ? value : text;
  } catch {
    return text;
  }
}

/** The value of a var's path, in which `containers[0]` is the first of the containers, too. */
export const fieldAt = (resource: Resource, path: string): unknown =>
  lookup(
    resource.object,
    splitFieldPath(path).flatMap((part) => {
      const [, name, index] = /^(.*)\[(\d+)\]$/.exec(part) ?? [];
      return index === undefined ? [part] : name ? [name, index] : [index];
    }),
  );
