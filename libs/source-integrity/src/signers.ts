import { messageOf } from "@tiphys/errors";
import { type KeyRing, type SignatureStatus, verifyDetached } from "@tiphys/openpgp";
import type { GitPolicy } from "./policies.js";
import type { SignedObject } from "./signed-objects.js";
import { parseAllowedSigners, verifySshSignature } from "./ssh-signature.js";

/** What became of a signature, in Argo CD's words. */
export type Verdict =
  | "signed"
  | "bad signature"
  | "expired signature"
  | "signed with expired key"
  | "signed with revoked key"
  | "signed with key not in keyring"
  | "unsigned";

export interface Finding {
  readonly verdict: Verdict;
  /** Empty where nothing is signed. */
  readonly keyId: string;
  /** The policy names the key. */
  readonly allowed: boolean;
}

const verdicts: Readonly<Record<SignatureStatus, Verdict>> = {
  good: "signed",
  bad: "bad signature",
  "expired-signature": "expired signature",
  "expired-key": "signed with expired key",
  "revoked-key": "signed with revoked key",
  "missing-key": "signed with key not in keyring",
  unsupported: "signed with key not in keyring",
};

const UNSIGNED: Finding = { verdict: "unsigned", keyId: "", allowed: false };
const BAD: Finding = { verdict: "bad signature", keyId: "", allowed: false };

/** 16 digits of a key, of its id or its fingerprint; undefined for anything else. */
const keyIdOf = (text: string): string | undefined =>
  /^(?:[0-9A-F]{24})?([0-9A-F]{16})$/i.exec(text)?.[1]?.toUpperCase();

export interface Verifier {
  /** As it is shown before what is wrong. */
  readonly name: string;
  verify(object: SignedObject): Finding;
}

/** Judges single objects by a policy; `keys` are those of the keyring, all of them trusted. */
export function verifierOf({ gpg, ssh }: GitPolicy, keys: KeyRing, now: Date): Verifier {
  if (ssh) {
    const signers = parseAllowedSigners(ssh.signers ?? []);
    return { name: "GIT/SSH", verify: (object) => bySsh(object, signers) };
  }
  const allowed = new Set((gpg?.keys ?? []).map(keyIdOf));
  return { name: "GIT/GPG", verify: (object) => byGpg(object, keys, allowed, now) };
}

function byGpg(
  { payload, signature }: SignedObject,
  keys: KeyRing,
  allowed: ReadonlySet<string | undefined>,
  now: Date,
): Finding {
  if (signature?.kind !== "openpgp") return UNSIGNED;
  try {
    const checks = verifyDetached(keys, payload, signature.text, now);
    const [check] = checks;
    // Of several signatures git believes none.
    if (!check || checks.length > 1) return BAD;
    const { status, keyId, key } = check;
    // A subkey signs where there is one; people name the primary key.
    const ids = [keyId, key?.primary.keyId];
    return { verdict: verdicts[status], keyId, allowed: ids.some((id) => id !== undefined && allowed.has(id)) };
  } catch {
    return BAD;
  }
}

function bySsh({ payload, signature }: SignedObject, signers: ReturnType<typeof parseAllowedSigners>): Finding {
  if (signature?.kind !== "ssh") return UNSIGNED;
  try {
    const { good, fingerprint, key } = verifySshSignature(payload, signature.text);
    return { verdict: good ? "signed" : "bad signature", keyId: fingerprint, allowed: signers.has(key) };
  } catch (error) {
    return { ...BAD, keyId: messageOf(error) };
  }
}
