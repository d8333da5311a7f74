// @peculiar/x509 looks for the reflection polyfill when it is loaded.
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";
import type { Clock } from "@tiphys/clock";
import { DataLossError } from "@tiphys/errors";
import { API_SERVER } from "@tiphys/node-runtime";
import { Secret } from "@tiphys/secret";

/** How an API server shows kubelets who it is. */
export interface KubeletCredentials {
  /** PEM of the authority that kubelets trust; it has signed this one certificate and no other. */
  readonly ca: string;
  readonly cert: string;
  readonly key: Secret;
}

const EC = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const YEARS_MS = 10 * 365 * 24 * 3600 * 1000;

/** The credentials kept in `dir`, or new ones. */
export async function kubeletCredentials(dir: string, clock: Clock): Promise<KubeletCredentials> {
  const file = join(dir, "kubelet-client.json");
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text !== undefined) {
    try {
      const { ca, cert, key } = JSON.parse(text) as { ca: string; cert: string; key: string };
      if (ca && cert && key) return { ca, cert, key: new Secret(key) };
    } catch {
      // said below, without the text: it holds a key
    }
    throw new DataLossError(`${file} is damaged: remove it to have a new one made, and start the nodes anew`);
  }
  const made = await make(clock);
  await writeFile(`${file}.new`, JSON.stringify({ ...made, key: made.key.reveal() }), { mode: 0o600 });
  await rename(`${file}.new`, file);
  return made;
}

async function make(clock: Clock): Promise<KubeletCredentials> {
  const crypto = webcrypto as unknown as Crypto;
  x509.cryptoProvider.set(crypto);
  const newKeys = () => crypto.subtle.generateKey(EC, true, ["sign", "verify"]) as Promise<CryptoKeyPair>;
  const [caKeys, keys] = await Promise.all([newKeys(), newKeys()]);
  const now = clock.now().getTime();
  const validity = { notBefore: new Date(now - 3_600_000), notAfter: new Date(now + YEARS_MS), signingAlgorithm: EC };
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity,
    serialNumber: "01",
    name: "CN=tiphys-kubelet-client-ca",
    keys: caKeys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  const cert = await x509.X509CertificateGenerator.create({
    ...validity,
    serialNumber: "02",
    subject: `CN=${API_SERVER},O=system:masters`,
    issuer: ca.subject,
    signingKey: caKeys.privateKey,
    publicKey: keys.publicKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
    ],
  });
  const pem = x509.PemConverter.encode(await crypto.subtle.exportKey("pkcs8", keys.privateKey), "PRIVATE KEY");
  return { ca: ca.toString("pem"), cert: cert.toString("pem"), key: new Secret(pem) };
}
