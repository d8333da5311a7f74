import { createHash, type Hash } from "node:crypto";
import { DataLossError } from "@tiphys/errors";

const LENGTHS: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };

/** True for `sha256:<64 hex>` and its longer relatives. */
export function isDigest(text: string): boolean {
  const [, algorithm = "", hex = ""] = /^([a-z0-9]+):([0-9a-f]+)$/.exec(text) ?? [];
  return LENGTHS[algorithm] === hex.length;
}

export const sha256Of = (data: Uint8Array | string): string =>
  `sha256:${createHash("sha256").update(data).digest("hex")}`;

/** The hash that `digest` is of; the digest must be valid. */
export const hasherOf = (digest: string): Hash => createHash(digest.slice(0, digest.indexOf(":")));

/** Throws DataLoss when `data` is not what `digest` says. */
export function verifyDigest(what: string, data: Uint8Array, digest: string): void {
  checkHash(what, hasherOf(digest).update(data), digest);
}

export function checkHash(what: string, hash: Hash, digest: string): void {
  const found = `${digest.slice(0, digest.indexOf(":"))}:${hash.digest("hex")}`;
  if (found !== digest) throw new DataLossError(`${what} is damaged: its digest is ${found}, not ${digest}`);
}
