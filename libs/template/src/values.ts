import { compareStrings } from "./go-string.js";

/**
 * How Go's values look here:
 *
 * | Go | here |
 * | --- | --- |
 * | nil, an absent map entry | `null` |
 * | bool, string | boolean, string (see go-string.ts) |
 * | float64 | number |
 * | every kind of integer | {@link GoInt} |
 * | map[string]interface{} | `Map`; with another type {@link GoMap} |
 * | []interface{} | array; with another element type {@link GoSlice} |
 * | []byte | `Uint8Array` |
 * | structs, pointers to them | {@link GoStruct} |
 * | functions | {@link GoFunc} |
 */
export type GoValue = unknown;

export type IntKind =
  | "int"
  | "int8"
  | "int16"
  | "int32"
  | "int64"
  | "uint"
  | "uint8"
  | "uint16"
  | "uint32"
  | "uint64"
  | "uintptr";

/** An integer with its Go type. `name` differs from `kind` for defined types such as `time.Duration`. */
export class GoInt {
  constructor(
    readonly v: bigint,
    readonly kind: IntKind = "int",
    readonly name: string = kind,
  ) {}
  get signed(): boolean {
    return this.kind.charCodeAt(0) === 0x69;
  }
  /** Text of the types that have a String method. */
  text(): string | undefined {
    return undefined;
  }
}

const smallInts = Array.from({ length: 1024 }, (_, n) => new GoInt(BigInt(n)));
/** A Go `int`. */
export const int = (n: number): GoInt => smallInts[n] ?? new GoInt(BigInt(n));
/** A Go `int64`. */
export const int64 = (v: bigint): GoInt => new GoInt(BigInt.asIntN(64, v), "int64");

/** A map whose Go type is not map[string]interface{}; keys are strings. */
export class GoMap extends Map<string, GoValue> {
  constructor(
    /** As %T prints it. */
    readonly typeName: string,
    /** The type of its values, as %T prints it; decides what an absent key gives. */
    readonly elem: string,
    entries?: Iterable<readonly [string, GoValue]>,
  ) {
    super(entries);
  }
}

/** A slice whose elements are not interface{}. */
export class GoSlice extends Array<GoValue> {
  elem = "interface {}";
  /** A slice that is nil: printed as an empty one, null as JSON. */
  nil = false;
  /** Its defined type, when it has one. */
  defined: string | undefined;
  static override get [Symbol.species]() {
    return Array;
  }
  static of_(elem: string, items: readonly GoValue[], nil = false, defined?: string): GoSlice {
    const slice = new GoSlice();
    for (const item of items) slice.push(item);
    slice.elem = elem;
    slice.nil = nil;
    slice.defined = defined;
    return slice;
  }
}
export const strings = (items: readonly string[], nil = false): GoSlice => GoSlice.of_("string", items, nil);
/** `[]interface{}(nil)`. */
export const nilSlice = (): GoSlice => GoSlice.of_("interface {}", [], true);

export type Method = {
  readonly params: readonly ParamType[];
  readonly variadic?: boolean;
  readonly call: (...args: never[]) => GoValue;
};

/** A struct or a pointer to one: exported fields, methods, and the text of its String method. */
export class GoStruct {
  constructor(
    /** Without the star of a pointer. */
    readonly typeName: string,
    readonly fields: ReadonlyMap<string, GoValue>,
    readonly options: {
      readonly pointer?: boolean;
      readonly methods?: Readonly<Record<string, Method>>;
      readonly text?: () => string;
      /** The text of a String method that only its pointer has: used where the value can be pointed at, in an action. */
      readonly addressable?: () => string;
      /** Its JSON form when it is not its fields. */
      readonly json?: () => GoValue;
    } = {},
  ) {}
}

/** A function as a value, for `call`. */
export class GoFunc {
  constructor(
    readonly typeName: string,
    readonly params: readonly ParamType[],
    readonly variadic: boolean,
    readonly call: (...args: never[]) => GoValue,
  ) {}
}

/** Types that parameters of functions can have. `value` is reflect.Value: anything at all, unchecked. */
export type ParamType =
  | "string"
  | "int"
  | "int64"
  | "uint32"
  | "float64"
  | "bool"
  | "any"
  | "value"
  | "map"
  | "list"
  | "time"
  | "certificate";

/** As Go prints the types of parameters in errors. */
export const paramTypeName: Readonly<Record<ParamType, string>> = {
  string: "string",
  int: "int",
  int64: "int64",
  uint32: "uint32",
  float64: "float64",
  bool: "bool",
  any: "interface {}",
  value: "reflect.Value",
  map: "map[string]interface {}",
  list: "[]interface {}",
  time: "time.Time",
  certificate: "sprig.certificate",
};

/** As %T prints it. */
export function typeOf(value: GoValue): string {
  if (typeof value === "string") return "string";
  if (typeof value === "number") return "float64";
  if (typeof value === "boolean") return "bool";
  if (value === null || value === undefined) return "<nil>";
  if (value instanceof GoInt) return value.name;
  if (value instanceof Map) return value instanceof GoMap ? value.typeName : "map[string]interface {}";
  if (Array.isArray(value)) {
    if (!(value instanceof GoSlice)) return "[]interface {}";
    return value.defined ?? `[]${value.elem}`;
  }
  if (value instanceof Uint8Array) return "[]uint8";
  if (value instanceof GoStruct) return `${value.options.pointer ? "*" : ""}${value.typeName}`;
  if (value instanceof GoFunc) return value.typeName;
  return "interface {}";
}

/** As reflect's Kind prints it. */
export function kindOf(value: GoValue): string {
  if (typeof value === "string") return "string";
  if (typeof value === "number") return "float64";
  if (typeof value === "boolean") return "bool";
  if (value === null || value === undefined) return "invalid";
  if (value instanceof GoInt) return value.kind;
  if (value instanceof Map) return "map";
  if (Array.isArray(value) || value instanceof Uint8Array) return "slice";
  if (value instanceof GoStruct) return value.options.pointer ? "ptr" : "struct";
  if (value instanceof GoFunc) return "func";
  return "interface";
}

/** Truth as `if` and `and` have it. */
export function isTrue(value: GoValue): boolean {
  if (typeof value === "boolean") return value;
  if (typeof value === "string") return value !== "";
  if (value === null || value === undefined) return false;
  if (typeof value === "number") return value !== 0;
  if (value instanceof Map) return value.size > 0;
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length > 0;
  if (value instanceof GoInt) return value.v !== 0n;
  return true;
}

/** Keys in the order in which `range` and %v visit a map. */
export function sortedKeys(map: ReadonlyMap<string, unknown>): string[] {
  const keys = [...map.keys()];
  return keys.length > 1 ? keys.sort(compareStrings) : keys;
}

/** The zero value of the elements of a map: what an absent key gives. */
export function zeroOf(elem: string): GoValue {
  switch (elem) {
    case "string":
      return "";
    case "bool":
      return false;
    case "float64":
      return 0;
    case "[]uint8":
      return new Uint8Array();
    default:
      return null;
  }
}

/** Plain data (of a YAML or JSON reader) as Go values: every number is a float64. */
export function fromPlain(value: unknown): GoValue {
  if (typeof value !== "object") return typeof value === "bigint" ? Number(value) : (value ?? null);
  if (value === null) return null;
  if (Array.isArray(value)) return value.map(fromPlain);
  if (value instanceof Map || value instanceof Uint8Array) return value;
  const map = new Map<string, GoValue>();
  for (const key in value) map.set(key, fromPlain((value as Record<string, unknown>)[key]));
  return map;
}

/** Go values as plain data; integers beyond 2^53 become bigint. */
export function toPlain(value: GoValue): unknown {
  if (value instanceof Map) {
    const object: Record<string, unknown> = {};
    for (const [key, member] of value) {
      if (key === "__proto__")
        Object.defineProperty(object, key, {
          value: toPlain(member),
          enumerable: true,
          writable: true,
          configurable: true,
        });
      else object[key] = toPlain(member);
    }
    return object;
  }
  if (Array.isArray(value)) return value.map(toPlain);
  if (value instanceof GoInt) return Number.isSafeInteger(Number(value.v)) ? Number(value.v) : value.v;
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (value instanceof GoStruct) {
    return value.options.json ? toPlain(value.options.json()) : toPlain(new Map(value.fields));
  }
  return value;
}

/** A deep copy, as Sprig's deepCopy and the merging of values need it. */
export function deepCopy(value: GoValue): GoValue {
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Map) {
    const copy = value instanceof GoMap ? new GoMap(value.typeName, value.elem) : new Map<string, GoValue>();
    for (const [key, member] of value) copy.set(key, deepCopy(member));
    return copy;
  }
  if (Array.isArray(value)) {
    if (value instanceof GoSlice) return GoSlice.of_(value.elem, value.map(deepCopy), value.nil, value.defined);
    return value.map(deepCopy);
  }
  return value instanceof Uint8Array ? value.slice() : value;
}

/** Go's reflect.DeepEqual. */
export function deepEqual(a: GoValue, b: GoValue): boolean {
  if (a === b) return !(typeof a === "number" && Number.isNaN(a));
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (a instanceof GoInt) return b instanceof GoInt && a.v === b.v && a.name === b.name;
  if (typeOf(a) !== typeOf(b)) return false;
  if (a instanceof Map && b instanceof Map) {
    if (a.size !== b.size) return false;
    for (const [key, value] of a) if (!b.has(key) || !deepEqual(value, b.get(key))) return false;
    return true;
  }
  if (Array.isArray(a) && Array.isArray(b)) {
    if (a.length !== b.length || (a instanceof GoSlice && a.nil) !== (b instanceof GoSlice && b.nil)) return false;
    return a.every((item, index) => deepEqual(item, b[index]));
  }
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0;
  if (a instanceof GoStruct && b instanceof GoStruct) {
    for (const [key, value] of a.fields) if (!deepEqual(value, b.fields.get(key))) return false;
    return a.options.text?.() === b.options.text?.();
  }
  return false;
}
