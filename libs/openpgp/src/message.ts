import {
  constants,
  createDecipheriv,
  createECDH,
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  privateDecrypt,
} from "node:crypto";
import { inflateRawSync, inflateSync } from "node:zlib";
import { limits } from "@tiphys/limits";
import { isArmored, parseArmor } from "./armor.js";
import { OpenPgpFormatError, OpenPgpLimitError } from "./errors.js";
import { type Packet, parsePackets, Reader, tags } from "./packets.js";
import { type CipherKind, checksum, ciphers, type DecryptionKey, type OpenedKey } from "./secret-key.js";

interface SessionKey {
  readonly cipher: CipherKind;
  readonly key: Buffer;
}

const damaged = () => new OpenPgpFormatError("the message is damaged");
const ANYBODY = "0000000000000000";

/**
 * The data of an encrypted message, armored or not; undefined where none of the keys is one that it was encrypted to. Only messages
 * whose integrity is protected are read.
 */
export function decryptMessage(keys: readonly DecryptionKey[], message: Uint8Array): Buffer | undefined {
  const text = Buffer.from(message).toString("latin1");
  const data = isArmored(text)
    ? parseArmor(text).find(({ type }) => type === "PGP MESSAGE")?.data
    : Buffer.from(message);
  if (!data) throw new OpenPgpFormatError("no encrypted message in it");
  const packets = parsePackets(data, { partial: true });
  const sealed = packets.find(({ tag }) => tag === tags.protectedData || tag === tags.ocbData);
  if (!sealed) throw new OpenPgpFormatError("the message is not encrypted, or its integrity is not protected");
  let problem: unknown;
  for (const { body } of packets.filter(({ tag }) => tag === tags.sessionKey)) {
    const reader = new Reader(body);
    if (reader.number(1) !== 3) continue;
    const keyId = reader.take(8).toString("hex").toUpperCase();
    const algorithm = reader.number(1);
    for (const key of keys.filter((each) => keyId === ANYBODY || each.keyId === keyId)) {
      try {
        const session = sessionKey(key, algorithm, new Reader(reader.peek()));
        if (!session) continue;
        const clear =
          sealed.tag === tags.ocbData ? openOcb(sealed, session) : openProtected(sealed, session.key, session.cipher);
        return literal(clear, 0);
      } catch (error) {
        problem ??= error;
      }
    }
  }
  if (problem !== undefined) throw problem;
  return undefined;
}

function sessionKey(key: DecryptionKey, algorithm: number, reader: Reader): SessionKey | undefined {
  const opened = key.open();
  let encoded: Buffer;
  if (opened.kind === "rsa" && (algorithm === 1 || algorithm === 2)) encoded = rsaDecrypted(opened, reader.mpi());
  else if (opened.kind === "ecdh" && algorithm === 18) encoded = ecdhDecrypted(opened, key.fingerprint, reader);
  else return undefined;
  const cipher = ciphers[encoded[0] ?? 0];
  if (!cipher) throw new OpenPgpFormatError(`the message is encrypted by a cipher other than AES`);
  const bytes = encoded.subarray(1, 1 + cipher.key);
  if (encoded.length < 3 + cipher.key || encoded.readUInt16BE(1 + cipher.key) !== checksum(bytes)) throw damaged();
  return { cipher, key: bytes };
}

function rsaDecrypted({ object, size }: Extract<OpenedKey, { kind: "rsa" }>, value: Buffer): Buffer {
  if (value.length > size) throw damaged();
  const padded = Buffer.concat([Buffer.alloc(size - value.length), value]);
  // Node refuses to take this padding away itself where its library cannot do it safely; nobody can ask us often.
  const block = privateDecrypt({ key: object, padding: constants.RSA_NO_PADDING }, padded);
  const end = block.indexOf(0, 2);
  if (block[0] !== 0 || block[1] !== 2 || end < 10) throw damaged();
  return block.subarray(end + 1);
}

/** Curves by their object identifiers, as the library calls them. */
const curves: Readonly<Record<string, string>> = {
  "2a8648ce3d030107": "prime256v1",
  "2b81040022": "secp384r1",
  "2b81040023": "secp521r1",
  "2b2403030208010107": "brainpoolP256r1",
  "2b240303020801010b": "brainpoolP384r1",
  "2b240303020801010d": "brainpoolP512r1",
};
const CV25519 = "2b060104019755010501";
const X25519_PRIVATE = Buffer.from("302e020100300506032b656e04220420", "hex");
const X25519_PUBLIC = Buffer.from("302a300506032b656e032100", "hex");

function sharedSecret(oid: string, scalar: Buffer, point: Buffer): Buffer {
  if (oid === CV25519) {
    if (point.length !== 33 || point[0] !== 0x40 || scalar.length > 32) throw damaged();
    const little = Buffer.concat([Buffer.alloc(32 - scalar.length), scalar]).reverse();
    return diffieHellman({
      privateKey: createPrivateKey({ key: Buffer.concat([X25519_PRIVATE, little]), format: "der", type: "pkcs8" }),
      publicKey: createPublicKey({
        key: Buffer.concat([X25519_PUBLIC, point.subarray(1)]),
        format: "der",
        type: "spki",
      }),
    });
  }
  const curve = curves[oid];
  if (!curve) throw new OpenPgpFormatError("the key is on a curve that is not known here");
  const exchange = createECDH(curve);
  exchange.setPrivateKey(scalar);
  return exchange.computeSecret(point);
}

/** RFC 6637: the key that wraps the session key comes from a shared secret and the recipient's fingerprint. */
function ecdhDecrypted(key: Extract<OpenedKey, { kind: "ecdh" }>, fingerprint: string, reader: Reader): Buffer {
  const { oid, hash, scalar } = key;
  const cipher = ciphers[key.cipher] as CipherKind;
  const secret = sharedSecret(oid, scalar, reader.mpi());
  const wrapped = reader.take(reader.number(1));
  const id = Buffer.from(oid, "hex");
  const hashNumber = { sha256: 8, sha384: 9, sha512: 10 }[hash] ?? 0;
  const wrapping = createHash(hash)
    .update(Buffer.from([0, 0, 0, 1]))
    .update(secret)
    .update(Buffer.from([id.length, ...id, 18, 3, 1, hashNumber, key.cipher]))
    .update("Anonymous Sender    ")
    .update(Buffer.from(fingerprint, "hex"))
    .digest()
    .subarray(0, cipher.key);
  try {
    const decipher = createDecipheriv(`id-aes${cipher.key * 8}-wrap`, wrapping, Buffer.alloc(8, 0xa6));
    return Buffer.concat([decipher.update(wrapped), decipher.final()]);
  } catch {
    throw damaged();
  }
}

const MDC = 22;

/** Data with a digest inside (tag 18, version 1). */
function openProtected({ body }: Packet, key: Buffer, { name, block }: CipherKind): Buffer {
  if (body[0] !== 1) throw new OpenPgpFormatError(`protected data of version ${body[0]}`);
  const decipher = createDecipheriv(`${name}-cfb`, key, Buffer.alloc(block));
  const clear = Buffer.concat([decipher.update(body.subarray(1)), decipher.final()]);
  if (clear.length < block + 2 + MDC) throw damaged();
  const digest = createHash("sha1").update(clear.subarray(0, -20)).digest();
  if (clear.readUInt16BE(clear.length - MDC) !== 0xd314 || !digest.equals(clear.subarray(-20))) throw damaged();
  return clear.subarray(block + 2, -MDC);
}

const OCB = 2;
const TAG = 16;

/** Data in chunks, as gpg writes it to keys that say they take it (tag 20). */
function openOcb({ body }: Packet, { key, cipher }: SessionKey): Buffer {
  const reader = new Reader(body);
  const header = reader.take(4);
  const [version, algorithm, mode, size = 0] = header;
  if (version !== 1 || mode !== OCB || size > 56 || ciphers[algorithm ?? 0] !== cipher) {
    throw new OpenPgpFormatError("protected data in a mode other than OCB");
  }
  const start = reader.take(15);
  const chunk = 2 ** (size + 6);
  const index = (value: number) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(BigInt(value));
    return bytes;
  };
  const open = (at: number, sealed: Buffer, more: Buffer): Buffer => {
    const nonce = Buffer.from(start);
    for (const [i, octet] of index(at).entries()) nonce[7 + i] = (nonce[7 + i] as number) ^ octet;
    try {
      const decipher = createDecipheriv(`${cipher.name}-ocb` as "aes-256-ocb", key, nonce, { authTagLength: TAG });
      decipher.setAAD(Buffer.concat([Buffer.from([0xd4]), header, index(at), more]), {
        plaintextLength: sealed.length,
      });
      decipher.setAuthTag(sealed.subarray(-TAG));
      return Buffer.concat([decipher.update(sealed.subarray(0, -TAG)), decipher.final()]);
    } catch {
      throw damaged();
    }
  };
  const parts: Buffer[] = [];
  while (reader.left > TAG) {
    parts.push(open(parts.length, reader.take(Math.min(chunk + TAG, reader.left - TAG)), Buffer.alloc(0)));
  }
  const clear = Buffer.concat(parts);
  // The last tag is over no data: it says how much there was.
  open(parts.length, reader.take(TAG), index(clear.length));
  return clear;
}

const MOST_LAYERS = 4;

/** The data itself, out of what it is packed in; who signed it is not asked. */
function literal(data: Buffer, layers: number): Buffer {
  if (layers > MOST_LAYERS) throw new OpenPgpLimitError("a message is packed too often");
  for (const { tag, body } of parsePackets(data, { partial: true })) {
    if (tag === tags.compressed) return literal(unpacked(body), layers + 1);
    if (tag !== tags.literal) continue;
    const reader = new Reader(body);
    reader.take(1);
    reader.take(reader.number(1));
    reader.take(4);
    return reader.rest();
  }
  throw new OpenPgpFormatError("there is no data in the message");
}

function unpacked(body: Buffer): Buffer {
  const [algorithm] = body;
  const packed = body.subarray(1);
  const bound = { maxOutputLength: limits.openPgpBytes };
  try {
    if (algorithm === 0) return packed;
    if (algorithm === 1) return inflateRawSync(packed, bound);
    if (algorithm === 2) return inflateSync(packed, bound);
  } catch {
    throw damaged();
  }
  throw new OpenPgpFormatError(`a message that is packed by algorithm ${algorithm}`);
}
