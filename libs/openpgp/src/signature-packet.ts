import { OpenPgpFormatError } from "./errors.js";
import { Reader } from "./packets.js";

/** A version 4 signature as its packet says it; nothing is verified yet. */
export interface SignaturePacket {
  readonly type: number;
  readonly keyAlgorithm: number;
  readonly hashAlgorithm: number;
  /** What is hashed after the signed data. */
  readonly trailer: Buffer;
  /** First two octets of the digest. */
  readonly left16: number;
  /** The algorithm's own integers, or octets. */
  readonly material: Buffer;
  readonly createdAt: Date | undefined;
  /** Seconds after its creation at which the signature ends; undefined is never. */
  readonly expiresAfter: number | undefined;
  /** Seconds after the key's creation at which the key ends (self-signatures). */
  readonly keyExpiresAfter: number | undefined;
  /** 16 hexadecimal digits in capitals. */
  readonly issuer: string | undefined;
  readonly issuerFingerprint: string | undefined;
  readonly keyFlags: number | undefined;
  readonly primaryUserId: boolean;
  /** A signature of the subkey over its primary key, inside a binding. */
  readonly embedded: readonly SignaturePacket[];
  /** A subpacket that must be understood and is not. */
  readonly unknownCritical: number | undefined;
}

/** Signature types. */
export const types = {
  binary: 0x00,
  text: 0x01,
  certifications: [0x10, 0x11, 0x12, 0x13] as readonly number[],
  subkeyBinding: 0x18,
  primaryBinding: 0x19,
  directKey: 0x1f,
  keyRevocation: 0x20,
  subkeyRevocation: 0x28,
  certificationRevocation: 0x30,
} as const;

const KNOWN: ReadonlySet<number> = new Set([
  2, 3, 4, 5, 7, 9, 11, 12, 16, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35,
]);

interface Subpacket {
  readonly type: number;
  readonly critical: boolean;
  readonly body: Buffer;
}

function subpackets(data: Buffer): Subpacket[] {
  const reader = new Reader(data);
  const found: Subpacket[] = [];
  while (reader.left > 0) {
    const first = reader.number(1);
    const bytes = first < 192 ? first : first < 255 ? ((first - 192) << 8) + reader.number(1) + 192 : reader.number(4);
    if (bytes === 0) throw new OpenPgpFormatError("a subpacket without a type");
    const head = reader.number(1);
    found.push({ type: head & 0x7f, critical: (head & 0x80) !== 0, body: reader.take(bytes - 1) });
  }
  return found;
}

const hex = (data: Buffer) => data.toString("hex").toUpperCase();

/** Parses the body of a signature packet; undefined for versions other than 4. */
export function parseSignature(body: Buffer, depth = 0): SignaturePacket | undefined {
  const reader = new Reader(body);
  if (reader.number(1) !== 4) return undefined;
  const type = reader.number(1);
  const keyAlgorithm = reader.number(1);
  const hashAlgorithm = reader.number(1);
  const hashedBytes = reader.take(reader.number(2));
  const hashedEnd = reader.at;
  const unhashed = subpackets(reader.take(reader.number(2)));
  const left16 = reader.number(2);
  const material = reader.rest();
  const tail = Buffer.alloc(6);
  tail.writeUInt8(4, 0);
  tail.writeUInt8(0xff, 1);
  tail.writeUInt32BE(hashedEnd, 2);
  const hashed = subpackets(hashedBytes);
  // Whatever decides must have been signed; the unhashed area only says whose key to try.
  const own = (wanted: number, bytes: number) => {
    const found = hashed.findLast((each) => each.type === wanted)?.body;
    return found && found.length >= bytes ? found : undefined;
  };
  const issuer = own(16, 8) ?? unhashed.find((each) => each.type === 16 && each.body.length === 8)?.body;
  const fingerprint = own(33, 21) ?? unhashed.find((each) => each.type === 33 && each.body.length === 21)?.body;
  const created = own(2, 4)?.readUInt32BE(0);
  const embedded: SignaturePacket[] = [];
  if (depth === 0) {
    // A back signature proves itself, so gpg writes it into the unhashed area.
    for (const each of [...hashed, ...unhashed]) {
      const inner = each.type === 32 && embedded.length < 4 ? parseSignature(each.body, 1) : undefined;
      if (inner) embedded.push(inner);
    }
  }
  const v4fingerprint = fingerprint?.[0] === 4 ? hex(fingerprint.subarray(1)) : undefined;
  return {
    type,
    keyAlgorithm,
    hashAlgorithm,
    trailer: Buffer.concat([body.subarray(0, hashedEnd), tail]),
    left16,
    material,
    createdAt: created === undefined ? undefined : new Date(created * 1000),
    expiresAfter: own(3, 4)?.readUInt32BE(0) || undefined,
    keyExpiresAfter: own(9, 4)?.readUInt32BE(0) || undefined,
    issuer: v4fingerprint?.slice(24) ?? (issuer ? hex(issuer.subarray(0, 8)) : undefined),
    issuerFingerprint: v4fingerprint,
    keyFlags: own(27, 1)?.[0],
    primaryUserId: own(25, 1)?.[0] === 1,
    embedded,
    unknownCritical: hashed.find((each) => each.critical && !KNOWN.has(each.type))?.type,
  };
}
