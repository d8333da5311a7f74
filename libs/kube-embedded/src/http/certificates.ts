// @peculiar/x509 looks for the reflection polyfill when it is loaded.
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";
import { DataLossError } from "@tiphys/errors";
import type { RandomBytes } from "@tiphys/identity";

/** All that TLS needs, as PEM, and the administrator's token. Holds private keys: never logged. */
export interface Credentials {
  readonly ca: string;
  readonly serverCert: string;
  readonly serverKey: string;
  readonly adminCert: string;
  readonly adminKey: string;
  readonly adminToken: string;
}

const EC = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const YEARS = 10;

/** The credentials kept in `dir`, or new ones; a kubeconfig stays valid as long as its directory. */
export async function credentials(options: {
  readonly dir?: string;
  readonly now: Date;
  readonly random: RandomBytes;
}): Promise<Credentials> {
  const { dir, now, random } = options;
  const path = dir === undefined ? undefined : join(dir, "credentials.json");
  if (path !== undefined) {
    const known = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    if (known !== undefined) return parsed(known, path);
  }
  const made = await make(now, random);
  if (path !== undefined && dir !== undefined) {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    await writeFile(`${path}.tmp`, JSON.stringify(made), { mode: 0o600, flush: true });
    await rename(`${path}.tmp`, path);
  }
  return made;
}

function parsed(text: string, path: string): Credentials {
  try {
    const known = JSON.parse(text) as Partial<Credentials>;
    if (known.ca && known.serverCert && known.serverKey && known.adminCert && known.adminKey && known.adminToken) {
      return known as Credentials;
    }
  } catch {
    // said below, without the text: it holds keys
  }
  throw new DataLossError(`${path} is damaged: nothing was changed. Remove it to get new keys and a new kubeconfig`);
}

async function make(now: Date, random: RandomBytes): Promise<Credentials> {
  const crypto = webcrypto as unknown as Crypto;
  x509.cryptoProvider.set(crypto);
  const newKeys = () => crypto.subtle.generateKey(EC, true, ["sign", "verify"]) as Promise<CryptoKeyPair>;
  // A first bit of 0 keeps serial numbers positive.
  const serialNumber = () => Buffer.from([1, ...random(8)]).toString("hex");
  const notBefore = new Date(now.getTime() - 3_600_000);
  const notAfter = new Date(now);
  notAfter.setUTCFullYear(notAfter.getUTCFullYear() + YEARS);
  const validity = { notBefore, notAfter, signingAlgorithm: EC };

  const [caKeys, serverKeys, adminKeys] = await Promise.all([newKeys(), newKeys(), newKeys()]);
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity,
    serialNumber: serialNumber(),
    name: "CN=tiphys-embedded-kubernetes",
    keys: caKeys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(caKeys.publicKey),
    ],
  });
  const issue = async (subject: string, keys: CryptoKeyPair, usage: string, names: x509.JsonGeneralName[]) =>
    x509.X509CertificateGenerator.create({
      ...validity,
      serialNumber: serialNumber(),
      subject,
      issuer: ca.subject,
      signingKey: caKeys.privateKey,
      publicKey: keys.publicKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([usage]),
        await x509.AuthorityKeyIdentifierExtension.create(caKeys.publicKey),
        ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
      ],
    });
  const server = await issue("CN=kube-apiserver", serverKeys, x509.ExtendedKeyUsage.serverAuth, [
    { type: "dns", value: "localhost" },
    { type: "dns", value: "kubernetes" },
    { type: "dns", value: "kubernetes.default" },
    { type: "dns", value: "kubernetes.default.svc" },
    { type: "ip", value: "127.0.0.1" },
    { type: "ip", value: "10.96.0.1" },
  ]);
  const admin = await issue("CN=admin,O=system:masters", adminKeys, x509.ExtendedKeyUsage.clientAuth, []);
  const keyPem = async (keys: CryptoKeyPair) =>
    x509.PemConverter.encode(await crypto.subtle.exportKey("pkcs8", keys.privateKey), "PRIVATE KEY");
  return {
    ca: ca.toString("pem"),
    serverCert: server.toString("pem"),
    serverKey: await keyPem(serverKeys),
    adminCert: admin.toString("pem"),
    adminKey: await keyPem(adminKeys),
    adminToken: Buffer.from(random(24)).toString("base64url"),
  };
}

/** A kubeconfig for the administrator. */
export function kubeconfig(url: string, { ca, adminCert, adminKey }: Credentials): string {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  return `apiVersion: v1
kind: Config
clusters:
- name: tiphys
  cluster:
    server: ${url}
    certificate-authority-data: ${base64(ca)}
users:
- name: admin
  user:
    client-certificate-data: ${base64(adminCert)}
    client-key-data: ${base64(adminKey)}
contexts:
- name: tiphys
  context:
    cluster: tiphys
    user: admin
    namespace: default
current-context: tiphys
`;
}
