import { limits } from "@tiphys/limits";
import { isArmored, parseArmor, parseClearsigned } from "./armor.js";
import { OpenPgpFormatError, OpenPgpLimitError } from "./errors.js";
import type { KeyRing, SigningKey } from "./key-ring.js";
import { parsePackets, tags } from "./packets.js";
import { algorithmName, checkSignature } from "./public-key.js";
import { parseSignature, type SignaturePacket, types } from "./signature-packet.js";

/**
 * What became of a signature, as gpg judges it:
 * - `good`: made by a usable key of the ring;
 * - `bad`: by a key of the ring, but not over this data, or by a key that may not sign;
 * - `expired-signature`, `expired-key`, `revoked-key`: right, but no longer (`now` counts, not the time of signing);
 * - `missing-key`: the ring has no such key;
 * - `unsupported`: the algorithm, or something that must be understood, is unknown to us.
 */
export type SignatureStatus =
  | "good"
  | "bad"
  | "expired-signature"
  | "expired-key"
  | "revoked-key"
  | "missing-key"
  | "unsupported";

export interface SignatureCheck {
  readonly status: SignatureStatus;
  /** The key that the signature names: 16 digits, of a subkey where one signed. Empty when it names none. */
  readonly keyId: string;
  /** `RSA`, `DSA`, `ECDSA`, `EDDSA`. */
  readonly algorithm: string;
  readonly signedAt: Date | undefined;
  /** The key that made it; there unless the key is missing. */
  readonly key: SigningKey | undefined;
}

const judge = (ring: KeyRing, signature: SignaturePacket, parts: readonly Uint8Array[], now: Date): SignatureCheck => {
  const { issuer = "", createdAt: signedAt } = signature;
  const outcome = (status: SignatureStatus, key?: SigningKey): SignatureCheck => ({
    status,
    keyId: issuer,
    algorithm: algorithmName(signature.keyAlgorithm),
    signedAt,
    key,
  });
  const candidates = ring
    .find(issuer)
    .filter(({ material }) => !signature.issuerFingerprint || material.fingerprint === signature.issuerFingerprint);
  const first = candidates[0];
  if (!first) return outcome("missing-key");
  for (const key of candidates) {
    const right = checkSignature(key.material, signature, parts);
    if (right === "unsupported") return outcome("unsupported", key);
    if (!right) continue;
    if (!key.maySign || !signedAt || signedAt < key.material.createdAt) return outcome("bad", key);
    // The order is git's: a revoked key outranks an expired one.
    if (key.revoked) return outcome("revoked-key", key);
    if (key.expiresAt && key.expiresAt <= now) return outcome("expired-key", key);
    const ends = signature.expiresAfter;
    if (ends !== undefined && signedAt.getTime() + ends * 1000 <= now.getTime())
      return outcome("expired-signature", key);
    return outcome("good", key);
  }
  return outcome("bad", first);
};

function signaturesIn(data: Buffer): (SignaturePacket | undefined)[] {
  const packets = parsePackets(data).filter(({ tag }) => tag !== tags.marker);
  if (packets.length === 0 || packets.some(({ tag }) => tag !== tags.signature)) {
    throw new OpenPgpFormatError("this is not a detached signature");
  }
  if (packets.length > limits.openPgpSignatures) {
    throw new OpenPgpLimitError(`more than ${limits.openPgpSignatures} signatures`);
  }
  return packets.map(({ body }) => parseSignature(body));
}

const UNKNOWN: SignatureCheck = {
  status: "unsupported",
  keyId: "",
  algorithm: "",
  signedAt: undefined,
  key: undefined,
};

/** Line ends of a text signature are CRLF, whatever they were. */
const textForm = (data: Uint8Array) =>
  Buffer.from(Buffer.from(data).toString("latin1").replace(/\r?\n/g, "\r\n"), "latin1");

/**
 * Verifies a detached signature, armored or binary, over `data`; one result per signature in it. The caller decides what it wants of
 * several: git takes none of them. Throws where `signature` is not one.
 */
export function verifyDetached(
  ring: KeyRing,
  data: Uint8Array,
  signature: string | Uint8Array,
  now: Date,
): SignatureCheck[] {
  const text = typeof signature === "string" ? signature : Buffer.from(signature).toString("latin1");
  let blocks: Buffer[];
  if (isArmored(text)) {
    const armored = parseArmor(text);
    const wrong = armored.find(({ type }) => type !== "PGP SIGNATURE");
    if (wrong) throw new OpenPgpFormatError(`${wrong.type} is not a PGP SIGNATURE`);
    blocks = armored.map((block) => block.data);
  } else blocks = [typeof signature === "string" ? Buffer.from(signature, "latin1") : Buffer.from(signature)];
  return blocks.flatMap(signaturesIn).map((each) => {
    if (!each) return UNKNOWN;
    if (each.type === types.binary) return judge(ring, each, [data], now);
    if (each.type === types.text) return judge(ring, each, [textForm(data)], now);
    return { ...judge(ring, each, [data], now), status: "bad" };
  });
}

export interface ClearsignedCheck {
  /** The text that is signed; what stands around it in the message is refused. */
  readonly text: string;
  readonly signatures: readonly SignatureCheck[];
}

/** Verifies a cleartext signed message (`-----BEGIN PGP SIGNED MESSAGE-----`). Throws where it is not one. */
export function verifyClearsigned(ring: KeyRing, message: string, now: Date): ClearsignedCheck {
  const { text, signed, signature } = parseClearsigned(message);
  const signatures = signaturesIn(signature).map((each): SignatureCheck => {
    if (!each) return UNKNOWN;
    const check = judge(ring, each, [signed], now);
    return each.type === types.text || each.type === types.binary ? check : { ...check, status: "bad" };
  });
  return { text, signatures };
}
