import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from "node:crypto";

// What Go's TLS library says of a certificate and a key that do not make a pair.

interface Block {
  readonly type: string;
  readonly text: string;
}

const BLOCK = /-----BEGIN ([^\n-]*)-----[ \t]*\r?\n(?:[^\n:]+:[^\n]*\n)*([A-Za-z0-9+/=\s]*)-----END \1-----/g;

const blocksOf = (text: string): Block[] =>
  [...text.matchAll(BLOCK)]
    .filter(([, , body = ""]) => body.replaceAll(/\s/g, "").length % 4 === 0)
    .map(([whole, type = ""]) => ({ type, text: whole }));

const isKey = ({ type }: Block): boolean => type === "PRIVATE KEY" || type.endsWith(" PRIVATE KEY");

/** Why a TLS Secret's certificate and key do not fit, in the API server's words; undefined when they do. */
export function pairProblem(certificates: string, key: string): string | undefined {
  const found = blocksOf(certificates);
  const certificate = found.find(({ type }) => type === "CERTIFICATE");
  if (certificate === undefined) {
    if (found.length === 0) return "tls: failed to find any PEM data in certificate input";
    if (found.length === 1 && isKey(found[0] as Block)) {
      return "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched";
    }
    const types = found.map(({ type }) => type).join(" ");
    return `tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following types: [${types}]`;
  }
  const keys = blocksOf(key);
  const own = keys.find(isKey);
  if (own === undefined) {
    if (keys.length === 0) return "tls: failed to find any PEM data in key input";
    if (keys.length === 1 && keys[0]?.type === "CERTIFICATE") {
      return "tls: found a certificate rather than a key in the PEM for the private key";
    }
    const types = keys.map(({ type }) => type).join(" ");
    return `tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input after skipping PEM blocks of the following types: [${types}]`;
  }
  let publicKey: KeyObject;
  try {
    publicKey = new X509Certificate(certificate.text).publicKey;
  } catch {
    return "x509: malformed certificate";
  }
  try {
    const wanted = createPublicKey(createPrivateKey(own.text));
    if (wanted.asymmetricKeyType !== publicKey.asymmetricKeyType) {
      return "tls: private key type does not match public key type";
    }
    return wanted.equals(publicKey) ? undefined : "tls: private key does not match public key";
  } catch {
    return "tls: failed to parse private key";
  }
}
