import { createHash, createPublicKey, getHashes, type KeyObject, verify } from "node:crypto";
import { OpenPgpFormatError } from "./errors.js";
import { Reader } from "./packets.js";
import type { SignaturePacket } from "./signature-packet.js";

/** One public key or subkey as its packet says it. */
export interface KeyMaterial {
  /** 40 hexadecimal digits in capitals. */
  readonly fingerprint: string;
  /** The last 16 of them. */
  readonly keyId: string;
  /** gpg's name of the algorithm: `RSA`, `DSA`, `ECDSA`, `EDDSA`; others as `#16`. */
  readonly algorithm: string;
  /** `rsa4096`, `ed25519`, `nistp256`, … */
  readonly description: string;
  readonly createdAt: Date;
  /** What signatures over this key hash: the packet's body with its header. */
  readonly hashed: Buffer;
  /** Undefined where the algorithm or curve is not supported. */
  readonly key: UsableKey | undefined;
}

interface UsableKey {
  readonly object: KeyObject;
  readonly kind: "rsa" | "dsa" | "ecdsa" | "eddsa";
  /** Octets of one integer of the signature. */
  readonly size: number;
  /** New style EdDSA: the signature is octets, not integers. */
  readonly raw: boolean;
}

const names: Readonly<Record<number, string>> = {
  1: "RSA",
  2: "RSA",
  3: "RSA",
  16: "ELG",
  17: "DSA",
  18: "ECDH",
  19: "ECDSA",
  22: "EDDSA",
  25: "ECDH",
  26: "ECDH",
  27: "EDDSA",
  28: "EDDSA",
};

export const algorithmName = (number: number): string => names[number] ?? `#${number}`;

const hashes: Readonly<Record<number, string>> = {
  2: "sha1",
  3: "ripemd160",
  8: "sha256",
  9: "sha384",
  10: "sha512",
  11: "sha224",
  12: "sha3-256",
  14: "sha3-512",
};

/** Curves by the hexadecimal form of their object identifier. */
const curves: Readonly<Record<string, { readonly name: string; readonly size: number }>> = {
  "2a8648ce3d030107": { name: "nistp256", size: 32 },
  "2b81040022": { name: "nistp384", size: 48 },
  "2b81040023": { name: "nistp521", size: 66 },
  "2b8104000a": { name: "secp256k1", size: 32 },
  "2b2403030208010107": { name: "brainpoolP256r1", size: 32 },
  "2b240303020801010b": { name: "brainpoolP384r1", size: 48 },
  "2b240303020801010d": { name: "brainpoolP512r1", size: 64 },
};
const ED25519 = "2b06010401da470f01";

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const length = body.length;
  const head =
    length < 0x80 ? [tag, length] : length < 0x100 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), body]);
}
const derInteger = (value: Buffer) =>
  der(
    0x02,
    value.length === 0 ? Buffer.from([0]) : (value[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.from([0]), value]) : value,
  );
const derBits = (value: Buffer) => der(0x03, Buffer.from([0]), value);
const derOid = (hexText: string) => der(0x06, Buffer.from(hexText, "hex"));
const subjectPublicKey = (algorithm: Buffer, bits: Buffer) =>
  createPublicKey({ key: der(0x30, algorithm, derBits(bits)), format: "der", type: "spki" });

const rsa = (n: Buffer, e: Buffer): UsableKey | undefined => {
  // A huge exponent makes each check expensive; no real key has one.
  if (e.length > 8 || n.length < 128) return undefined;
  const object = createPublicKey({
    key: { kty: "RSA", n: n.toString("base64url"), e: e.toString("base64url") },
    format: "jwk",
  });
  return { object, kind: "rsa", size: n.length, raw: false };
};

const ed = (object: KeyObject, size: number, raw: boolean): UsableKey => ({ object, kind: "eddsa", size, raw });
const ed25519 = (point: Buffer) => subjectPublicKey(der(0x30, derOid("2b6570")), point);

/** Takes the algorithm's own part of a key packet. */
function usableKey(algorithm: number, reader: Reader): { key: UsableKey | undefined; description: string } {
  const attempt = (make: () => UsableKey | undefined): UsableKey | undefined => {
    try {
      return make();
    } catch {
      // The library does not take these numbers (not a point of the curve, say): a key that verifies nothing.
      return undefined;
    }
  };
  switch (algorithm) {
    case 1:
    case 2:
    case 3: {
      const n = reader.mpi();
      const e = reader.mpi();
      const bits = n.length * 8 - Math.clz32(n[0] ?? 0) + 24;
      return { key: attempt(() => rsa(n, e)), description: `rsa${bits}` };
    }
    case 17: {
      const [p, q, g, y] = [reader.mpi(), reader.mpi(), reader.mpi(), reader.mpi()];
      const parameters = der(0x30, derInteger(p), derInteger(q), derInteger(g));
      const algorithmId = der(0x30, derOid("2a8648ce380401"), parameters);
      const key = attempt(() => ({
        object: subjectPublicKey(algorithmId, derInteger(y)),
        kind: "dsa",
        size: q.length,
        raw: false,
      }));
      return { key, description: `dsa${p.length * 8}` };
    }
    case 19: {
      const oid = reader.take(reader.number(1)).toString("hex");
      const point = reader.mpi();
      const curve = curves[oid];
      if (!curve) return { key: undefined, description: "ecdsa" };
      const algorithmId = der(0x30, derOid("2a8648ce3d0201"), derOid(oid));
      const key = attempt(() => ({
        object: subjectPublicKey(algorithmId, point),
        kind: "ecdsa",
        size: curve.size,
        raw: false,
      }));
      return { key, description: curve.name };
    }
    case 22: {
      const oid = reader.take(reader.number(1)).toString("hex");
      const point = reader.mpi();
      const usable = oid === ED25519 && point.length === 33 && point[0] === 0x40;
      return {
        key: usable ? attempt(() => ed(ed25519(point.subarray(1)), 32, false)) : undefined,
        description: usable ? "ed25519" : "eddsa",
      };
    }
    case 27: {
      const point = reader.take(32);
      return { key: attempt(() => ed(ed25519(point), 32, true)), description: "ed25519" };
    }
    case 28: {
      const point = reader.take(57);
      const make = () => ed(subjectPublicKey(der(0x30, derOid("2b6571")), point), 57, true);
      return { key: attempt(make), description: "ed448" };
    }
    default:
      reader.rest();
      return { key: undefined, description: algorithmName(algorithm).toLowerCase() };
  }
}

/** Parses the body of a public key or subkey packet; undefined for versions other than 4. */
export function parseKey(body: Buffer): KeyMaterial | undefined {
  const reader = new Reader(body);
  if (reader.number(1) !== 4) return undefined;
  if (body.length > 0xffff) throw new OpenPgpFormatError("a key packet is too long");
  const createdAt = new Date(reader.number(4) * 1000);
  const algorithm = reader.number(1);
  const { key, description } = usableKey(algorithm, reader);
  const head = Buffer.from([0x99, body.length >> 8, body.length & 0xff]);
  const hashed = Buffer.concat([head, body]);
  const fingerprint = createHash("sha1").update(hashed).digest("hex").toUpperCase();
  return {
    fingerprint,
    keyId: fingerprint.slice(24),
    algorithm: algorithmName(algorithm),
    description,
    createdAt,
    hashed,
    key,
  };
}

/** Whether a signature over `parts` was made by this key; "unsupported" when that cannot be told. */
export function checkSignature(
  { key }: KeyMaterial,
  signature: SignaturePacket,
  parts: readonly Uint8Array[],
): boolean | "unsupported" {
  const hash = hashes[signature.hashAlgorithm];
  if (!key || !hash || !getHashes().includes(hash) || signature.unknownCritical !== undefined) return "unsupported";
  const hashing = createHash(hash);
  for (const part of parts) hashing.update(part);
  const digest = hashing.update(signature.trailer).digest();
  if (digest.readUInt16BE(0) !== signature.left16) return false;
  const integers = (count: number, size: number): Buffer | undefined => {
    const reader = new Reader(signature.material);
    const padded: Buffer[] = [];
    for (let index = 0; index < count; index++) {
      const value = reader.mpi();
      if (value.length > size) return undefined;
      padded.push(Buffer.concat([Buffer.alloc(size - value.length), value]));
    }
    return Buffer.concat(padded);
  };
  const data = () => Buffer.concat([...parts, signature.trailer]);
  try {
    switch (key.kind) {
      case "rsa": {
        if (![1, 3].includes(signature.keyAlgorithm)) return false;
        const value = integers(1, key.size);
        return value !== undefined && verify(hash, data(), key.object, value);
      }
      case "eddsa": {
        if (signature.keyAlgorithm !== (key.raw ? (key.size === 32 ? 27 : 28) : 22)) return false;
        const value = key.raw ? signature.material : integers(2, key.size);
        return value !== undefined && value.length === 2 * key.size && verify(null, digest, key.object, value);
      }
      default: {
        if (signature.keyAlgorithm !== (key.kind === "dsa" ? 17 : 19)) return false;
        const value = integers(2, key.size);
        const object = { key: key.object, dsaEncoding: "ieee-p1363" } as const;
        return value !== undefined && verify(hash, data(), object, value);
      }
    }
  } catch {
    // Broken integers, or numbers that the library refuses: not a signature of this key.
    return false;
  }
}
