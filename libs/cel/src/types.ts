/** A CEL type. Types are compared by structure; `name` is the declared name of an object or of an opaque type. */
export interface Type {
  readonly kind: TypeKind;
  readonly name: string;
  readonly params: readonly Type[];
}

export type TypeKind =
  | "bool"
  | "bytes"
  | "double"
  | "duration"
  | "dyn"
  | "error"
  | "int"
  | "list"
  | "map"
  | "null"
  | "opaque"
  | "param"
  | "string"
  | "struct"
  | "timestamp"
  | "type"
  | "uint";

const simple = (kind: TypeKind, name: string = kind): Type => Object.freeze({ kind, name, params: [] });

export const boolType = simple("bool");
export const bytesType = simple("bytes");
export const doubleType = simple("double");
export const durationType = simple("duration", "google.protobuf.Duration");
export const dynType = simple("dyn");
export const errorType = simple("error", "*error*");
export const intType = simple("int");
export const nullType = simple("null", "null_type");
export const stringType = simple("string");
export const timestampType = simple("timestamp", "google.protobuf.Timestamp");
export const uintType = simple("uint");

export const listType = (element: Type): Type => ({ kind: "list", name: "list", params: [element] });
export const mapType = (key: Type, value: Type): Type => ({ kind: "map", name: "map", params: [key, value] });
export const optionalType = (value: Type): Type => opaqueType("optional_type", value);
export const typeType = (of: Type): Type => ({ kind: "type", name: "type", params: [of] });
export const paramType = (name: string): Type => ({ kind: "param", name, params: [] });
export const opaqueType = (name: string, ...params: Type[]): Type => ({ kind: "opaque", name, params });
/** A type with fields; which ones is said by the environment's struct table. */
export const structType = (name: string): Type => ({ kind: "struct", name, params: [] });

export const quantityType = structType("kubernetes.Quantity");
export const urlType = structType("kubernetes.URL");
export const semverType = structType("kubernetes.Semver");
export const formatType = structType("kubernetes.NamedFormat");
export const ipType = opaqueType("net.IP");
export const cidrType = opaqueType("net.CIDR");

export function sameType(a: Type, b: Type): boolean {
  if (a === b) return true;
  return (
    a.kind === b.kind &&
    a.name === b.name &&
    a.params.length === b.params.length &&
    a.params.every((param, at) => sameType(param, b.params[at]!))
  );
}

export const isOptional = (type: Type): boolean => type.kind === "opaque" && type.name === "optional_type";

/** As messages show it: `list(int)`, `map(string, dyn)`. */
export function typeText(type: Type): string {
  if (type.kind === "error") return "!error!";
  if (type.kind === "null" || type.kind === "duration" || type.kind === "timestamp") return type.kind;
  if (type.kind === "type") return type.params.length === 0 ? "type" : `type(${typeText(type.params[0]!)})`;
  if (type.params.length === 0) return type.name;
  return `${type.name}(${type.params.map(typeText).join(", ")})`;
}

const byName = new Map<string, Type>([
  ["bool", boolType],
  ["bytes", bytesType],
  ["double", doubleType],
  ["duration", durationType],
  ["dyn", dynType],
  ["int", intType],
  ["null", nullType],
  ["string", stringType],
  ["timestamp", timestampType],
  ["uint", uintType],
  ["Quantity", quantityType],
  ["URL", urlType],
  ["Semver", semverType],
  ["Format", formatType],
  ["IP", ipType],
  ["CIDR", cidrType],
] as const);

/**
 * Reads the short notation that declarations are written in: `int`, `list<A>`, `map<K,V>`, `optional<T>`, `type<A>`.
 * One capital letter is a type parameter.
 */
export function parseType(text: string): Type {
  const match = /^(\w+)<(.*)>$/.exec(text);
  if (match === null) {
    if (/^[A-Z]$/.test(text)) return paramType(text);
    const found = byName.get(text);
    if (found === undefined) throw new Error(`no CEL type is called ${text}`);
    return found;
  }
  const params = splitTop(match[2]!).map(parseType);
  if (match[1] === "list") return listType(params[0]!);
  if (match[1] === "map") return mapType(params[0]!, params[1]!);
  if (match[1] === "optional") return optionalType(params[0]!);
  if (match[1] === "type") return typeType(params[0]!);
  throw new Error(`no CEL type is called ${match[1]}`);
}

/** Splits at commas outside of angle brackets. */
export function splitTop(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const sign = text[at];
    if (sign === "<") depth++;
    else if (sign === ">") depth--;
    else if (sign === "," && depth === 0) {
      parts.push(text.slice(from, at).trim());
      from = at + 1;
    }
  }
  const last = text.slice(from).trim();
  return last === "" && parts.length === 0 ? [] : [...parts, last];
}
