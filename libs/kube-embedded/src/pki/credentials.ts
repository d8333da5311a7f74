import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DataLossError } from "@tiphys/errors";
import type { RandomBytes } from "@tiphys/identity";
import {
  type CertificateContent,
  CN,
  type Issuer,
  issueCertificate,
  type NameAttribute,
  nameOf,
  noAltNames,
  O,
} from "./x509.js";

/** All that TLS needs, as PEM, and the administrator's token. Holds private keys: never logged. */
export interface Credentials {
  readonly ca: string;
  readonly caKey: string;
  readonly serverCert: string;
  readonly serverKey: string;
  readonly adminCert: string;
  readonly adminKey: string;
  readonly adminToken: string;
}

const YEARS = 10;
const CA_NAME: NameAttribute = { type: CN, value: "tiphys-embedded-kubernetes" };
const members = ["ca", "caKey", "serverCert", "serverKey", "adminCert", "adminKey", "adminToken"] as const;

/** The credentials kept in `dir`, or new ones; a kubeconfig stays valid as long as its directory. */
export async function credentials(options: {
  readonly dir?: string;
  readonly now: Date;
  readonly random: RandomBytes;
}): Promise<Credentials> {
  const { dir, now, random } = options;
  if (dir === undefined) return make(now, random);
  const path = join(dir, "credentials.json");
  const known = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  const parsed = known === undefined ? undefined : read(known, path);
  if (parsed) return parsed;
  const made = make(now, random);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await writeFile(`${path}.tmp`, JSON.stringify(made), { mode: 0o600, flush: true });
  await rename(`${path}.tmp`, path);
  return made;
}

/** Undefined: they are of a time when the authority signed nothing more, and are made anew. */
function read(text: string, path: string): Credentials | undefined {
  try {
    const known = JSON.parse(text) as Partial<Credentials>;
    if (members.every((member) => known[member])) return known as Credentials;
    if (members.every((member) => member === "caKey" || known[member])) return undefined;
  } catch {
    // said below, without the text: it holds keys
  }
  throw new DataLossError(`${path} is damaged: nothing was changed. Remove it to get new keys and a new kubeconfig`);
}

const keyPair = () => generateKeyPairSync("ec", { namedCurve: "P-256" });
const keyPem = (key: KeyObject): string => key.export({ type: "pkcs8", format: "pem" }).toString();

/** A first byte of 1 keeps serial numbers positive. */
export const serialNumber = (random: RandomBytes): Buffer => Buffer.from([1, ...random(15)]);

function make(now: Date, random: RandomBytes): Credentials {
  const notBefore = new Date(now.getTime() - 3_600_000);
  const notAfter = new Date(now);
  notAfter.setUTCFullYear(notAfter.getUTCFullYear() + YEARS);
  const [ca, server, admin] = [keyPair(), keyPair(), keyPair()];
  const issuer: Issuer = { name: nameOf(CA_NAME), key: ca.privateKey, publicKey: ca.publicKey };
  const issue = (content: Pick<CertificateContent, "subject" | "publicKey" | "usages" | "altNames" | "ca">) =>
    issueCertificate({ ...content, serial: serialNumber(random), notBefore, notAfter }, issuer);
  return {
    ca: issue({ subject: issuer.name, publicKey: ca.publicKey, ca: true, usages: ["cert sign", "crl sign"] }),
    caKey: keyPem(ca.privateKey),
    serverCert: issue({
      subject: nameOf({ type: CN, value: "kube-apiserver" }),
      publicKey: server.publicKey,
      usages: ["digital signature", "server auth"],
      altNames: {
        ...noAltNames,
        dns: [
          "localhost",
          "kubernetes",
          "kubernetes.default",
          "kubernetes.default.svc",
          "kubernetes.default.svc.cluster.local",
        ],
        ips: ["127.0.0.1", "10.96.0.1"],
      },
    }),
    serverKey: keyPem(server.privateKey),
    adminCert: issue({
      subject: nameOf({ type: O, value: "system:masters" }, { type: CN, value: "admin" }),
      publicKey: admin.publicKey,
      usages: ["digital signature", "client auth"],
    }),
    adminKey: keyPem(admin.privateKey),
    adminToken: Buffer.from(random(24)).toString("base64url"),
  };
}

/** The cluster's authority, to sign more certificates with. */
export function issuerOf({ caKey }: Credentials): Issuer {
  const key = createPrivateKey(caKey);
  return { name: nameOf(CA_NAME), key, publicKey: createPublicKey(key) };
}
