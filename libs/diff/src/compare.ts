import { clone, deepEqual } from "@tiphys/canonical-json";
import type { IgnoreDifference, KubeObject } from "@tiphys/resources";
import { matchGlob } from "./glob.js";
import { BOOKKEEPING_ANNOTATIONS } from "./normalize.js";
import { QUANTITY_FIELDS, sameQuantity } from "./quantity.js";

/** What compare needs of a schema: which lists are keyed. The schemas of @tiphys/kube-schema fit. */
export interface ListSchema {
  readonly properties?: Readonly<Record<string, ListSchema>>;
  readonly items?: ListSchema;
  readonly additional?: ListSchema;
  readonly listType?: "atomic" | "set" | "map";
  readonly listKeys?: readonly string[];
}

export interface CompareOptions {
  /** As from `normalizeDesired`. */
  readonly desired: KubeObject;
  readonly live: KubeObject;
  /** Field manager of our applies: what it owns and the manifest no longer has is a difference. */
  readonly manager: string;
  readonly schema?: ListSchema;
  /** True for Kubernetes' own kinds, whose server leaves out empty strings, zeros and false. */
  readonly dropsZeroValues?: boolean;
  /** `spec.ignoreDifferences` of the application; those of other objects have no effect. */
  readonly ignore?: readonly IgnoreDifference[];
}

export interface Difference {
  /** `.spec.template.spec.containers[name=web].image` */
  readonly path: string;
  /** `changed` and `missing`: the live object lacks what is wanted; `extra`: it has what we applied and no longer want. */
  readonly type: "changed" | "missing" | "extra";
}

type Json = Record<string, unknown>;
type Fields = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isEmpty = (value: unknown): boolean =>
  value === null ||
  value === undefined ||
  (Array.isArray(value)
    ? value.every(isEmpty) && value.length === 0
    : isRecord(value) && Object.values(value).every(isEmpty));
const isZero = (value: unknown): boolean => value === "" || value === 0 || value === false;

const member = (path: string, key: string) => (/^[\w-]+$/.test(key) ? `${path}.${key}` : `${path}["${key}"]`);

/** The difference rules that are about this object. */
export function rulesFor(object: KubeObject, rules: readonly IgnoreDifference[] = []): IgnoreDifference[] {
  const group = object.apiVersion.includes("/") ? (object.apiVersion.split("/")[0] ?? "") : "";
  return rules.filter(
    (rule) =>
      matchGlob(rule.group ?? "", group) &&
      matchGlob(rule.kind, object.kind) &&
      (!rule.name || rule.name === object.metadata.name) &&
      (!rule.namespace || rule.namespace === (object.metadata.namespace ?? "")),
  );
}

const pointerParts = (pointer: string) =>
  pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));

/** Removes what a JSON pointer names, where it is there; other parts are shared with the input. */
function removePointer(value: unknown, parts: readonly string[]): void {
  const [first, ...rest] = parts;
  // A pointer comes from users and must not reach a prototype.
  if (first === undefined || first === "__proto__" || typeof value !== "object" || value === null) return;
  if (Array.isArray(value)) {
    if (rest.length === 0) value.splice(Number(first), 1);
    else removePointer(value[Number(first)], rest);
  } else if (rest.length === 0) delete (value as Json)[first];
  else removePointer((value as Json)[first], rest);
}

interface Context {
  readonly found: Difference[];
  readonly zero: boolean;
}

const elementKeys = (schema: ListSchema | undefined): readonly string[] | undefined =>
  schema?.listType === "map" ? schema.listKeys : undefined;

/** The element with the same keys; a key that the manifest leaves to its default matches any. */
const findElement = (list: readonly unknown[], wanted: unknown, keys: readonly string[]): unknown =>
  isRecord(wanted)
    ? list.find(
        (each) => isRecord(each) && keys.every((key) => wanted[key] === undefined || deepEqual(each[key], wanted[key])),
      )
    : undefined;

/** Ownership cursors of ignored managers below one member. */
const below = (cursors: readonly Fields[], key: string): Fields[] =>
  cursors.map((cursor) => cursor[key]).filter((each): each is Fields => isRecord(each));
const ownedWhole = (cursors: readonly Fields[]): boolean =>
  cursors.some((cursor) => Object.keys(cursor).every((key) => key === "."));

function compare(
  desired: unknown,
  live: unknown,
  schema: ListSchema | undefined,
  path: string,
  quantity: boolean,
  ignored: readonly Fields[],
  context: Context,
): void {
  if (desired === live || isEmpty(desired)) return;
  const different = (type: Difference["type"]) => {
    if (!ownedWhole(ignored)) context.found.push({ path: path || ".", type });
  };
  if (live === undefined || live === null) {
    if (context.zero && isZero(desired)) return;
    if (isRecord(desired) && context.zero && Object.values(desired).every((each) => isEmpty(each) || isZero(each)))
      return;
    different("missing");
    return;
  }
  if (isRecord(desired)) {
    if (!isRecord(live)) {
      different("changed");
      return;
    }
    for (const key of Object.keys(desired)) {
      compare(
        desired[key],
        live[key],
        schema?.properties?.[key] ?? schema?.additional,
        member(path, key),
        quantity || QUANTITY_FIELDS.has(key),
        ignored.length > 0 ? below(ignored, `f:${key}`) : ignored,
        context,
      );
    }
    return;
  }
  if (Array.isArray(desired)) {
    if (!Array.isArray(live)) {
      different("changed");
      return;
    }
    const keys = elementKeys(schema);
    if (keys) {
      for (const element of desired) {
        const name = isRecord(element)
          ? keys
              .filter((key) => element[key] !== undefined)
              .map((key) => `${key}=${String(element[key])}`)
              .join(",")
          : "";
        const same = findElement(live, element, keys);
        const cursors = ignored.flatMap((cursor) =>
          Object.entries(cursor)
            .filter(
              ([key]) => key.startsWith("k:") && findElement([same], JSON.parse(key.slice(2)), keys) !== undefined,
            )
            .map(([, fields]) => fields as Fields),
        );
        compare(element, same, schema?.items, `${path}[${name}]`, quantity, cursors, context);
      }
      return;
    }
    if (schema?.listType === "set") {
      for (const element of desired)
        if (!live.some((each) => deepEqual(each, element))) {
          different("missing");
          return;
        }
      return;
    }
    if (desired.length !== live.length) {
      different("changed");
      return;
    }
    desired.forEach((element, index) => {
      compare(element, live[index], schema?.items, `${path}[${index}]`, quantity, [], context);
    });
    return;
  }
  if (quantity && sameQuantity(desired, live)) return;
  if (typeof desired === "bigint" || typeof live === "bigint") {
    if (String(desired) === String(live)) return;
  }
  different("changed");
}

/** Finds what our manager owns in the live object and the manifest no longer has. */
function compareOwned(fields: Fields, desired: unknown, live: unknown, path: string, context: Context): void {
  for (const [key, child] of Object.entries(fields)) {
    if (key === "." || !isRecord(child)) continue;
    const kind = key.slice(0, 2);
    const rest = key.slice(2);
    if (kind === "f:") {
      if (path === ".metadata.annotations" && BOOKKEEPING_ANNOTATIONS.has(rest)) continue;
      const there = isRecord(live) ? live[rest] : undefined;
      if (there === undefined) continue;
      const wanted = isRecord(desired) ? desired[rest] : undefined;
      const at = member(path, rest);
      if (wanted === undefined || wanted === null) {
        if (hasOwnedLeaf(child, there, at)) context.found.push({ path: at, type: "extra" });
      } else compareOwned(child, wanted, there, at, context);
    } else if (kind === "k:") {
      const keys: Json = JSON.parse(rest);
      const there = Array.isArray(live) ? findElement(live, keys, Object.keys(keys)) : undefined;
      if (there === undefined) continue;
      const wanted = Array.isArray(desired)
        ? desired.find(
            (each) =>
              isRecord(each) &&
              Object.keys(keys).every((name) => each[name] === undefined || deepEqual(each[name], keys[name])),
          )
        : undefined;
      const at = `${path}[${Object.entries(keys)
        .map(([name, value]) => `${name}=${String(value)}`)
        .join(",")}]`;
      if (wanted === undefined) context.found.push({ path: at, type: "extra" });
      else compareOwned(child, wanted, there, at, context);
    } else if (kind === "v:") {
      const value: unknown = JSON.parse(rest);
      const has = (list: unknown) => Array.isArray(list) && list.some((each) => deepEqual(each, value));
      if (has(live) && !has(desired)) context.found.push({ path: `${path}[${rest}]`, type: "extra" });
    }
  }
}

/** False when all that is owned below is our own bookkeeping. */
function hasOwnedLeaf(fields: Fields, live: unknown, path: string): boolean {
  const keys = Object.keys(fields).filter((key) => key !== ".");
  if (path !== ".metadata.annotations") return true;
  return keys.some(
    (key) => !BOOKKEEPING_ANNOTATIONS.has(key.slice(2)) && isRecord(live) && live[key.slice(2)] !== undefined,
  );
}

/**
 * How a live object differs from its manifest: fields of the manifest that the live object has otherwise, and fields we
 * applied earlier that the manifest has no more. Fields that others added are no difference.
 */
export function compareObject(options: CompareOptions): readonly Difference[] {
  const { live, manager, schema, dropsZeroValues = false } = options;
  let { desired } = options;
  const rules = rulesFor(desired, options.ignore);
  const pointers = rules.flatMap((rule) => rule.jsonPointers ?? []).map(pointerParts);
  const managers = new Set(rules.flatMap((rule) => rule.managedFieldsManagers ?? []));
  let compared = live;
  if (pointers.length > 0) {
    desired = clone(desired);
    compared = clone(live);
    for (const parts of pointers) {
      removePointer(desired, parts);
      removePointer(compared, parts);
    }
  }
  const entries = live.metadata.managedFields ?? [];
  const ignored = entries.filter((entry) => managers.has(entry.manager ?? "")).map((entry) => entry.fieldsV1 ?? {});
  const context: Context = { found: [], zero: dropsZeroValues };
  compare(desired, compared, schema, "", false, ignored, context);
  const own = entries.find(
    (entry) =>
      entry.manager === manager &&
      entry.operation === "Apply" &&
      !entry.subresource &&
      entry.apiVersion === desired.apiVersion,
  );
  if (own?.fieldsV1) compareOwned(own.fieldsV1, desired, compared, "", context);
  return context.found;
}

const readPointer = (value: unknown, parts: readonly string[]): unknown => {
  let at = value;
  for (const part of parts) {
    if (typeof at !== "object" || at === null) return undefined;
    at = Array.isArray(at) ? at[Number(part)] : (at as Json)[part];
  }
  return at;
};

function writePointer(value: unknown, parts: readonly string[], written: unknown): void {
  const [first, ...rest] = parts;
  // A pointer comes from users and must not reach a prototype.
  if (first === undefined || first === "__proto__" || typeof value !== "object" || value === null) return;
  const container = value as Json;
  if (rest.length === 0) container[first] = written;
  else {
    container[first] ??= {};
    writePointer(container[first], rest, written);
  }
}

/** The manifest with the live values of what its rules ignore, so that an apply changes nothing there. */
export function keepIgnored(desired: KubeObject, live: KubeObject, ignore: readonly IgnoreDifference[]): KubeObject {
  const copy = clone(desired);
  for (const rule of rulesFor(desired, ignore)) {
    for (const pointer of rule.jsonPointers ?? []) {
      const parts = pointerParts(pointer);
      const there = readPointer(live, parts);
      if (there === undefined) removePointer(copy, parts);
      else writePointer(copy, parts, clone(there));
    }
  }
  return copy;
}
