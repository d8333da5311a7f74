import { createCipheriv, createDecipheriv, createHash, createHmac, scryptSync } from "node:crypto";
import { encodeBase64, hashSync } from "bcryptjs";
import { FunctionError } from "../errors.js";
import { byteLength, fromBytes, runes, toBytes } from "../go-string.js";
import type { GoFunction } from "../state.js";
import { GoInt } from "../values.js";
import { certificateFunctions } from "./certificates.js";
import { type Environment, randomBelow } from "./environment.js";
import { dsaKeyPem, ecKey, ed25519Key, keyPem, rsaKey } from "./keys.js";
import { decodeBase64 } from "./strings.js";

const hash = (algorithm: string): GoFunction => ({
  params: ["string"],
  call: ([text]) => createHash(algorithm).update(toBytes(text)).digest("hex"),
});

const passwordTemplates: Readonly<Record<string, readonly string[]>> = {
  maximum: ["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"],
  long: [
    "CvcvnoCvcvCvcv",
    "CvcvCvcvnoCvcv",
    "CvcvCvcvCvcvno",
    "CvccnoCvcvCvcv",
    "CvccCvcvnoCvcv",
    "CvccCvcvCvcvno",
    "CvcvnoCvccCvcv",
    "CvcvCvccnoCvcv",
    "CvcvCvccCvcvno",
    "CvcvnoCvcvCvcc",
    "CvcvCvcvnoCvcc",
    "CvcvCvcvCvccno",
    "CvccnoCvccCvcv",
    "CvccCvccnoCvcv",
    "CvccCvccCvcvno",
    "CvcvnoCvccCvcc",
    "CvcvCvccnoCvcc",
    "CvcvCvccCvccno",
    "CvccnoCvcvCvcc",
    "CvccCvcvnoCvcc",
    "CvccCvcvCvccno",
  ],
  medium: ["CvcnoCvc", "CvcCvcno"],
  short: ["Cvcn"],
  basic: ["aaanaaan", "aannaaan", "aaannaaa"],
  pin: ["nnnn"],
};
const passwordCharacters: Readonly<Record<string, string>> = {
  V: "AEIOU",
  C: "BCDFGHJKLMNPQRSTVWXYZ",
  v: "aeiou",
  c: "bcdfghjklmnpqrstvwxyz",
  A: "AEIOUBCDFGHJKLMNPQRSTVWXYZ",
  a: "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
  n: "0123456789",
  o: "@&%?,=[]_:-+*$#!'^~;()/.",
  x: "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
};

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
};

/** The Master Password algorithm. */
function derivePassword(counter: number, type: string, password: string, user: string, site: string): string {
  const templates = Object.hasOwn(passwordTemplates, type) ? passwordTemplates[type]! : undefined;
  if (!templates) return `cannot find password template ${type}`;
  const seed = Buffer.from("com.lyndir.masterpassword");
  const salt = Buffer.concat([seed, uint32(byteLength(user)), toBytes(user)]);
  const key = scryptSync(toBytes(password), salt, 64, { N: 32768, r: 8, p: 2, maxmem: 128 << 20 });
  const message = Buffer.concat([seed, uint32(byteLength(site)), toBytes(site), uint32(counter)]);
  const digest = createHmac("sha256", key).update(message).digest();
  const template = templates[digest[0]! % templates.length]!;
  return [...template]
    .map((element, i) => passwordCharacters[element]![digest[i + 1]! % passwordCharacters[element]!.length])
    .join("");
}

function aesKey(password: string): Buffer {
  const key = Buffer.alloc(32);
  Buffer.from(toBytes(password)).copy(key);
  return key;
}

function decryptAes(password: string, text: string): string {
  if (text === "") return "";
  const bytes = decodeBase64(text);
  if (typeof bytes === "number") throw new FunctionError(`illegal base64 data at input byte ${bytes}`);
  if (bytes.length < 16)
    throw new FunctionError(`runtime error: slice bounds out of range [:16] with capacity ${bytes.length}`);
  if (bytes.length % 16 !== 0) throw new FunctionError("crypto/cipher: input not full blocks");
  const decipher = createDecipheriv("aes-256-cbc", aesKey(password), bytes.subarray(0, 16)).setAutoPadding(false);
  const plain = Buffer.concat([decipher.update(bytes.subarray(16)), decipher.final()]);
  const end = plain.length - (plain.at(-1) ?? 0);
  if (end < 0) throw new FunctionError(`runtime error: slice bounds out of range [:${end}]`);
  return fromBytes(plain.subarray(0, end));
}

const MAX_RANDOM = 1 << 20;
const BCRYPT_COST = 10;
const MAX_BCRYPT = 72;

/** Sprig's functions of chance and cryptography; all chance comes from the environment. */
export function cryptoFunctions(environment: Environment): Readonly<Record<string, GoFunction>> {
  const checkCount = (count: number): number => {
    if (count > MAX_RANDOM)
      throw new FunctionError(`${count} random characters are more than the ${MAX_RANDOM} allowed`);
    return Math.max(0, count);
  };
  const pick = (chars: string): GoFunction => ({
    params: ["int"],
    call: ([count]) =>
      Array.from({ length: checkCount(count) }, () => chars[randomBelow(environment, chars.length)]).join(""),
  });
  const bcrypt = (text: string): string => {
    if (byteLength(text) > MAX_BCRYPT) {
      return "failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes";
    }
    const salt = `$2a$${BCRYPT_COST}$${encodeBase64(Buffer.from(environment.random(16)), 16)}`;
    return hashSync(text, salt);
  };
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  const digits = "0123456789";
  const printable = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).join("");
  return {
    sha1sum: hash("sha1"),
    sha256sum: hash("sha256"),
    sha512sum: hash("sha512"),
    bcrypt: { params: ["string"], call: ([text]) => bcrypt(text) },
    htpasswd: {
      params: ["string", "string"],
      call: ([user, password]) => (user.includes(":") ? `invalid username: ${user}` : `${user}:${bcrypt(password)}`),
    },
    randAlphaNum: pick(letters + digits),
    randAlpha: pick(letters),
    randAscii: pick(printable),
    randNumeric: pick(digits),
    randBytes: {
      params: ["int"],
      call: ([count]) => {
        if (count < 0) throw new FunctionError("runtime error: makeslice: len out of range");
        return Buffer.from(environment.random(checkCount(count))).toString("base64");
      },
    },
    randInt: {
      params: ["int", "int"],
      call: ([min, max]) => {
        if (max - min <= 0) throw new FunctionError("invalid argument to Intn");
        return new GoInt(BigInt(min) + BigInt(randomBelow(environment, Math.min(max - min, 2 ** 47))));
      },
    },
    shuffle: {
      params: ["string"],
      call: ([text]) => {
        const chars = runes(text);
        for (let i = chars.length - 1; i > 0; i--) {
          const j = randomBelow(environment, i + 1);
          [chars[i], chars[j]] = [chars[j]!, chars[i]!];
        }
        return chars.join("");
      },
    },
    uuidv4: {
      params: [],
      call: () => {
        const bytes = Buffer.from(environment.random(16));
        bytes[6] = (bytes[6]! & 0x0f) | 0x40;
        bytes[8] = (bytes[8]! & 0x3f) | 0x80;
        return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
      },
    },
    derivePassword: {
      params: ["uint32", "string", "string", "string", "string"],
      call: ([counter, type, password, user, site]) => derivePassword(counter, type, password, user, site),
    },
    encryptAES: {
      params: ["string", "string"],
      call: ([password, text]) => {
        if (text === "") return "";
        const iv = Buffer.from(environment.random(16));
        const cipher = createCipheriv("aes-256-cbc", aesKey(password), iv);
        return Buffer.concat([iv, cipher.update(toBytes(text)), cipher.final()]).toString("base64");
      },
    },
    decryptAES: { params: ["string", "string"], call: ([password, text]) => decryptAes(password, text) },
    genPrivateKey: {
      params: ["string"],
      call: ([type]) => {
        switch (type) {
          case "":
          case "rsa":
            return keyPem(rsaKey(environment, 4096));
          case "dsa":
            return dsaKeyPem(environment);
          case "ecdsa":
            return keyPem(ecKey(environment));
          case "ed25519":
            return keyPem(ed25519Key(environment));
          default:
            return `Unknown type ${type}`;
        }
      },
    },
    ...certificateFunctions(environment),
    getHostByName: { params: ["string"], call: ([name]) => environment.resolveHost?.(name) ?? "" },
  };
}
