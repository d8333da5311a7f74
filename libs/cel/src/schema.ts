import { fail } from "./errors.js";
import { parseDateTime, parseStrictDuration } from "./functions/time.js";
import {
  boolType,
  bytesType,
  doubleType,
  durationType,
  dynType,
  intType,
  listType,
  mapType,
  stringType,
  structType,
  type Type,
  timestampType,
} from "./types.js";
import { CelMap, Duration, type ListRule, RuledList, Timestamp, type Value, ValueList } from "./values.js";

/** What of a structural schema matters to expressions. */
export interface SchemaNode {
  readonly type?: string | undefined;
  readonly format?: string | undefined;
  readonly properties?: Readonly<Record<string, SchemaNode>> | undefined;
  readonly items?: SchemaNode | undefined;
  readonly additional?: SchemaNode | undefined;
  readonly required?: readonly string[] | undefined;
  readonly enum?: readonly unknown[] | undefined;
  readonly default?: unknown;
  readonly nullable?: boolean | undefined;
  readonly intOrString?: boolean | undefined;
  readonly embedded?: boolean | undefined;
  readonly listType?: "atomic" | "set" | "map" | undefined;
  readonly listKeys?: readonly string[] | undefined;
  readonly rules?:
    | {
        readonly maxLength?: number | undefined;
        readonly maxItems?: number | undefined;
        readonly maxProperties?: number | undefined;
      }
    | undefined;
}

/** A schema as a CEL type, with the sizes that cost estimates need. */
export interface Declared {
  readonly type: Type;
  readonly schema: SchemaNode;
  /** Most elements (or code points) a value can have. */
  readonly maxElements: number;
  /** Fewest bytes of its JSON. */
  readonly minSize: number;
  readonly fields?: ReadonlyMap<string, Declared>;
  readonly element?: Declared;
  /** Of maps. */
  readonly key?: { readonly maxElements: number };
}

/** Largest request the API server takes: nothing in it can be larger. */
export const largestRequest = 3 * 1024 * 1024;
const longestText = largestRequest - 2;

const reservedWords = new Set(
  "true false null in as break const continue else for function if import let loop package namespace return var void while".split(
    " ",
  ),
);

/** A property's name as expressions spell it; undefined when they cannot. */
export function escapeName(name: string): string | undefined {
  if (name === "" || /^[0-9]/.test(name)) return undefined;
  if (reservedWords.has(name)) return `__${name}__`;
  if (/[^a-zA-Z0-9\-./_]/.test(name)) return undefined;
  return name.replace(/__|[-./]/g, (sign) =>
    sign === "__" ? "__underscores__" : sign === "." ? "__dot__" : sign === "-" ? "__dash__" : "__slash__",
  );
}

const text = { type: "string" } as const;
const metadata: SchemaNode = { type: "object", properties: { name: text, generateName: text } };

/** Every resource has a kind and a name, whatever its schema says. */
export function withTypeAndMetadata(schema: SchemaNode): SchemaNode {
  return { ...schema, properties: { ...schema.properties, kind: text, apiVersion: text, metadata } };
}

/** A schema as a CEL type named `name`; undefined when expressions cannot see such a value at all. */
export function declare(schema: SchemaNode, isResource: boolean, name: string): Declared | undefined {
  if (schema.intOrString) {
    const max = schema.rules?.maxLength;
    return { type: dynType, schema, maxElements: max === undefined ? longestText : atLeast0(max) * 4, minSize: 1 };
  }
  const node = isResource ? withTypeAndMetadata(schema) : schema;
  switch (node.type) {
    case "array": {
      const element = node.items && declare(node.items, node.items.embedded === true, `${name}.@idx`);
      if (element === undefined) return undefined;
      const max = node.rules?.maxItems;
      const maxElements = max === undefined ? Math.floor(longestText / (element.minSize + 1)) : atLeast0(max);
      return { type: listType(element.type), schema: node, maxElements, minSize: 2, element };
    }
    case "object": {
      if (node.additional?.type !== undefined || node.additional?.intOrString) {
        const element = declare(node.additional, node.additional.embedded === true, `${name}.@elem`);
        if (element === undefined) return undefined;
        const max = node.rules?.maxProperties;
        const maxElements = max === undefined ? Math.floor(longestText / (element.minSize + 6)) : atLeast0(max);
        return {
          type: mapType(stringType, element.type),
          schema: node,
          maxElements,
          minSize: 2,
          element,
          key: { maxElements: 0 },
        };
      }
      return declareObject(node, name);
    }
    case "string":
      return declareText(node);
    case "boolean":
      return { type: boolType, schema: node, maxElements: 0, minSize: 4 };
    case "number":
      return { type: doubleType, schema: node, maxElements: 0, minSize: 1 };
    case "integer":
      return { type: intType, schema: node, maxElements: 0, minSize: 1 };
    default:
      return undefined;
  }
}

function declareObject(node: SchemaNode, name: string): Declared {
  const fields = new Map<string, Declared>();
  let minSize = 2;
  for (const [key, property] of Object.entries(node.properties ?? {})) {
    const escaped = escapeName(key);
    const field = declare(property, property.embedded === true, `${name}.${escaped ?? key}`);
    if (field === undefined) continue;
    if (escaped !== undefined) fields.set(escaped, field);
    if (node.required?.includes(key) && property.default === undefined) minSize += key.length + field.minSize + 4;
  }
  return { type: structType(name), schema: node, maxElements: 0, minSize, fields };
}

function declareText(node: SchemaNode): Declared {
  const max = node.rules?.maxLength;
  const simple = (type: Type, maxElements: number, minSize: number): Declared => ({
    type,
    schema: node,
    maxElements,
    minSize,
  });
  switch (node.format) {
    case "byte":
      return simple(bytesType, max === undefined ? longestText : atLeast0(max), 2);
    case "duration":
      return simple(durationType, 32, 3);
    case "date":
      return simple(timestampType, 12, 12);
    case "date-time":
      return simple(timestampType, 32, 21);
  }
  if (max !== undefined) return simple(stringType, atLeast0(max) * 4, 2);
  if (node.enum?.length) {
    return simple(
      stringType,
      Math.max(0, ...node.enum.map((one) => (typeof one === "string" ? Buffer.byteLength(one) : 0))),
      2,
    );
  }
  return simple(stringType, longestText, 2);
}

const atLeast0 = (value: number): number => Math.max(0, value);

/** Plain JSON under a schema as a CEL value; members are converted when they are asked for. */
export function toValue(raw: unknown, node: SchemaNode | undefined, isResource = false): Value {
  const schema = node !== undefined && isResource ? withTypeAndMetadata(node) : node;
  if (raw === null || raw === undefined) {
    if (schema === undefined || schema.nullable) return null;
    return fail("invalid data, got null for schema with nullable=false");
  }
  if (schema === undefined || schema.intOrString || schema.type === undefined) return untyped(raw);
  switch (schema.type) {
    case "object":
      if (typeof raw !== "object" || Array.isArray(raw))
        return fail("invalid data, expected a map for the provided schema with type=object");
      return new JsonMap(raw as Record<string, unknown>, schema);
    case "array":
      if (!Array.isArray(raw)) return fail("invalid data, expected an array for the provided schema with type=array");
      return jsonList(raw, schema);
    case "string":
      return typeof raw === "string"
        ? textValue(raw, schema.format)
        : fail("invalid data, expected string, got " + typeof raw);
    case "integer":
      return typeof raw === "bigint"
        ? raw
        : Number.isInteger(raw)
          ? BigInt(raw as number)
          : fail("invalid data, expected int");
    case "number":
      return typeof raw === "number"
        ? raw
        : typeof raw === "bigint"
          ? Number(raw)
          : fail("invalid data, expected float");
    case "boolean":
      return typeof raw === "boolean" ? raw : fail("invalid data, expected bool");
    default:
      return untyped(raw);
  }
}

function textValue(raw: string, format: string | undefined): Value {
  switch (format) {
    case "duration": {
      const nanos = parseStrictDuration(raw);
      return nanos === undefined ? fail(`invalid duration ${raw}`) : new Duration(nanos);
    }
    case "date": {
      const nanos = parseDateTime(`${raw}T00:00:00Z`);
      return nanos === undefined ? fail(`invalid date formatted string ${raw}`) : new Timestamp(nanos);
    }
    case "date-time": {
      const nanos = parseDateTime(raw.replace(/^(\d{4}-\d\d-\d\d)[t ]/, "$1T").replace(/z$/, "Z"));
      return nanos === undefined ? fail(`invalid date-time formatted string ${raw}`) : new Timestamp(nanos);
    }
    case "byte":
      return Uint8Array.from(Buffer.from(raw, "base64"));
    default:
      return raw;
  }
}

/** JSON without a schema: whole numbers are ints. */
function untyped(raw: unknown): Value {
  if (typeof raw === "number") return Number.isInteger(raw) ? BigInt(raw) : raw;
  if (typeof raw === "string" || typeof raw === "boolean" || typeof raw === "bigint") return raw;
  if (raw === null || raw === undefined) return null;
  if (Array.isArray(raw)) return new ValueList(raw.map(untyped));
  return new JsonMap(raw as Record<string, unknown>, { type: "object" });
}

function jsonList(raw: readonly unknown[], schema: SchemaNode): Value {
  const items = raw.map((item) => toValue(item, schema.items, schema.items?.embedded === true));
  if (schema.listType !== "set" && schema.listType !== "map") return new ValueList(items);
  return new RuledList(items, ruleOf(schema));
}

const rules = new WeakMap<SchemaNode, ListRule>();
function ruleOf(schema: SchemaNode): ListRule {
  let rule = rules.get(schema);
  if (rule === undefined) {
    const keys = schema.listKeys ?? [];
    rule = {
      kind: schema.listType as "set" | "map",
      keyOf:
        schema.listType === "set"
          ? identity
          : (item) => keys.map((key) => (item instanceof CelMap ? identity(item.get(key) ?? null) : "")).join("\0"),
    };
    rules.set(schema, rule);
  }
  return rule;
}

/** A text that two values share when they are equal. */
export function identity(value: Value): string {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint" || typeof value === "number") return String(value);
  if (value instanceof CelMap) {
    const keys = [...value.keys()].map((key) => identity(key)).sort();
    return `{${keys.map((key) => `${key}:${identity(value.get(JSON.parse(key))!)}`).join()}}`;
  }
  if (value instanceof ValueList) return `[${value.items.map(identity).join()}]`;
  if (value instanceof Duration || value instanceof Timestamp) return `t${value.nanos}`;
  if (value instanceof Uint8Array) return `y${Buffer.from(value).toString("hex")}`;
  return "?";
}

/** An object or map of JSON. Fields are known by their escaped names, map keys by their own. */
export class JsonMap extends CelMap {
  private readonly known = new Map<string, Value>();
  constructor(
    readonly raw: Readonly<Record<string, unknown>>,
    private readonly schema: SchemaNode,
  ) {
    super();
  }

  get size(): number {
    let size = 0;
    for (const key of Object.keys(this.raw)) if (this.visible(key)) size++;
    return size;
  }

  private visible(key: string): boolean {
    return (
      this.raw[key] !== undefined && (this.schema.properties === undefined || this.memberSchema(key) !== undefined)
    );
  }

  private memberSchema(key: string): SchemaNode | undefined {
    const { properties, additional } = this.schema;
    if (properties !== undefined && Object.hasOwn(properties, key)) return properties[key];
    return additional;
  }

  get(key: Value): Value | undefined {
    if (typeof key !== "string") return undefined;
    const cached = this.known.get(key);
    if (cached !== undefined) return cached;
    const name = this.schema.properties === undefined ? key : unescapeName(key);
    if (name === undefined || !Object.hasOwn(this.raw, name) || !this.visible(name)) return undefined;
    const member = this.memberSchema(name);
    const value = toValue(this.raw[name], member, member?.embedded === true);
    this.known.set(key, value);
    return value;
  }

  *keys(): Iterable<Value> {
    for (const key of Object.keys(this.raw)) {
      if (this.visible(key)) yield this.schema.properties === undefined ? key : (escapeName(key) ?? key);
    }
  }
}

const escaped = /__([^_]+)__/g;
export function unescapeName(name: string): string {
  if (!name.includes("__")) return name;
  const word = /^__(\w+)__$/.exec(name);
  if (word !== null && reservedWords.has(word[1]!)) return word[1]!;
  return name.replace(escaped, (whole, part) =>
    part === "underscores" ? "__" : part === "dot" ? "." : part === "dash" ? "-" : part === "slash" ? "/" : whole,
  );
}
