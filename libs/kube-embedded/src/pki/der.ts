/** DER, as far as certificates need it: what X.690 calls tag, length and value. */

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
} as const;

/** A context-specific tag; constructed unless it holds plain bytes. */
export const context = (number: number, constructed = true): number => (constructed ? 0xa0 : 0x80) | number;

/** Deepest nesting that is read. */
const DEPTH = 32;

export interface Node {
  readonly tag: number;
  /** The content, without tag and length. */
  readonly value: Buffer;
  /** The whole, with both. */
  readonly raw: Buffer;
}

export class DerError extends Error {}

export function encode(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const value = Buffer.concat(parts);
  const { length } = value;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), value]);
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Buffer.concat([Buffer.from([tag, 0x80 | bytes.length, ...bytes]), value]);
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => encode(TAG.sequence, ...parts);
export const set = (...parts: readonly Uint8Array[]): Buffer => encode(TAG.set, ...parts);
export const octets = (value: Uint8Array): Buffer => encode(TAG.octetString, value);
export const bits = (value: Uint8Array, unused = 0): Buffer => encode(TAG.bitString, Buffer.from([unused]), value);
export const TRUE = encode(TAG.boolean, Buffer.from([0xff]));

/** A non-negative integer from its big-endian bytes. */
export function integer(bytes: Uint8Array): Buffer {
  let from = 0;
  while (from < bytes.length - 1 && bytes[from] === 0) from++;
  const trimmed = bytes.subarray(from);
  return encode(TAG.integer, (trimmed[0] ?? 0) >= 0x80 ? Buffer.from([0]) : Buffer.alloc(0), trimmed);
}

export function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const septets = [arc & 0x7f];
    for (let more = Math.floor(arc / 128); more > 0; more = Math.floor(more / 128))
      septets.unshift((more & 0x7f) | 0x80);
    bytes.push(...septets);
  }
  return encode(TAG.oid, Buffer.from(bytes));
}

/** A time as certificates have it: two digits of the year until 2049, four from then on. */
export function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, "");
  return date.getUTCFullYear() < 2050
    ? encode(TAG.utcTime, Buffer.from(digits.slice(2)))
    : encode(TAG.generalizedTime, Buffer.from(digits));
}

/** Reads one value; what follows it is an error. */
export function decode(bytes: Buffer): Node {
  const node = readAt(bytes, 0);
  if (node.raw.length !== bytes.length) throw new DerError("trailing data");
  return node;
}

/** The values inside a constructed one. */
export function members(node: Node, depth = 0): Node[] {
  if (depth > DEPTH) throw new DerError("nested too deeply");
  const out: Node[] = [];
  for (let at = 0; at < node.value.length; ) {
    const member = readAt(node.value, at);
    out.push(member);
    at += member.raw.length;
  }
  return out;
}

function readAt(bytes: Buffer, at: number): Node {
  const tag = bytes[at];
  let length = bytes[at + 1];
  if (tag === undefined || length === undefined) throw new DerError("truncated");
  let from = at + 2;
  if (length >= 0x80) {
    const count = length & 0x7f;
    if (count === 0 || count > 4 || from + count > bytes.length) throw new DerError("bad length");
    length = bytes.readUIntBE(from, count);
    from += count;
  }
  const end = from + length;
  if (end > bytes.length) throw new DerError("truncated");
  return { tag, value: bytes.subarray(from, end), raw: bytes.subarray(at, end) };
}

export function oidText(node: Node): string {
  if (node.tag !== TAG.oid) throw new DerError("an object identifier was expected");
  const arcs: number[] = [];
  let arc = 0;
  for (const [index, byte] of node.value.entries()) {
    if (index === 0) {
      arcs.push(Math.min(2, Math.floor(byte / 40)), byte - 40 * Math.min(2, Math.floor(byte / 40)));
      continue;
    }
    arc = arc * 128 + (byte & 0x7f);
    if (byte < 0x80) {
      arcs.push(arc);
      arc = 0;
    }
  }
  return arcs.join(".");
}

export const isTag = (node: Node | undefined, tag: number): node is Node => node?.tag === tag;

export const pem = (label: string, der: Buffer): string =>
  `-----BEGIN ${label}-----\n${(der.toString("base64").match(/.{1,64}/g) ?? []).join("\n")}\n-----END ${label}-----\n`;

/** The first block of this label; undefined: there is none. */
export function fromPem(text: string, label: string): Buffer | undefined {
  const found = new RegExp(`-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]*)-----END ${label}-----`).exec(text);
  return found?.[1] === undefined ? undefined : Buffer.from(found[1], "base64");
}
