import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DataLossError } from "@tiphys/errors";

/** The key that signs tokens of service accounts: kept with the store, so that tokens outlive a restart. */
export interface TokenKey {
  /** The token of these claims. */
  sign(claims: object): string;
  /** The claims of a token that this key has signed; undefined: it has not. */
  verify(token: string): unknown;
  /** The public half, as a JSON Web Key Set has it. */
  readonly jwk: Readonly<Record<string, string>>;
}

const FILE = "service-account.key";

/** The key kept in `dir`, or a new one. */
export async function tokenKey(dir: string | undefined): Promise<TokenKey> {
  if (dir === undefined) return keyOf(newKey());
  const path = join(dir, FILE);
  const known = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (known !== undefined) {
    try {
      return keyOf(createPrivateKey(known));
    } catch {
      throw new DataLossError(
        `${path} is damaged: nothing was changed. Remove it to get a new key; tokens given so far end`,
      );
    }
  }
  const made = newKey();
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await writeFile(`${path}.tmp`, made.export({ type: "pkcs8", format: "pem" }), { mode: 0o600, flush: true });
  await rename(`${path}.tmp`, path);
  return keyOf(made);
}

const newKey = (): KeyObject => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

function keyOf(privateKey: KeyObject): TokenKey {
  const publicKey = createPublicKey(privateKey);
  const kid = createHash("sha256")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest("base64url");
  const header = encode({ alg: "ES256", kid });
  const { crv = "", kty = "", x = "", y = "" } = publicKey.export({ format: "jwk" });
  return {
    jwk: { use: "sig", kty, kid, crv, alg: "ES256", x, y },
    sign(claims) {
      const text = `${header}.${encode(claims)}`;
      const signature = sign("sha256", Buffer.from(text), { key: privateKey, dsaEncoding: "ieee-p1363" });
      return `${text}.${signature.toString("base64url")}`;
    },
    verify(token) {
      const [head = "", body = "", signature = "", ...more] = token.split(".");
      if (more.length > 0 || head !== header) return undefined;
      const key = { key: publicKey, dsaEncoding: "ieee-p1363" } as const;
      if (!verify("sha256", Buffer.from(`${head}.${body}`), key, Buffer.from(signature, "base64url"))) return undefined;
      try {
        return JSON.parse(Buffer.from(body, "base64url").toString());
      } catch {
        return undefined;
      }
    },
  };
}
