import { limits } from "@tiphys/limits";
import { OpenPgpFormatError, OpenPgpLimitError } from "./errors.js";

export interface Packet {
  readonly tag: number;
  readonly body: Buffer;
}

/** Tags that we look at. */
export const tags = {
  sessionKey: 1,
  protectedData: 18,
  ocbData: 20,
  literal: 11,
  signature: 2,
  publicKey: 6,
  compressed: 8,
  marker: 10,
  trust: 12,
  userId: 13,
  publicSubkey: 14,
  userAttribute: 17,
  secretKey: 5,
  secretSubkey: 7,
} as const;

/** Reads numbers and slices; running over the end is an error, never a short answer. */
export class Reader {
  at = 0;
  constructor(private readonly data: Buffer) {}
  get left(): number {
    return this.data.length - this.at;
  }
  take(bytes: number): Buffer {
    if (bytes < 0 || bytes > this.left) throw new OpenPgpFormatError("a packet ends too early");
    const part = this.data.subarray(this.at, this.at + bytes);
    this.at += bytes;
    return part;
  }
  /** What is not read yet. */
  peek(): Buffer {
    return this.data.subarray(this.at);
  }
  number(bytes: 1 | 2 | 4): number {
    return this.take(bytes).readUIntBE(0, bytes);
  }
  rest(): Buffer {
    return this.take(this.left);
  }
  /** A multiprecision integer without leading zeros. */
  mpi(): Buffer {
    const bits = this.number(2);
    if (bits > limits.openPgpIntegerBits) {
      throw new OpenPgpLimitError(`an integer of more than ${limits.openPgpIntegerBits} bits`);
    }
    let value = this.take(Math.ceil(bits / 8));
    while (value.length > 0 && value[0] === 0) value = value.subarray(1);
    return value;
  }
}

/** A packet's length in the new format. */
function newLength(reader: Reader): number {
  const first = reader.number(1);
  if (first < 192) return first;
  if (first < 224) return ((first - 192) << 8) + reader.number(1) + 192;
  if (first < 255) throw new OpenPgpFormatError("a packet of partial length, which keys and signatures never have");
  return reader.number(4);
}

/** A body in parts, as programs write data whose length they do not know yet. */
function partialBody(reader: Reader): Buffer {
  const parts: Buffer[] = [];
  for (;;) {
    const [first = 0] = reader.peek();
    if (first < 224 || first === 255) return Buffer.concat([...parts, reader.take(newLength(reader))]);
    reader.take(1);
    parts.push(reader.take(2 ** (first & 0x1f)));
  }
}

/** Cuts `data` into packets; `partial` where data is among them, which may come in parts. */
export function parsePackets(data: Buffer, { partial = false } = {}): Packet[] {
  if (data.length > limits.openPgpBytes) throw new OpenPgpLimitError(`more than ${limits.openPgpBytes} bytes`);
  const reader = new Reader(data);
  const packets: Packet[] = [];
  while (reader.left > 0) {
    const head = reader.number(1);
    if ((head & 0x80) === 0) throw new OpenPgpFormatError("this is not an OpenPGP packet");
    let tag: number;
    let bytes: number;
    if (head & 0x40) {
      tag = head & 0x3f;
      if (partial) {
        packets.push({ tag, body: partialBody(reader) });
        tooMany(packets);
        continue;
      }
      bytes = newLength(reader);
    } else {
      tag = (head >> 2) & 0x0f;
      const kind = head & 3;
      bytes = kind === 3 ? reader.left : reader.number(kind === 0 ? 1 : kind === 1 ? 2 : 4);
    }
    if (tag === 0) throw new OpenPgpFormatError("a packet of tag 0");
    packets.push({ tag, body: reader.take(bytes) });
    tooMany(packets);
  }
  return packets;
}

function tooMany(packets: readonly Packet[]): void {
  if (packets.length > limits.openPgpPackets) throw new OpenPgpLimitError(`more than ${limits.openPgpPackets} packets`);
}
