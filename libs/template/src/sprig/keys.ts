import { checkPrimeSync, createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { FunctionError } from "../errors.js";
import { fromPem, integer, objectId, octetString, readElements, sequence, toPem } from "./der.js";
import type { Environment } from "./environment.js";

/** Private keys made from the given random source alone, so that the same source gives the same keys. */

const base64url = (value: bigint): string => bytesOf(value).toString("base64url");

function bytesOf(value: bigint, width = 0): Buffer {
  const digits = value.toString(16);
  return Buffer.from(digits.padStart(Math.max(width * 2, digits.length + (digits.length % 2)), "0"), "hex");
}

const numberOf = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString("hex")}`);

const smallPrimes: number[] = [];
for (let n = 3; smallPrimes.length < 200; n += 2)
  if (smallPrimes.every((prime) => n % prime !== 0)) smallPrimes.push(n);

const isPrime = (value: bigint): boolean => {
  for (const prime of smallPrimes) if (value % BigInt(prime) === 0n) return value === BigInt(prime);
  return checkPrimeSync(value);
};

function prime({ random }: Environment, bits: number): bigint {
  const top = 3n << BigInt(bits - 2);
  for (;;) {
    let candidate = BigInt.asUintN(bits, numberOf(random(bits / 8))) | top | 1n;
    for (let tries = 0; tries < 2000; tries++, candidate += 2n)
      if (isPrime(candidate) && candidate >> BigInt(bits) === 0n) return candidate;
  }
}

function inverse(a: bigint, modulus: bigint): bigint {
  let [old, current] = [a % modulus, modulus];
  let [x, y] = [1n, 0n];
  while (current !== 0n) {
    const quotient = old / current;
    [old, current] = [current, old - quotient * current];
    [x, y] = [y, x - quotient * y];
  }
  return old === 1n ? ((x % modulus) + modulus) % modulus : 0n;
}

export function rsaKey(environment: Environment, bits: number): KeyObject {
  const e = 65537n;
  for (;;) {
    const p = prime(environment, bits / 2);
    const q = prime(environment, bits / 2);
    const phi = (p - 1n) * (q - 1n);
    const d = inverse(e, phi);
    if (p === q || d === 0n) continue;
    const key = {
      kty: "RSA",
      n: base64url(p * q),
      e: base64url(e),
      d: base64url(d),
      p: base64url(p),
      q: base64url(q),
      dp: base64url(d % (p - 1n)),
      dq: base64url(d % (q - 1n)),
      qi: base64url(inverse(q, p)),
    };
    return createPrivateKey({ key, format: "jwk" });
  }
}

const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

export function ecKey({ random }: Environment): KeyObject {
  const d = (numberOf(random(40)) % (P256_ORDER - 1n)) + 1n;
  const curve = objectId("1.2.840.10045.3.1.7");
  const inner = sequence(integer(1n), octetString(bytesOf(d, 32)));
  const pkcs8 = sequence(integer(0n), sequence(objectId("1.2.840.10045.2.1"), curve), octetString(inner));
  const bare = createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" });
  // Export and import once more: the public half is then part of the key, as in Go's.
  return createPrivateKey({ key: bare.export({ format: "der", type: "sec1" }), format: "der", type: "sec1" });
}

export function ed25519Key({ random }: Environment): KeyObject {
  const pkcs8 = sequence(integer(0n), sequence(objectId("1.3.101.112")), octetString(octetString(random(32))));
  return createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" });
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  let square = base % modulus;
  for (let left = exponent; left > 0n; left >>= 1n) {
    if (left & 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

/** A DSA key of 2048 and 256 bits in its traditional PEM form; Node has no object for making one from numbers. */
export function dsaKeyPem(environment: Environment): string {
  const q = prime(environment, 256);
  let p = 0n;
  for (;;) {
    const start = (BigInt.asUintN(2048, numberOf(environment.random(256))) | (1n << 2047n)) >> 0n;
    let candidate = start - (start % (2n * q)) + 1n;
    for (let tries = 0; tries < 4000 && p === 0n; tries++, candidate += 2n * q)
      if (candidate >> 2048n === 0n && isPrime(candidate)) p = candidate;
    if (p !== 0n) break;
  }
  let g = 1n;
  for (let h = 2n; g === 1n; h++) g = power(h, (p - 1n) / q, p);
  const x = (numberOf(environment.random(40)) % (q - 1n)) + 1n;
  const numbers = [0n, p, q, g, power(g, x, p), x].map(integer);
  return toPem("DSA PRIVATE KEY", sequence(...numbers));
}

/** The PEM that Go writes for a key: PKCS#1 for RSA, SEC 1 for EC, PKCS#8 for the others. */
export function keyPem(key: KeyObject): string {
  switch (key.asymmetricKeyType) {
    case "rsa":
      return toPem("RSA PRIVATE KEY", key.export({ format: "der", type: "pkcs1" }));
    case "ec":
      return toPem("EC PRIVATE KEY", key.export({ format: "der", type: "sec1" }));
    default:
      return toPem("PRIVATE KEY", key.export({ format: "der", type: "pkcs8" }));
  }
}

/** Reads a private key; throws a {@link FunctionError} with Sprig's text. */
export function parsePrivateKey(pem: string): KeyObject {
  const block = fromPem(pem);
  if (!block) throw new FunctionError("no PEM data in input");
  if (block.type !== "PRIVATE KEY" && !block.type.endsWith(" PRIVATE KEY")) {
    throw new FunctionError(`no private key data in PEM block of type ${block.type}`);
  }
  const kind = block.type === "PRIVATE KEY" ? "PKCS#8" : block.type.slice(0, -" PRIVATE KEY".length);
  const types = { "PKCS#8": "pkcs8", RSA: "pkcs1", EC: "sec1" } as const;
  if (kind === "DSA") {
    const [outer] = readElements(block.bytes);
    const [, p, q, g, , x] = readElements(outer?.content ?? Buffer.alloc(0));
    if (!p || !q || !g || !x) throw new FunctionError("parsing DSA private key from PEM: asn1: structure error");
    const algorithm = sequence(objectId("1.2.840.10040.4.1"), sequence(p.whole, q.whole, g.whole));
    return createPrivateKey({
      key: sequence(integer(0n), algorithm, octetString(x.whole)),
      format: "der",
      type: "pkcs8",
    });
  }
  const type = types[kind as keyof typeof types];
  if (!type) throw new FunctionError(`invalid private key type ${kind}`);
  try {
    return createPrivateKey({ key: block.bytes, format: "der", type });
  } catch (error) {
    const text = (error as Error).message;
    throw new FunctionError(
      kind === "PKCS#8" ? `decoding PEM as PKCS#8: ${text}` : `parsing ${kind} private key from PEM: ${text}`,
    );
  }
}

/** SubjectPublicKeyInfo of a private key. */
export const publicKeyInfo = (key: KeyObject): Buffer => createPublicKey(key).export({ format: "der", type: "spki" });
