import { limits } from "@tiphys/limits";
import { isArmored, parseArmor } from "./armor.js";
import { OpenPgpFormatError, OpenPgpLimitError } from "./errors.js";
import { type Packet, parsePackets, tags } from "./packets.js";
import { checkSignature, type KeyMaterial, parseKey } from "./public-key.js";
import { parseSignature, type SignaturePacket, types } from "./signature-packet.js";

/** A key that may have signed something: a primary key or one of its subkeys, as its owner describes it. */
export interface SigningKey {
  readonly material: KeyMaterial;
  /** The same object as the material of a primary key. */
  readonly primary: PublicKey;
  /** Its owner says that it may sign; a subkey has signed that it belongs to its primary key. */
  readonly maySign: boolean;
  readonly expiresAt: Date | undefined;
  readonly revoked: boolean;
}

/** One certificate: a primary key, whose it is, and its subkeys. */
export interface PublicKey {
  readonly fingerprint: string;
  readonly keyId: string;
  readonly algorithm: string;
  readonly description: string;
  readonly createdAt: Date;
  /** As the owner signed it last; undefined is never. */
  readonly expiresAt: Date | undefined;
  readonly revoked: boolean;
  /** User ids that the key itself has signed and not revoked; the primary one first. */
  readonly userIds: readonly string[];
  readonly keys: readonly SigningKey[];
}

/** Public keys to verify with. */
export interface KeyRing {
  readonly keys: readonly PublicKey[];
  /** Signing keys, subkeys among them, by their 16 digits. */
  find(keyId: string): readonly SigningKey[];
}

interface Component {
  readonly packet: Packet;
  readonly signatures: SignaturePacket[];
}

interface Certificate {
  readonly primary: KeyMaterial;
  readonly direct: SignaturePacket[];
  readonly users: Component[];
  readonly subkeys: { readonly material: KeyMaterial | undefined; readonly signatures: SignaturePacket[] }[];
}

function bytesOf(input: string | Uint8Array): Buffer[] {
  const text = typeof input === "string" ? input : Buffer.from(input).toString("latin1");
  if (isArmored(text)) {
    const blocks = parseArmor(text);
    const wrong = blocks.find(({ type }) => type !== "PGP PUBLIC KEY BLOCK");
    if (wrong) throw new OpenPgpFormatError(`${wrong.type} is not a PGP PUBLIC KEY BLOCK`);
    return blocks.map(({ data }) => data);
  }
  if (typeof input === "string") throw new OpenPgpFormatError("no PGP PUBLIC KEY BLOCK in it");
  return [Buffer.from(input)];
}

function certificates(packets: readonly Packet[]): Certificate[] {
  const found: Certificate[] = [];
  let current: Certificate | undefined;
  /** Where the next signature belongs. */
  let target: SignaturePacket[] | undefined;
  for (const packet of packets) {
    switch (packet.tag) {
      case tags.publicKey: {
        const primary = parseKey(packet.body);
        // What belongs to a key of another version is passed over with it.
        current = primary && { primary, direct: [], users: [], subkeys: [] };
        target = current?.direct;
        if (current) found.push(current);
        if (found.length > limits.openPgpKeys) throw new OpenPgpLimitError(`more than ${limits.openPgpKeys} keys`);
        break;
      }
      case tags.secretKey:
      case tags.secretSubkey:
        throw new OpenPgpFormatError("a private key: give the public one, and treat this one as known to others");
      case tags.userId: {
        const signatures: SignaturePacket[] = [];
        current?.users.push({ packet, signatures });
        target = current && signatures;
        break;
      }
      case tags.publicSubkey: {
        const signatures: SignaturePacket[] = [];
        current?.subkeys.push({ material: parseKey(packet.body), signatures });
        target = current && signatures;
        break;
      }
      case tags.userAttribute:
        target = undefined;
        break;
      case tags.signature: {
        const signature = target && parseSignature(packet.body);
        if (signature) target?.push(signature);
        break;
      }
      default:
    }
  }
  return found;
}

const newest = (signatures: readonly SignaturePacket[]): SignaturePacket | undefined =>
  signatures.reduce<SignaturePacket | undefined>(
    (best, each) => (!best || (each.createdAt?.getTime() ?? 0) >= (best.createdAt?.getTime() ?? 0) ? each : best),
    undefined,
  );

const endOf = (material: KeyMaterial, seconds: number | undefined): Date | undefined =>
  seconds === undefined ? undefined : new Date(material.createdAt.getTime() + seconds * 1000);

const SIGN = 0x02;

/** Turns packets into what the key's owner says, believing only signatures of the key over itself. */
function judge({ primary, direct, users, subkeys }: Certificate): PublicKey | undefined {
  let checks = 0;
  const isOwn = (signature: SignaturePacket, parts: readonly Uint8Array[]) => {
    if (signature.issuer !== undefined && signature.issuer !== primary.keyId) return false;
    if (++checks > limits.openPgpSelfSignatures) {
      throw new OpenPgpLimitError(`key ${primary.keyId} has more than ${limits.openPgpSelfSignatures} self-signatures`);
    }
    return signature.createdAt !== undefined && checkSignature(primary, signature, parts) === true;
  };
  const own = (list: readonly SignaturePacket[], wanted: readonly number[], parts: readonly Uint8Array[]) =>
    list.filter((each) => wanted.includes(each.type) && isOwn(each, parts));

  const revoked = own(direct, [types.keyRevocation], [primary.hashed]).length > 0;
  const selfSignatures = own(direct, [types.directKey], [primary.hashed]);
  const names: { readonly text: string; readonly signature: SignaturePacket }[] = [];
  for (const { packet, signatures } of users) {
    const head = Buffer.alloc(5);
    head.writeUInt8(0xb4, 0);
    head.writeUInt32BE(packet.body.length, 1);
    const parts = [primary.hashed, head, packet.body];
    const signature = newest(own(signatures, types.certifications, parts));
    if (!signature) continue;
    const taken = newest(own(signatures, [types.certificationRevocation], parts));
    if (taken && (taken.createdAt?.getTime() ?? 0) >= (signature.createdAt?.getTime() ?? 0)) continue;
    names.push({ text: packet.body.toString("utf8").slice(0, 2048), signature });
  }
  names.sort((a, b) => Number(b.signature.primaryUserId) - Number(a.signature.primaryUserId));
  // A key that has not signed itself could be anybody's numbers with anybody's name.
  const main = newest(selfSignatures) ?? names[0]?.signature;
  if (!main && !revoked) return undefined;
  const leading = names[0]?.signature ?? main;

  const expiresAt = endOf(primary, leading?.keyExpiresAfter ?? main?.keyExpiresAfter);
  const flags = leading?.keyFlags ?? main?.keyFlags;
  const keys: SigningKey[] = [];
  const { fingerprint, keyId, algorithm, description, createdAt } = primary;
  const result: PublicKey = {
    fingerprint,
    keyId,
    algorithm,
    description,
    createdAt,
    expiresAt,
    revoked,
    userIds: names.map(({ text }) => text),
    keys,
  };
  keys.push({
    material: primary,
    primary: result,
    maySign: flags === undefined || (flags & SIGN) !== 0,
    expiresAt,
    revoked,
  });
  for (const { material, signatures } of subkeys) {
    if (!material) continue;
    const parts = [primary.hashed, material.hashed];
    const binding = newest(own(signatures, [types.subkeyBinding], parts));
    if (!binding) continue;
    const crossSigned = binding.embedded.some(
      (each) => each.type === types.primaryBinding && checkSignature(material, each, parts) === true,
    );
    const ends = [endOf(material, binding.keyExpiresAfter), expiresAt].filter((each) => each !== undefined);
    keys.push({
      material,
      primary: result,
      maySign: binding.keyFlags !== undefined && (binding.keyFlags & SIGN) !== 0 && crossSigned,
      expiresAt: ends.sort((a, b) => a.getTime() - b.getTime())[0],
      revoked: revoked || own(signatures, [types.subkeyRevocation], parts).length > 0,
    });
  }
  return result;
}

/**
 * Reads public keys, armored (one block or several) or binary. Keys of other versions than 4, and keys without a valid signature
 * over themselves, are left out; private keys are refused. Throws where the input is no OpenPGP at all.
 */
export function parseKeyRing(input: string | Uint8Array): KeyRing {
  const keys = bytesOf(input)
    .flatMap((data) => certificates(parsePackets(data)))
    .flatMap((certificate) => judge(certificate) ?? []);
  return keyRingOf(keys);
}

/** One ring of the keys of several. */
export const joinKeyRings = (rings: readonly KeyRing[]): KeyRing => keyRingOf(rings.flatMap(({ keys }) => keys));

function keyRingOf(keys: readonly PublicKey[]): KeyRing {
  const byId = new Map<string, SigningKey[]>();
  for (const key of keys.flatMap((each) => each.keys)) {
    const { keyId } = key.material;
    byId.set(keyId, [...(byId.get(keyId) ?? []), key]);
  }
  return { keys, find: (keyId) => byId.get(keyId.toUpperCase()) ?? [] };
}
