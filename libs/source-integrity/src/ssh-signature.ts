import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import { InvalidArgumentError } from "@tiphys/errors";

/** Longest armored signature, in characters. */
const LONGEST = 64 * 1024;
const NAMESPACE = "git";

const broken = (problem: string) => new InvalidArgumentError("", `ssh signature: ${problem}`);

/** Strings and numbers of ssh's wire format. */
class Wire {
  private at = 0;
  constructor(private readonly data: Buffer) {}
  number(): number {
    if (this.at + 4 > this.data.length) throw broken("it ends too early");
    this.at += 4;
    return this.data.readUInt32BE(this.at - 4);
  }
  take(bytes: number): Buffer {
    if (this.at + bytes > this.data.length) throw broken("it ends too early");
    this.at += bytes;
    return this.data.subarray(this.at - bytes, this.at);
  }
  string(): Buffer {
    return this.take(this.number());
  }
  text(): string {
    return this.string().toString("latin1");
  }
  get done(): boolean {
    return this.at === this.data.length;
  }
}

const string = (data: Buffer | string): Buffer => {
  const bytes = Buffer.from(data as string);
  const head = Buffer.alloc(4);
  head.writeUInt32BE(bytes.length);
  return Buffer.concat([head, bytes]);
};

const base64url = (data: Buffer) => data.toString("base64url");
const curves: Readonly<Record<string, readonly [crv: string, bytes: number, hash: string]>> = {
  nistp256: ["P-256", 32, "sha256"],
  nistp384: ["P-384", 48, "sha384"],
  nistp521: ["P-521", 66, "sha512"],
};

interface PublicKey {
  readonly key: KeyObject;
  /** Algorithms of signatures that such a key makes, and their digests; null where the algorithm has its own. */
  readonly algorithms: Readonly<Record<string, string | null>>;
  /** Of a key that lives on a token: what it is for, which is signed too. */
  readonly application?: Buffer;
}

function publicKey(blob: Buffer): PublicKey {
  const wire = new Wire(blob);
  const type = wire.text();
  const jwk = (key: Record<string, string>) => createPublicKey({ key, format: "jwk" });
  switch (type) {
    case "ssh-ed25519":
    case "sk-ssh-ed25519@openssh.com": {
      const key = jwk({ kty: "OKP", crv: "Ed25519", x: base64url(wire.string()) });
      return { key, algorithms: { [type]: null }, ...(type.startsWith("sk-") ? { application: wire.string() } : {}) };
    }
    case "ssh-rsa": {
      const e = wire.string();
      const n = wire.string();
      const plain = (number: Buffer) => base64url(number[0] === 0 ? number.subarray(1) : number);
      const key = jwk({ kty: "RSA", e: plain(e), n: plain(n) });
      if ((key.asymmetricKeyDetails?.modulusLength ?? 0) < 1024) throw broken("an RSA key of less than 1024 bits");
      // SHA-1, which `ssh-rsa` alone would be, is no signature any more.
      return { key, algorithms: { "rsa-sha2-256": "sha256", "rsa-sha2-512": "sha512" } };
    }
    case "ecdsa-sha2-nistp256":
    case "ecdsa-sha2-nistp384":
    case "ecdsa-sha2-nistp521":
    case "sk-ecdsa-sha2-nistp256@openssh.com": {
      const [crv, bytes, hash] = curves[wire.text()] ?? [];
      const point = wire.string();
      if (!crv || !bytes || !hash || point[0] !== 4 || point.length !== 1 + 2 * bytes) throw broken("an unknown curve");
      const [x, y] = [point.subarray(1, 1 + bytes), point.subarray(1 + bytes)];
      const key = jwk({ kty: "EC", crv, x: base64url(x), y: base64url(y) });
      return { key, algorithms: { [type]: hash }, ...(type.startsWith("sk-") ? { application: wire.string() } : {}) };
    }
    default:
      throw broken(`keys of type ${type.slice(0, 40)} are not known`);
  }
}

/** ECDSA's two numbers as the ASN.1 that is verified. */
function asn1(signature: Buffer): Buffer {
  const wire = new Wire(signature);
  const integer = (number: Buffer) => Buffer.concat([Buffer.from([2, number.length]), number]);
  const body = Buffer.concat([integer(wire.string()), integer(wire.string())]);
  if (!wire.done || body.length > 255) throw broken("its numbers are not two");
  return Buffer.concat([Buffer.from(body.length > 127 ? [0x30, 0x81, body.length] : [0x30, body.length]), body]);
}

export interface SshCheck {
  readonly good: boolean;
  /** `SHA256:…`, as ssh shows keys. */
  readonly fingerprint: string;
  /** The public key as base64, as in lines of allowed signers. */
  readonly key: string;
}

/** Verifies an armored signature of `ssh-keygen -Y sign -n git` over `data`. Throws where it is none, or of an unknown kind. */
export function verifySshSignature(data: Buffer, armored: string): SshCheck {
  if (armored.length > LONGEST) throw broken("it is too long");
  const body = /^-----BEGIN SSH SIGNATURE-----\n([A-Za-z0-9+/=\n]*)\n-----END SSH SIGNATURE-----\s*$/.exec(
    armored.replaceAll("\r", ""),
  )?.[1];
  if (body === undefined) throw broken("it is not one");
  const wire = new Wire(Buffer.from(body, "base64"));
  if (wire.take(6).toString("latin1") !== "SSHSIG" || wire.number() !== 1) throw broken("it is not of version 1");
  const blob = wire.string();
  const namespace = wire.text();
  const reserved = wire.string();
  const hash = wire.text();
  const signature = new Wire(wire.string());
  if (!wire.done) throw broken("something follows it");
  if (hash !== "sha256" && hash !== "sha512") throw broken(`the digest ${hash.slice(0, 20)} is not known`);
  const key = blob.toString("base64");
  const fingerprint = `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
  // What somebody signed for another purpose is no commit.
  if (namespace !== NAMESPACE) return { good: false, fingerprint, key };
  const { key: verifying, algorithms, application } = publicKey(blob);
  const algorithm = signature.text();
  const digest = algorithms[algorithm];
  if (digest === undefined) throw broken(`the algorithm ${algorithm.slice(0, 40)} is not one of its key`);
  const made = signature.string();
  let signed: Buffer = Buffer.concat([
    Buffer.from("SSHSIG"),
    string(NAMESPACE),
    string(reserved),
    string(hash),
    string(createHash(hash).update(data).digest()),
  ]);
  if (application) {
    const rest = signature.take(5);
    const sha256 = (input: Buffer) => createHash("sha256").update(input).digest();
    // Bit 0: somebody was there and touched the token.
    if (((rest[0] ?? 0) & 1) === 0) return { good: false, fingerprint, key };
    signed = Buffer.concat([sha256(application), rest, sha256(signed)]);
  }
  if (!signature.done) throw broken("something follows it");
  const isEcdsa = verifying.asymmetricKeyType === "ec";
  const good = verify(digest, signed, verifying, isEcdsa ? asn1(made) : made);
  return { good, fingerprint, key };
}

/**
 * Public keys of lines as in git's file of allowed signers (`who key-type base64`). What they say besides is refused where it would
 * narrow what a key may sign and we do not look at it.
 */
export function parseAllowedSigners(lines: readonly string[]): ReadonlySet<string> {
  const keys = new Set<string>();
  for (const line of lines.flatMap((each) => each.split("\n")).map((each) => each.trim())) {
    if (line === "" || line.startsWith("#")) continue;
    const found =
      /^(?:(?:"[^"]*"|[^\s"]+)\s+)?(?:namespaces="(?:[^",]*,)*git(?:,[^",]*)*"\s+)?((?:sk-)?(?:ssh|ecdsa)-[\w@.-]+)\s+([A-Za-z0-9+/]+=*)(?:\s.*)?$/.exec(
        line,
      );
    const blob = found?.[2];
    if (blob === undefined || found?.[1]?.includes("-cert-")) {
      throw new InvalidArgumentError(
        "signers",
        `"${line.slice(0, 60)}" is not a signer: give who, type and key; of options only namespaces="git" is known`,
      );
    }
    keys.add(Buffer.from(blob, "base64").toString("base64"));
  }
  return keys;
}
