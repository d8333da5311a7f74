import { webcrypto } from "node:crypto";
import { createSecureContext, type SecureContext } from "node:tls";
import type { Clock } from "@tiphys/clock";
import type { KubeObject } from "@tiphys/resources";

const YEAR_MS = 365 * 24 * 3600 * 1000;

/** A certificate of its own key, for those who do not check; PEM. */
export async function selfSigned(
  name: string,
  names: readonly { readonly type: "dns" | "ip"; readonly value: string }[],
  clock: Clock,
): Promise<{ key: string; cert: string }> {
  // Loaded only when needed; its container of parts wants the reflection polyfill first.
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  const crypto = webcrypto as unknown as Crypto;
  x509.cryptoProvider.set(crypto);
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const now = clock.now().getTime();
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    notBefore: new Date(now - 3600_000),
    notAfter: new Date(now + YEAR_MS),
    signingAlgorithm: algorithm,
    keys,
    extensions: [new x509.SubjectAlternativeNameExtension([...names])],
  });
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  return { key: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`, cert: cert.toString("pem") };
}

/** TLS parts of Secrets, read once per version of each. */
export function secretContexts(): (secret: KubeObject) => SecureContext | undefined {
  const known = new WeakMap<KubeObject, { context: SecureContext | undefined }>();
  return (secret) => {
    let entry = known.get(secret);
    if (!entry) {
      entry = { context: contextOf(secret) };
      known.set(secret, entry);
    }
    return entry.context;
  };
}

function contextOf({ data = {} }: KubeObject): SecureContext | undefined {
  const decode = (name: string) => Buffer.from(String(data[name] ?? ""), "base64");
  try {
    return createSecureContext({ cert: decode("tls.crt"), key: decode("tls.key"), minVersion: "TLSv1.2" });
  } catch {
    // A pair that does not fit together serves nobody; the status of its Gateway says what can be seen from outside.
    return undefined;
  }
}
