import { webcrypto } from "node:crypto";
import type { Clock } from "@tiphys/clock";
import type { KubeClient } from "@tiphys/kube";
import { types } from "@tiphys/resources";

const YEAR_MS = 365 * 86_400_000;

/**
 * The certificate of the public port: Argo CD's order without its override secret is `tls.crt` and `tls.key` of
 * `argocd-secret`, else one that signs itself, made at first start and stored there.
 */
export async function servingCertificate(options: {
  client: KubeClient;
  namespace: string;
  clock: Clock;
  host: string;
}): Promise<{ cert: string; key: string }> {
  const { client, namespace, clock, host } = options;
  const key = { namespace, name: "argocd-secret" };
  const secret = await client.get(types.secrets, key);
  const stored = secret["data"] ?? {};
  if (stored["tls.crt"] && stored["tls.key"]) {
    return { cert: text(stored["tls.crt"]), key: text(stored["tls.key"]) };
  }
  const made = await selfSigned(host, clock.now());
  const data = { "tls.crt": base64(made.cert), "tls.key": base64(made.key) };
  await client.patch(types.secrets, key, { type: "merge", body: { data } });
  return made;
}

const text = (data: string) => Buffer.from(data, "base64").toString("utf8");
const base64 = (value: string) => Buffer.from(value).toString("base64");

async function selfSigned(host: string, now: Date): Promise<{ cert: string; key: string }> {
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  x509.cryptoProvider.set(webcrypto as never);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: now.getTime().toString(16),
    name: "O=Tiphys, CN=tiphys",
    notBefore: new Date(now.getTime() - 3_600_000),
    notAfter: new Date(now.getTime() + YEAR_MS),
    signingAlgorithm: algorithm,
    keys: keys as never,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([
        { type: "dns", value: "localhost" },
        { type: "ip", value: "127.0.0.1" },
        ...(/^[0-9.]+$/.test(host) && host !== "127.0.0.1" && host !== "0.0.0.0"
          ? [{ type: "ip" as const, value: host }]
          : []),
      ]),
    ],
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  return {
    cert: `${certificate.toString("pem")}\n`,
    key: `-----BEGIN PRIVATE KEY-----\n${pkcs8.match(/.{1,64}/g)?.join("\n")}\n-----END PRIVATE KEY-----\n`,
  };
}
