/**
 * A value as SOPS sees it. `text` is the form that its checksum covers: integers in decimal, floats without exponent,
 * `True` and `False`, times as RFC 3339.
 */
export interface Leaf {
  readonly type: "str" | "int" | "float" | "bool" | "time" | "null";
  readonly text: string;
}

/** Entries in the order of the file: the checksum depends on it, so no plain object will do. */
export type Branch = readonly (readonly [key: string, value: Node])[];

export type Node =
  | { readonly kind: "leaf"; readonly leaf: Leaf }
  | { readonly kind: "list"; readonly items: readonly Node[] }
  | { readonly kind: "map"; readonly entries: Branch };

export const str = (text: string): Node => ({ kind: "leaf", leaf: { type: "str", text } });

/** What each format of file does: documents in, documents out. */
export interface Store {
  /** Throws InvalidArgument; the message names a place and no value. */
  parse(text: string): Branch[];
  emit(branches: readonly Branch[]): string;
  /** Where the metadata lies: below the key `sops`, flattened below it, or flattened in keys that begin with `sops_`. */
  readonly metadata: "nested" | "flattened below" | "flattened";
}

/** A float as Go's FormatFloat writes it with 'f' and the shortest precision. */
export function plainFloat(value: number): string {
  const text = Object.is(value, -0) ? "-0" : String(value);
  const parts = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text);
  if (!parts) return text;
  const [, sign = "", first = "", rest = "", exponent = "0"] = parts;
  const digits = first + rest;
  const point = 1 + Number(exponent);
  if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`;
  return (
    sign + (digits.length <= point ? digits.padEnd(point, "0") : `${digits.slice(0, point)}.${digits.slice(point)}`)
  );
}
