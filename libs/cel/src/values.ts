import type { Cidr, IpAddress, Quantity } from "@tiphys/kube-values";
import { fail } from "./errors.js";
import {
  boolType,
  bytesType,
  cidrType,
  doubleType,
  durationType,
  dynType,
  formatType,
  intType,
  ipType,
  listType,
  mapType,
  nullType,
  optionalType,
  quantityType,
  semverType,
  stringType,
  type Type,
  timestampType,
  typeType,
  uintType,
  urlType,
} from "./types.js";

/** An int is a bigint, a double a number, a map a CelMap: so no value can be taken for one of another type. */
export type Value =
  | bigint
  | number
  | string
  | boolean
  | null
  | Uint8Array
  | Uint
  | Duration
  | Timestamp
  | TypeValue
  | Optional
  | CelList
  | CelMap
  | Opaque;

export class Uint {
  constructor(readonly value: bigint) {}
}
/** Nanoseconds. */
export class Duration {
  constructor(readonly nanos: bigint) {}
}
/** Nanoseconds since 1970, UTC. */
export class Timestamp {
  constructor(readonly nanos: bigint) {}
}
export class TypeValue {
  constructor(readonly type: Type) {}
}
export class Optional {
  static readonly none = new Optional(undefined);
  constructor(readonly value: Value | undefined) {}
}

/** A named check of texts, such as `format.dns1123Label()`. */
export interface NamedFormat {
  readonly name: string;
  /** For costs, as the API server estimates it. */
  readonly regexSize: number;
  readonly problems: (text: string) => string[];
}
export interface Semver {
  readonly major: bigint;
  readonly minor: bigint;
  readonly patch: bigint;
  readonly pre: readonly string[];
  readonly build: readonly string[];
}

/** Values with functions and equality alone. */
export type Opaque = QuantityValue | UrlValue | IpValue | CidrValue | SemverValue | FormatValue;
export class QuantityValue {
  constructor(readonly quantity: Quantity) {}
}
export class UrlValue {
  constructor(
    readonly text: string,
    readonly parts: { scheme: string; host: string; hostname: string; port: string; path: string; query: string },
  ) {}
}
export class IpValue {
  constructor(readonly ip: IpAddress) {}
}
export class CidrValue {
  constructor(readonly cidr: Cidr) {}
}
export class SemverValue {
  constructor(readonly semver: Semver) {}
}
export class FormatValue {
  constructor(readonly format: NamedFormat) {}
}

/** How a list is compared and added to: `x-kubernetes-list-type`. */
export interface ListRule {
  readonly kind: "set" | "map";
  /** Of an element: what tells it from the others. */
  readonly keyOf: (raw: Value) => string;
}

export abstract class CelList implements Iterable<Value> {
  abstract readonly size: number;
  abstract at(index: number): Value;
  readonly rule: ListRule | undefined = undefined;

  *[Symbol.iterator](): Iterator<Value> {
    for (let index = 0; index < this.size; index++) yield this.at(index);
  }
}

/** A list of values that are there already. */
export class ValueList extends CelList {
  constructor(readonly items: readonly Value[]) {
    super();
  }
  get size(): number {
    return this.items.length;
  }
  at(index: number): Value {
    return this.items[index]!;
  }
}

/** A list with an `x-kubernetes-list-type`. */
export class RuledList extends ValueList {
  constructor(
    items: readonly Value[],
    override readonly rule: ListRule,
  ) {
    super(items);
  }
}

export abstract class CelMap {
  abstract readonly size: number;
  abstract get(key: Value): Value | undefined;
  abstract keys(): Iterable<Value>;
}

/** A map made by an expression. */
export class ValueMap extends CelMap {
  private readonly entries = new Map<string, readonly [Value, Value]>();
  get size(): number {
    return this.entries.size;
  }
  get(key: Value): Value | undefined {
    const id = keyId(key);
    return id === undefined ? undefined : this.entries.get(id)?.[1];
  }
  *keys(): Iterable<Value> {
    for (const [key] of this.entries.values()) yield key;
  }
  /** False when the key was there already: its value is another one now. */
  set(key: Value, value: Value): boolean {
    const id = keyId(key) ?? fail(`unsupported key type: ${typeName(key)}`);
    const isNew = !this.entries.has(id);
    this.entries.set(id, [key, value]);
    return isNew;
  }
}

/** Numbers of different types are the same key when they are the same number. */
function keyId(key: Value): string | undefined {
  if (typeof key === "string") return `s${key}`;
  if (typeof key === "boolean") return `b${key}`;
  if (typeof key === "bigint") return `n${key}`;
  if (key instanceof Uint) return `n${key.value}`;
  if (typeof key === "number" && Number.isInteger(key)) return `n${BigInt(key)}`;
  return undefined;
}

/** The type of a value at run time. */
export function typeOf(value: Value): Type {
  switch (typeof value) {
    case "bigint":
      return intType;
    case "number":
      return doubleType;
    case "string":
      return stringType;
    case "boolean":
      return boolType;
  }
  if (value === null) return nullType;
  if (value instanceof Uint8Array) return bytesType;
  if (value instanceof Uint) return uintType;
  if (value instanceof Duration) return durationType;
  if (value instanceof Timestamp) return timestampType;
  if (value instanceof TypeValue) return typeType(value.type);
  if (value instanceof Optional) return optionalType(dynType);
  if (value instanceof CelList) return listType(dynType);
  if (value instanceof CelMap) return mapType(dynType, dynType);
  if (value instanceof QuantityValue) return quantityType;
  if (value instanceof UrlValue) return urlType;
  if (value instanceof IpValue) return ipType;
  if (value instanceof CidrValue) return cidrType;
  if (value instanceof SemverValue) return semverType;
  return formatType;
}

export const typeName = (value: Value): string => typeOf(value).name;

/** Elements for costs: code points, bytes, members; 1 for all else. */
export function sizeOf(value: Value): number {
  if (typeof value === "string") return codePoints(value);
  if (value instanceof Uint8Array) return value.length;
  if (value instanceof CelList || value instanceof CelMap) return value.size;
  if (value instanceof IpValue) return value.ip.family === 4 ? 4 : 16;
  if (value instanceof CidrValue) return Math.ceil(value.cidr.prefix / 8);
  if (value instanceof Optional && value.value !== undefined) return sizeOf(value.value);
  return 1;
}

export function codePoints(text: string): number {
  let count = text.length;
  for (let at = 0; at < text.length - 1; at++) {
    const code = text.charCodeAt(at);
    if (code >= 0xd800 && code < 0xdc00) count--;
  }
  return count;
}

/** CEL's ==: numbers by value across their types, lists and maps by member, different types never equal. */
export function equal(a: Value, b: Value): boolean {
  if (typeof a === "string" || typeof a === "boolean") return a === b;
  if (a === null || b === null) return a === b;
  if (isNumeric(a)) return isNumeric(b) && compareNumbers(a, b) === 0;
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  if (a instanceof CelList) return b instanceof CelList && equalLists(a, b);
  if (a instanceof CelMap) return b instanceof CelMap && equalMaps(a, b);
  if (a instanceof Duration) return b instanceof Duration && a.nanos === b.nanos;
  if (a instanceof Timestamp) return b instanceof Timestamp && a.nanos === b.nanos;
  if (a instanceof TypeValue) return b instanceof TypeValue && a.type.name === b.type.name;
  if (a instanceof Optional) {
    if (!(b instanceof Optional)) return false;
    if (a.value === undefined || b.value === undefined) return a.value === b.value;
    return equal(a.value, b.value);
  }
  if (a instanceof QuantityValue) return b instanceof QuantityValue && a.quantity.nanos === b.quantity.nanos;
  if (a instanceof UrlValue) return b instanceof UrlValue && a.text === b.text;
  if (a instanceof IpValue) return b instanceof IpValue && a.ip.family === b.ip.family && a.ip.bits === b.ip.bits;
  if (a instanceof CidrValue) {
    return (
      b instanceof CidrValue &&
      a.cidr.prefix === b.cidr.prefix &&
      equal(new IpValue(a.cidr.address), new IpValue(b.cidr.address))
    );
  }
  if (a instanceof SemverValue) return b instanceof SemverValue && compareSemver(a.semver, b.semver) === 0;
  return a instanceof FormatValue && b instanceof FormatValue && a.format.name === b.format.name;
}

function equalLists(a: CelList, b: CelList): boolean {
  if (a.size !== b.size) return false;
  const rule = a.rule ?? b.rule;
  if (rule !== undefined) {
    const theirs = new Map<string, Value>();
    for (const item of b) theirs.set(rule.keyOf(item), item);
    for (const item of a) {
      const other = theirs.get(rule.keyOf(item));
      if (other === undefined || !equal(item, other)) return false;
    }
    return true;
  }
  for (let index = 0; index < a.size; index++) if (!equal(a.at(index), b.at(index))) return false;
  return true;
}

function equalMaps(a: CelMap, b: CelMap): boolean {
  if (a.size !== b.size) return false;
  for (const key of a.keys()) {
    const other = b.get(key);
    if (other === undefined || !equal(a.get(key)!, other)) return false;
  }
  return true;
}

export const isNumeric = (value: Value): value is bigint | number | Uint =>
  typeof value === "bigint" || typeof value === "number" || value instanceof Uint;

/** Order of two numbers of any type; NaN when one is not a number. */
export function compareNumbers(a: bigint | number | Uint, b: bigint | number | Uint): number {
  const x = a instanceof Uint ? a.value : a;
  const y = b instanceof Uint ? b.value : b;
  // A bigint and a number compare exactly in JavaScript; NaN compares with nothing.
  return x < y ? -1 : x > y ? 1 : x >= y ? 0 : Number.NaN;
}

export function compareSemver(a: Semver, b: Semver): number {
  for (const part of ["major", "minor", "patch"] as const) {
    if (a[part] !== b[part]) return a[part] < b[part] ? -1 : 1;
  }
  if (a.pre.length === 0 || b.pre.length === 0) return b.pre.length === a.pre.length ? 0 : a.pre.length === 0 ? 1 : -1;
  for (let at = 0; at < Math.max(a.pre.length, b.pre.length); at++) {
    const [x, y] = [a.pre[at], b.pre[at]];
    if (x === undefined || y === undefined) return x === undefined ? -1 : 1;
    if (x === y) continue;
    const [nx, ny] = [/^\d+$/.test(x), /^\d+$/.test(y)];
    if (nx && ny) return BigInt(x) < BigInt(y) ? -1 : 1;
    if (nx !== ny) return nx ? -1 : 1;
    return x < y ? -1 : 1;
  }
  return 0;
}

/** Order of two values of one type that has an order; undefined when there is none. */
export function compareValues(a: Value, b: Value): number | undefined {
  if (isNumeric(a) && isNumeric(b)) return compareNumbers(a, b);
  if (typeof a === "string" && typeof b === "string") return compareText(a, b);
  if (typeof a === "boolean" && typeof b === "boolean") return Number(a) - Number(b);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  if (a instanceof Duration && b instanceof Duration) return compareBig(a.nanos, b.nanos);
  if (a instanceof Timestamp && b instanceof Timestamp) return compareBig(a.nanos, b.nanos);
  return undefined;
}

const compareBig = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

/** By code point, as UTF-8 bytes compare. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  for (let at = 0; ; at++) {
    const x = a.charCodeAt(at);
    const y = b.charCodeAt(at);
    if (x === y) continue;
    if (Number.isNaN(x)) return -1;
    if (Number.isNaN(y)) return 1;
    // Halves of a pair stand for code points above all others.
    const [highX, highY] = [x >= 0xd800 && x < 0xe000, y >= 0xd800 && y < 0xe000];
    return highX === highY ? x - y : highX ? 1 : -1;
  }
}
