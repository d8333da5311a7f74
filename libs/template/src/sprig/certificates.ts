import { createHash, type KeyObject, sign } from "node:crypto";
import { FunctionError } from "../errors.js";
import { formatValue } from "../fmt.js";
import { fromBytes } from "../go-string.js";
import type { GoFunction } from "../state.js";
import { GoStruct, type GoValue } from "../values.js";
import {
  bitString,
  der,
  type Element,
  fromPem,
  integer,
  objectId,
  octetString,
  readElements,
  sequence,
  timeOf,
  toPem,
} from "./der.js";
import type { Environment } from "./environment.js";
import { keyPem, parsePrivateKey, publicKeyInfo, rsaKey } from "./keys.js";
import { decodeBase64 } from "./strings.js";

const certificate = (cert: string, key: string): GoStruct =>
  new GoStruct(
    "sprig.certificate",
    new Map([
      ["Cert", cert],
      ["Key", key],
    ]),
  );

interface Subject {
  readonly commonName: string;
  readonly addresses: readonly Buffer[];
  readonly names: readonly string[];
  readonly days: number;
  readonly authority: boolean;
}

interface Issuer {
  readonly name: Buffer;
  readonly key: KeyObject;
  readonly keyId: Buffer | undefined;
}

const DAY = 86_400_000;

function nameOf(commonName: string): Buffer {
  if (commonName === "") return sequence();
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the letters of a PrintableString
  const printable = /^[A-Za-z0-9 '()+,\-./:=?*&\x00]*$/.test(commonName);
  return sequence(der(0x31, sequence(objectId("2.5.4.3"), der(printable ? 0x13 : 0x0c, Buffer.from(commonName)))));
}

function signatureOf(key: KeyObject): { readonly algorithm: Buffer; readonly digest: string | null } {
  switch (key.asymmetricKeyType) {
    case "rsa":
      return { algorithm: sequence(objectId("1.2.840.113549.1.1.11"), der(0x05)), digest: "sha256" };
    case "ec":
      return { algorithm: sequence(objectId("1.2.840.10045.4.3.2")), digest: "sha256" };
    case "ed25519":
      return { algorithm: sequence(objectId("1.3.101.112")), digest: null };
    default:
      throw new FunctionError("error creating certificate: x509: only RSA, ECDSA and Ed25519 keys supported");
  }
}

const extension = (id: string, critical: boolean, value: Buffer): Buffer =>
  sequence(objectId(id), ...(critical ? [der(0x01, Buffer.from([0xff]))] : []), octetString(value));

function build(environment: Environment, subject: Subject, key: KeyObject, issuer: Issuer | undefined): GoStruct {
  const info = publicKeyInfo(key);
  const spki = readElements(readElements(info)[0]!.content);
  const keyId = createHash("sha256").update(spki[1]!.content.subarray(1)).digest().subarray(0, 20);
  const name = nameOf(subject.commonName);
  const signer = issuer?.key ?? key;
  const { algorithm, digest } = signatureOf(signer);
  const now = Math.floor(environment.now() / 1000) * 1000;
  const serial = BigInt(`0x${Buffer.from(environment.random(16)).toString("hex")}`) | 1n;
  const names = [
    ...subject.names.map((each) => der(0x82, Buffer.from(each))),
    ...subject.addresses.map((each) => der(0x87, each)),
  ];
  const usage = subject.authority ? Buffer.from([0xa4]) : Buffer.from([0xa0]);
  const authorityId = issuer ? issuer.keyId : subject.authority ? keyId : undefined;
  const extensions = [
    extension("2.5.29.15", true, bitString(usage, subject.authority ? 2 : 5)),
    extension("2.5.29.37", false, sequence(objectId("1.3.6.1.5.5.7.3.1"), objectId("1.3.6.1.5.5.7.3.2"))),
    extension("2.5.29.19", true, subject.authority ? sequence(der(0x01, Buffer.from([0xff]))) : sequence()),
    ...(subject.authority ? [extension("2.5.29.14", false, octetString(keyId))] : []),
    ...(authorityId && issuer ? [extension("2.5.29.35", false, sequence(der(0x80, authorityId)))] : []),
    ...(names.length > 0 ? [extension("2.5.29.17", false, sequence(...names))] : []),
  ];
  const body = sequence(
    der(0xa0, integer(2n)),
    integer(serial),
    algorithm,
    issuer?.name ?? name,
    sequence(timeOf(now), timeOf(now + subject.days * DAY)),
    name,
    info,
    der(0xa3, sequence(...extensions)),
  );
  const whole = sequence(body, algorithm, bitString(sign(digest, body, signer)));
  return certificate(toPem("CERTIFICATE", whole), keyPem(key));
}

function texts(list: readonly GoValue[] | null, what: string): string[] {
  return (list ?? []).map((item) => {
    if (typeof item === "string") return item;
    throw new FunctionError(`${what}: ${formatValue(item)} is not a string`);
  });
}

/** An IPv4 or IPv6 address as bytes. */
function addressOf(text: string): Buffer {
  const bad = (): never => {
    throw new FunctionError(`error parsing ip: ${text}`);
  };
  const v4 = (part: string): number[] => {
    if (!/^(?:0|[1-9]\d{0,2})(?:\.(?:0|[1-9]\d{0,2})){3}$/.test(part)) return bad();
    const bytes = part.split(".").map(Number);
    return bytes.some((byte) => byte > 255) ? bad() : bytes;
  };
  if (!text.includes(":")) return Buffer.from(v4(text));
  const halves = text.split("::");
  if (halves.length > 2) return bad();
  const groups = (half: string): number[] =>
    (half === "" ? [] : half.split(":")).flatMap((group) => {
      if (group.includes(".")) return v4(group);
      if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return bad();
      const value = Number.parseInt(group, 16);
      return [value >> 8, value & 0xff];
    });
  const [head, tail] = [groups(halves[0]!), groups(halves[1] ?? "")];
  const missing = 16 - head.length - tail.length;
  if (halves.length === 2 ? missing < 2 : missing !== 0) return bad();
  return Buffer.from([...head, ...new Array<number>(missing).fill(0), ...tail]);
}

const subjectOf = (commonName: string, ips: GoValue[] | null, names: GoValue[] | null, days: number): Subject => ({
  commonName,
  addresses: texts(ips, "error parsing ip").map(addressOf),
  names: texts(names, "error processing alternate dns name"),
  days,
  authority: false,
});

function issuerOf(ca: GoStruct): Issuer {
  const block = fromPem(String(ca.fields.get("Cert")));
  if (!block) throw new FunctionError("unable to decode certificate");
  let fields: Element[];
  try {
    fields = readElements(readElements(readElements(block.bytes)[0]!.content)[0]!.content);
  } catch {
    throw new FunctionError("error parsing certificate: decodedSignerCert.Bytes: x509: malformed certificate");
  }
  let key: KeyObject;
  try {
    key = parsePrivateKey(String(ca.fields.get("Key")));
  } catch (error) {
    throw new FunctionError(`error parsing private key: ${(error as Error).message}`);
  }
  const subject = fields[5]!.whole;
  const extensions = fields.find(({ tag }) => tag === 0xa3);
  const keyIdTag = objectId("2.5.29.14");
  let keyId: Buffer | undefined;
  for (const each of extensions ? readElements(readElements(extensions.content)[0]!.content) : []) {
    const parts = readElements(each.content);
    if (parts[0]!.whole.equals(keyIdTag)) keyId = readElements(parts.at(-1)!.content)[0]!.content;
  }
  return { name: subject, key, keyId };
}

function customCertificate(cert64: string, key64: string): GoStruct {
  const cert = decodeBase64(cert64);
  if (typeof cert === "number") throw new FunctionError("unable to decode base64 certificate");
  const key = decodeBase64(key64);
  if (typeof key === "number") throw new FunctionError("unable to decode base64 private key");
  const block = fromPem(fromBytes(cert));
  if (!block) throw new FunctionError("unable to decode certificate");
  try {
    if (readElements(readElements(block.bytes)[0]!.content).length !== 3) throw new RangeError("not a certificate");
  } catch {
    throw new FunctionError("error parsing certificate: decodedCert.Bytes: x509: malformed certificate");
  }
  try {
    parsePrivateKey(fromBytes(key));
  } catch (error) {
    throw new FunctionError(`error parsing private key: ${(error as Error).message}`);
  }
  return certificate(fromBytes(cert), fromBytes(key));
}

const givenKey = (pem: string): KeyObject => {
  try {
    return parsePrivateKey(pem);
  } catch (error) {
    throw new FunctionError(`parsing private key: ${(error as Error).message}`);
  }
};

export function certificateFunctions(environment: Environment): Readonly<Record<string, GoFunction>> {
  const RSA_BITS = 2048;
  const fresh = () => rsaKey(environment, RSA_BITS);
  const authority = (commonName: string, days: number): Subject => ({
    ...subjectOf(commonName, null, null, days),
    authority: true,
  });
  return {
    buildCustomCert: { params: ["string", "string"], call: ([cert, key]) => customCertificate(cert, key) },
    genCA: {
      params: ["string", "int"],
      call: ([name, days]) => build(environment, authority(name, days), fresh(), undefined),
    },
    genCAWithKey: {
      params: ["string", "int", "string"],
      call: ([name, days, pem]) => build(environment, authority(name, days), givenKey(pem), undefined),
    },
    genSelfSignedCert: {
      params: ["string", "list", "list", "int"],
      call: ([name, ips, names, days]) => build(environment, subjectOf(name, ips, names, days), fresh(), undefined),
    },
    genSelfSignedCertWithKey: {
      params: ["string", "list", "list", "int", "string"],
      call: ([name, ips, names, days, pem]) =>
        build(environment, subjectOf(name, ips, names, days), givenKey(pem), undefined),
    },
    genSignedCert: {
      params: ["string", "list", "list", "int", "certificate"],
      call: ([name, ips, names, days, ca]) =>
        build(environment, subjectOf(name, ips, names, days), fresh(), issuerOf(ca)),
    },
    genSignedCertWithKey: {
      params: ["string", "list", "list", "int", "certificate", "string"],
      call: ([name, ips, names, days, ca, pem]) => {
        const key = givenKey(pem);
        return build(environment, subjectOf(name, ips, names, days), key, issuerOf(ca));
      },
    },
  };
}
