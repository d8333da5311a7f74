import { createHash, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { isIP, isIPv4 } from "node:net";
import {
  bits,
  context,
  DerError,
  decode,
  encode,
  fromPem,
  integer,
  isTag,
  members,
  type Node,
  octets,
  oid,
  oidText,
  pem,
  sequence,
  set,
  TAG,
  TRUE,
  time,
} from "./der.js";

/** One attribute of a distinguished name, by its object identifier. */
export interface NameAttribute {
  readonly type: string;
  readonly value: string;
}

export const CN = "2.5.4.3";
export const O = "2.5.4.10";
const ECDSA_SHA256 = "1.2.840.10045.4.3.2";
const EXTENSION_REQUEST = "1.2.840.113549.1.9.14";
const OID = {
  subjectKeyId: "2.5.29.14",
  keyUsage: "2.5.29.15",
  altNames: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  authorityKeyId: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
} as const;

/** Bits of the key usage extension, the first one highest. */
export const keyUsageBits: Readonly<Record<string, number>> = {
  "digital signature": 0,
  signing: 0,
  "content commitment": 1,
  "key encipherment": 2,
  "data encipherment": 3,
  "key agreement": 4,
  "cert sign": 5,
  "crl sign": 6,
  "encipher only": 7,
  "decipher only": 8,
};

export const extendedKeyUsages: Readonly<Record<string, string>> = {
  any: "2.5.29.37.0",
  "server auth": "1.3.6.1.5.5.7.3.1",
  "client auth": "1.3.6.1.5.5.7.3.2",
  "code signing": "1.3.6.1.5.5.7.3.3",
  "email protection": "1.3.6.1.5.5.7.3.4",
  "s/mime": "1.3.6.1.5.5.7.3.4",
  "ipsec end system": "1.3.6.1.5.5.7.3.5",
  "ipsec tunnel": "1.3.6.1.5.5.7.3.6",
  "ipsec user": "1.3.6.1.5.5.7.3.7",
  timestamping: "1.3.6.1.5.5.7.3.8",
  "ocsp signing": "1.3.6.1.5.5.7.3.9",
  "microsoft sgc": "1.3.6.1.4.1.311.10.3.3",
  "netscape sgc": "2.16.840.1.113730.4.1",
};

export interface AltNames {
  readonly dns: readonly string[];
  readonly ips: readonly string[];
  readonly emails: readonly string[];
  readonly uris: readonly string[];
}
export const noAltNames: AltNames = { dns: [], ips: [], emails: [], uris: [] };

/** The name in the order of its attributes, one attribute each. */
export const nameOf = (...attributes: readonly NameAttribute[]): Buffer =>
  sequence(
    ...attributes.map(({ type, value }) => set(sequence(oid(type), encode(TAG.utf8String, Buffer.from(value))))),
  );

const algorithm = sequence(oid(ECDSA_SHA256));

export interface Issuer {
  /** DER of the issuer's name. */
  readonly name: Buffer;
  /** A P-256 key. */
  readonly key: KeyObject;
  readonly publicKey: KeyObject;
}

export interface CertificateContent {
  /** DER of the subject's name. */
  readonly subject: Buffer;
  readonly publicKey: KeyObject;
  /** Big-endian bytes. */
  readonly serial: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly ca?: boolean;
  /** Keys of {@link keyUsageBits} and {@link extendedKeyUsages}. */
  readonly usages: readonly string[];
  readonly altNames?: AltNames;
}

const spkiOf = (key: KeyObject): Buffer => key.export({ type: "spki", format: "der" });

/** Identifier of a key: the digest of its bits, as RFC 5280 proposes. */
function keyId(key: KeyObject): Buffer {
  const bitString = members(decode(spkiOf(key)))[1];
  return createHash("sha1")
    .update((bitString?.value ?? Buffer.alloc(0)).subarray(1))
    .digest();
}

const extension = (id: string, critical: boolean, value: Buffer): Buffer =>
  critical ? sequence(oid(id), TRUE, octets(value)) : sequence(oid(id), octets(value));

function keyUsage(usages: readonly string[]): Buffer | undefined {
  const wanted = usages.flatMap((usage) => keyUsageBits[usage] ?? []);
  if (wanted.length === 0) return undefined;
  const highest = Math.max(...wanted);
  const bytes = Buffer.alloc(Math.floor(highest / 8) + 1);
  for (const bit of wanted) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (0x80 >> (bit & 7));
  return bits(bytes, 7 - (highest & 7));
}

function ipBytes(ip: string): Buffer {
  if (isIPv4(ip)) return Buffer.from(ip.split(".").map(Number));
  const [head = "", tail] = ip.split("::");
  const groups = (text: string | undefined) => (text ? text.split(":") : []);
  const left = groups(head);
  const right = groups(tail);
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => "0");
  const all = tail === undefined ? left : [...left, ...zeros, ...right];
  return Buffer.from(all.map((group) => group.padStart(4, "0")).join(""), "hex");
}

const hasAltNames = ({ dns, ips, emails, uris }: AltNames) => dns.length + ips.length + emails.length + uris.length > 0;

function altNamesOf({ dns, ips, emails, uris }: AltNames): Buffer {
  return sequence(
    ...dns.map((name) => encode(context(2, false), Buffer.from(name))),
    ...emails.map((name) => encode(context(1, false), Buffer.from(name))),
    ...ips.map((ip) => encode(context(7, false), ipBytes(ip))),
    ...uris.map((uri) => encode(context(6, false), Buffer.from(uri))),
  );
}

/** A certificate as PEM, signed by `issuer`. */
export function issueCertificate(content: CertificateContent, issuer: Issuer): string {
  const { subject, publicKey, serial, notBefore, notAfter, ca = false, usages, altNames = noAltNames } = content;
  const usage = keyUsage(usages);
  const extended = usages.flatMap((name) => extendedKeyUsages[name] ?? []);
  const extensions = [
    ...(usage ? [extension(OID.keyUsage, true, usage)] : []),
    ...(extended.length > 0 ? [extension(OID.extendedKeyUsage, false, sequence(...extended.map(oid)))] : []),
    extension(OID.basicConstraints, true, ca ? sequence(TRUE) : sequence()),
    ...(ca ? [extension(OID.subjectKeyId, false, octets(keyId(publicKey)))] : []),
    extension(OID.authorityKeyId, false, sequence(encode(context(0, false), keyId(issuer.publicKey)))),
    ...(hasAltNames(altNames) ? [extension(OID.altNames, subject.length === 2, altNamesOf(altNames))] : []),
  ];
  const body = sequence(
    encode(context(0), integer(Buffer.from([2]))),
    integer(serial),
    algorithm,
    issuer.name,
    sequence(time(notBefore), time(notAfter)),
    subject,
    spkiOf(publicKey),
    encode(context(3), sequence(...extensions)),
  );
  return pem("CERTIFICATE", sequence(body, algorithm, bits(sign("sha256", body, issuer.key))));
}

/** What a certificate signing request asks for. */
export interface CertificateRequest {
  /** DER of the subject's name, as it came. */
  readonly subject: Buffer;
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly publicKey: KeyObject;
  readonly altNames: AltNames;
}

/** OpenSSL's digests of the signature algorithms that requests may use; null: the key says it. */
const signatures: Readonly<Record<string, string | null>> = {
  "1.2.840.113549.1.1.5": "sha1",
  "1.2.840.113549.1.1.11": "sha256",
  "1.2.840.113549.1.1.12": "sha384",
  "1.2.840.113549.1.1.13": "sha512",
  "1.2.840.10045.4.1": "sha1",
  [ECDSA_SHA256]: "sha256",
  "1.2.840.10045.4.3.3": "sha384",
  "1.2.840.10045.4.3.4": "sha512",
  "1.3.101.112": null,
};

/** Longest request that is read, in bytes of DER. */
const REQUEST_BYTES = 64 * 1024;

/** Reads a PKCS#10 request; undefined: it is none, or its signature is not its key's. */
export function parseRequest(text: string): CertificateRequest | undefined {
  const der = fromPem(text, "CERTIFICATE REQUEST");
  if (!der || der.length > REQUEST_BYTES) return undefined;
  try {
    return readRequest(der);
  } catch {
    // Broken bytes, or a key of no known kind: no request either way.
    return undefined;
  }
}

function readRequest(der: Buffer): CertificateRequest | undefined {
  const [info, signedWith, signature] = members(decode(der));
  if (!info || !signedWith || !isTag(signature, TAG.bitString)) return undefined;
  const [, subject, key, attributes] = members(info);
  const algorithmId = members(signedWith)[0];
  if (!subject || !key || !algorithmId) return undefined;
  const digest = signatures[oidText(algorithmId)];
  if (digest === undefined) return undefined;
  const publicKey = createPublicKey({ key: key.raw, format: "der", type: "spki" });
  if (!verify(digest, info.raw, publicKey, signature.value.subarray(1))) return undefined;
  const names = attributesOf(subject);
  const values = (type: string) => names.filter((name) => name.type === type).map(({ value }) => value);
  return {
    subject: subject.raw,
    commonName: values(CN).at(-1) ?? "",
    organizations: values(O),
    publicKey,
    altNames: attributes && isTag(attributes, context(0)) ? requestedAltNames(attributes) : noAltNames,
  };
}

function attributesOf(name: Node): NameAttribute[] {
  return members(name).flatMap((relative) =>
    members(relative).map((attribute) => {
      const [type, value] = members(attribute);
      if (!type || !value) throw new DerError("an attribute of a name has no value");
      return { type: oidText(type), value: value.value.toString("utf8") };
    }),
  );
}

function requestedAltNames(attributes: Node): AltNames {
  const out = { dns: [] as string[], ips: [] as string[], emails: [] as string[], uris: [] as string[] };
  for (const attribute of members(attributes)) {
    const [type, values] = members(attribute);
    if (!type || !values || oidText(type) !== EXTENSION_REQUEST) continue;
    for (const extensions of members(values)) {
      for (const one of members(extensions)) {
        const [id, ...rest] = members(one);
        const value = rest.at(-1);
        if (!id || !value || oidText(id) !== OID.altNames) continue;
        for (const name of members(decode(value.value))) addAltName(out, name);
      }
    }
  }
  return out;
}

function addAltName(out: Record<keyof AltNames, string[]>, { tag, value }: Node): void {
  if (tag === context(1, false)) out.emails.push(value.toString("latin1"));
  else if (tag === context(2, false)) out.dns.push(value.toString("latin1"));
  else if (tag === context(6, false)) out.uris.push(value.toString("latin1"));
  else if (tag === context(7, false)) {
    const text = value.length === 4 ? [...value].join(".") : (value.toString("hex").match(/.{4}/g) ?? []).join(":");
    if (isIP(text) === 0) throw new DerError("an address of wrong length");
    out.ips.push(text);
  }
}
