/** The little of ASN.1's DER that certificates and private keys need. */
export const SEQUENCE = 0x30;

export function der(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  const size = body.length;
  let length: Buffer;
  if (size < 0x80) length = Buffer.from([size]);
  else {
    const digits = Buffer.from(
      size.toString(16).padStart(size.toString(16).length + (size.toString(16).length % 2), "0"),
      "hex",
    );
    length = Buffer.concat([Buffer.from([0x80 | digits.length]), digits]);
  }
  return Buffer.concat([Buffer.from([tag]), length, body]);
}

export const sequence = (...content: readonly Uint8Array[]): Buffer => der(SEQUENCE, ...content);

export function integer(value: bigint): Buffer {
  const digits = value.toString(16);
  const bytes = Buffer.from(digits.padStart(digits.length + (digits.length % 2), "0"), "hex");
  return der(0x02, bytes[0]! >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes);
}

export function objectId(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const part of rest) {
    const groups = [part & 0x7f];
    for (let left = part >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return der(0x06, Buffer.from(bytes));
}

export const bitString = (bytes: Uint8Array, unused = 0): Buffer => der(0x03, Buffer.from([unused]), bytes);
export const octetString = (bytes: Uint8Array): Buffer => der(0x04, bytes);

/** UTCTime up to 2049, GeneralizedTime after. */
export function timeOf(milliseconds: number): Buffer {
  const text = new Date(milliseconds).toISOString().replace(/[-:T]|\.\d+/g, "");
  return Number(text.slice(0, 4)) < 2050 ? der(0x17, Buffer.from(text.slice(2))) : der(0x18, Buffer.from(text));
}

export interface Element {
  readonly tag: number;
  readonly content: Buffer;
  /** Tag, length and content. */
  readonly whole: Buffer;
}

/** The elements side by side in some bytes; throws a RangeError when they are cut short. */
export function readElements(bytes: Buffer): Element[] {
  const elements: Element[] = [];
  for (let at = 0; at < bytes.length; ) {
    const start = at;
    const tag = bytes.readUInt8(at++);
    let size = bytes.readUInt8(at++);
    if (size & 0x80) {
      const width = size & 0x7f;
      if (width > 4) throw new RangeError("a DER length is too long");
      size = bytes.readUIntBE(at, width);
      at += width;
    }
    if (at + size > bytes.length) throw new RangeError("DER is cut short");
    elements.push({ tag, content: bytes.subarray(at, at + size), whole: bytes.subarray(start, at + size) });
    at += size;
  }
  return elements;
}

/** PEM as Go writes it. */
export function toPem(type: string, bytes: Uint8Array): string {
  const lines = Buffer.from(bytes)
    .toString("base64")
    .replace(/.{1,64}/g, "$&\n");
  return `-----BEGIN ${type}-----\n${lines}-----END ${type}-----\n`;
}

/** The first PEM block of a text. */
export function fromPem(text: string): { readonly type: string; readonly bytes: Buffer } | undefined {
  const match = /-----BEGIN ([A-Z0-9 ]+)-----\r?\n(?:[^\n:]+:[^\n]*\n)*([A-Za-z0-9+/=\s]*?)-----END \1-----/.exec(text);
  return match ? { type: match[1]!, bytes: Buffer.from(match[2]!, "base64") } : undefined;
}
