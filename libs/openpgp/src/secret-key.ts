import { createDecipheriv, createHash, createPrivateKey, type KeyObject } from "node:crypto";
import { isArmored, parseArmor } from "./armor.js";
import { OpenPgpFormatError } from "./errors.js";
import { type Packet, parsePackets, Reader, tags } from "./packets.js";

/** The secret part of a key or subkey that data may be encrypted to. */
export interface DecryptionKey {
  readonly fingerprint: string;
  readonly keyId: string;
  /** The numbers that decrypt, after the passphrase has opened them. Throws where it is missing or wrong. */
  open(): OpenedKey;
}

export type OpenedKey =
  | { readonly kind: "rsa"; readonly object: KeyObject; readonly size: number }
  | {
      readonly kind: "ecdh";
      /** Object identifier of the curve, hexadecimal. */
      readonly oid: string;
      readonly scalar: Buffer;
      readonly hash: string;
      readonly cipher: number;
    };

export interface CipherKind {
  readonly name: string;
  /** Bytes of the key. */
  readonly key: number;
  readonly block: number;
}

export const ciphers: Readonly<Record<number, CipherKind>> = {
  7: { name: "aes-128", key: 16, block: 16 },
  8: { name: "aes-192", key: 24, block: 16 },
  9: { name: "aes-256", key: 32, block: 16 },
};
export const digests: Readonly<Record<number, string>> = {
  2: "sha1",
  8: "sha256",
  9: "sha384",
  10: "sha512",
  11: "sha224",
};

/** A passphrase as the key that protects numbers (RFC 4880, 3.7.1). */
function protectingKey(reader: Reader, bytes: number): (passphrase: string) => Buffer {
  const mode = reader.number(1);
  if (![0, 1, 3].includes(mode)) {
    throw new OpenPgpFormatError(
      mode === 101 ? "the secret key is only a stub, what it stands for is elsewhere" : `a passphrase of form ${mode}`,
    );
  }
  const hash = digests[reader.number(1)];
  if (!hash) throw new OpenPgpFormatError("the passphrase is hashed in a way that is not known here");
  const salt = mode === 0 ? Buffer.alloc(0) : reader.take(8);
  const coded = mode === 3 ? reader.number(1) : 0;
  const count = mode === 3 ? (16 + (coded & 15)) * 2 ** ((coded >> 4) + 6) : 0;
  return (passphrase) => {
    const seed = Buffer.concat([salt, Buffer.from(passphrase)]);
    const parts: Buffer[] = [];
    for (let zeros = 0; Buffer.concat(parts).length < bytes; zeros++) {
      const hashing = createHash(hash).update(Buffer.alloc(zeros));
      const total = Math.max(count, seed.length);
      const many = Buffer.concat(Array.from({ length: Math.ceil(Math.min(total, 65_536) / seed.length) }, () => seed));
      let left = total;
      for (; left >= many.length; left -= many.length) hashing.update(many);
      parts.push(hashing.update(many.subarray(0, left)).digest());
    }
    return Buffer.concat(parts).subarray(0, bytes);
  };
}

const big = (value: Buffer): bigint => (value.length === 0 ? 0n : BigInt(`0x${value.toString("hex")}`));
const base64 = (value: Buffer | bigint): string => {
  if (typeof value !== "bigint") return value.toString("base64url");
  const hex = value.toString(16);
  return Buffer.from(hex.length % 2 ? `0${hex}` : hex, "hex").toString("base64url");
};

function rsaKey(n: Buffer, e: Buffer, secret: Reader): OpenedKey {
  const [d, p, q, u] = [secret.mpi(), secret.mpi(), secret.mpi(), secret.mpi()];
  // OpenPGP keeps the inverse of p modulo q; so p and q change places.
  const jwk = {
    kty: "RSA",
    n: base64(n),
    e: base64(e),
    d: base64(d),
    p: base64(q),
    q: base64(p),
    dp: base64(big(d) % (big(q) - 1n)),
    dq: base64(big(d) % (big(p) - 1n)),
    qi: base64(u),
  };
  try {
    return { kind: "rsa", object: createPrivateKey({ key: jwk, format: "jwk" }), size: n.length };
  } catch {
    throw new OpenPgpFormatError("the numbers of an RSA key do not fit each other");
  }
}

/** Reads one packet; undefined for keys of other versions, and of algorithms that only sign. */
function decryptionKey({ body }: Packet, passphrase: string | undefined): DecryptionKey | undefined {
  const reader = new Reader(body);
  if (reader.number(1) !== 4) return undefined;
  reader.take(4);
  const algorithm = reader.number(1);
  let open: (secret: Reader) => OpenedKey;
  if (algorithm === 1 || algorithm === 2) {
    const [n, e] = [reader.mpi(), reader.mpi()];
    open = (secret) => rsaKey(n, e, secret);
  } else if (algorithm === 18) {
    const oid = reader.take(reader.number(1)).toString("hex");
    reader.mpi();
    const [, hash = 0, cipher = 0] = reader.take(reader.number(1));
    const name = digests[hash];
    if (!name || !ciphers[cipher]) return undefined;
    open = (secret) => ({ kind: "ecdh", oid, scalar: secret.mpi(), hash: name, cipher });
  } else return undefined;
  const publicPart = body.subarray(0, reader.at);
  const head = Buffer.from([0x99, publicPart.length >> 8, publicPart.length & 0xff]);
  const fingerprint = createHash("sha1").update(head).update(publicPart).digest("hex").toUpperCase();
  const rest = reader.rest();
  let opened: OpenedKey | undefined;
  return {
    fingerprint,
    keyId: fingerprint.slice(24),
    open: () => {
      opened ??= open(new Reader(unprotected(new Reader(rest), passphrase)));
      return opened;
    },
  };
}

/** The secret numbers, in clear. */
function unprotected(reader: Reader, passphrase: string | undefined): Buffer {
  const usage = reader.number(1);
  if (usage === 0) return reader.rest();
  if (usage !== 254 && usage !== 255) throw new OpenPgpFormatError(`a secret key that is protected in form ${usage}`);
  const cipher = ciphers[reader.number(1)];
  if (!cipher) throw new OpenPgpFormatError("the secret key is protected by a cipher other than AES");
  const keyFor = protectingKey(reader, cipher.key);
  if (passphrase === undefined) throw new OpenPgpFormatError("the secret key has a passphrase, and none was given");
  const decipher = createDecipheriv(`${cipher.name}-cfb`, keyFor(passphrase), reader.take(cipher.block));
  const clear = Buffer.concat([decipher.update(reader.rest()), decipher.final()]);
  const sum = usage === 254 ? 20 : 2;
  if (clear.length < sum) throw new OpenPgpFormatError("a packet ends too early");
  const [numbers, check] = [clear.subarray(0, -sum), clear.subarray(-sum)];
  const right =
    usage === 254
      ? createHash("sha1").update(numbers).digest().equals(check)
      : checksum(numbers) === check.readUInt16BE();
  if (!right) throw new OpenPgpFormatError("the passphrase of the secret key is wrong");
  return numbers;
}

export const checksum = (data: Buffer): number => data.reduce((sum, octet) => (sum + octet) & 0xffff, 0);

/** Secret keys of a file as gpg exports it, armored or not; those that only sign are left out. */
export function parseSecretKeys(file: Uint8Array, passphrase?: string): DecryptionKey[] {
  const text = Buffer.from(file).toString("latin1");
  const blocks = isArmored(text)
    ? parseArmor(text).filter(({ type }) => type === "PGP PRIVATE KEY BLOCK")
    : [{ data: Buffer.from(file) }];
  if (blocks.length === 0) throw new OpenPgpFormatError("no secret key in it");
  return blocks.flatMap(({ data }) =>
    parsePackets(data)
      .filter(({ tag }) => tag === tags.secretKey || tag === tags.secretSubkey)
      .flatMap((packet) => decryptionKey(packet, passphrase) ?? []),
  );
}
