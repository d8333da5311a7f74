/** Kinds of signatures that git knows. */
export type SignatureKind = "openpgp" | "ssh" | "x509";

export interface Signature {
  readonly kind: SignatureKind;
  readonly text: string;
}

/** A commit or tag as far as its signature is concerned. */
export interface SignedObject {
  /** What is signed: the object without its signature. */
  readonly payload: Buffer;
  readonly signature: Signature | undefined;
}

export interface SignedCommit extends SignedObject {
  readonly parents: readonly string[];
  /** `Name <address>`. */
  readonly author: string;
  /** Seconds; what the committer says. */
  readonly committedAt: number;
  readonly message: string;
}

export interface SignedTag extends SignedObject {
  /** Id of what it names. */
  readonly target: string;
  /** Its own name, which is signed with it. */
  readonly name: string;
  /** As Argo CD shows it: `Name "<address>"`. */
  readonly tagger: string;
}

const beginnings: readonly (readonly [string, SignatureKind])[] = [
  ["-----BEGIN PGP SIGNATURE-----", "openpgp"],
  ["-----BEGIN PGP MESSAGE-----", "openpgp"],
  ["-----BEGIN SSH SIGNATURE-----", "ssh"],
  ["-----BEGIN SIGNED MESSAGE-----", "x509"],
];

const kindOf = (text: string): SignatureKind | undefined => beginnings.find(([begin]) => text.startsWith(begin))?.[1];

const signatureOf = (text: string): Signature | undefined => {
  const kind = kindOf(text);
  return kind && { kind, text };
};

const person = (line: string): { who: string; name: string; address: string; at: number } => {
  const [, name = "", address = "", at = "0"] = /^(.*?) ?(<[^>]*>) (-?\d+) [+-]\d+$/.exec(line) ?? [];
  return { who: `${name} ${address}`.trim(), name, address, at: Number(at) };
};

/** Reads a commit as git does before it verifies it: what is signed is all but the headers that begin with `gpgsig`. */
export function parseSignedCommit(data: Buffer): SignedCommit {
  // One character for one byte, so that what is signed stays as it is.
  const text = data.toString("latin1");
  const end = text.indexOf("\n\n");
  const head = end < 0 ? text : text.slice(0, end + 1);
  const kept: string[] = [];
  let signature: string | undefined;
  let inside: "signature" | "other" | undefined;
  for (const line of head.split(/(?<=\n)/)) {
    if (inside && line.startsWith(" ")) {
      if (inside === "signature") signature += line.slice(1);
      continue;
    }
    inside = line.startsWith("gpgsig ") ? "signature" : line.startsWith("gpgsig") ? "other" : undefined;
    if (inside === "signature") signature = (signature ?? "") + line.slice("gpgsig ".length);
    else if (!inside) kept.push(line);
  }
  const headers = kept.map((line) => Buffer.from(line, "latin1").toString("utf8").replace(/\n$/, ""));
  const all = (name: string) =>
    headers.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1));
  return {
    payload: Buffer.from(kept.join("") + (end < 0 ? "" : text.slice(end + 1)), "latin1"),
    signature: signature === undefined ? undefined : signatureOf(signature),
    parents: all("parent"),
    author: person(all("author")[0] ?? "").who,
    committedAt: person(all("committer")[0] ?? "").at,
    message: end < 0 ? "" : Buffer.from(text.slice(end + 2), "latin1").toString("utf8"),
  };
}

/** Reads an annotated tag as git does before it verifies it: the signature is what the last line that begins one leads in. */
export function parseSignedTag(data: Buffer): SignedTag {
  const text = data.toString("latin1");
  let at = -1;
  for (let line = 0; line < text.length; ) {
    if (kindOf(text.slice(line, line + 40))) at = line;
    const next = text.indexOf("\n", line);
    if (next < 0) break;
    line = next + 1;
  }
  const headers = data.toString("utf8").split("\n\n")[0]?.split("\n") ?? [];
  const header = (name: string) => headers.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1) ?? "";
  const { name, address } = person(header("tagger"));
  return {
    payload: at < 0 ? data : Buffer.from(text.slice(0, at), "latin1"),
    signature: at < 0 ? undefined : signatureOf(text.slice(at)),
    target: header("object"),
    name: header("tag"),
    tagger: `${name} "${address}"`,
  };
}
