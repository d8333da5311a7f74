import { FailedPreconditionError, messageOf, PermissionDeniedError } from "@tiphys/errors";
import { type KeyRing, verifyClearsigned } from "@tiphys/openpgp";
import { parseYaml } from "@tiphys/yaml";

/** What a provenance file (`.prov`) is held against. */
export interface ProvenanceInput {
  readonly provenance: string;
  /** Name of the packed chart, as the file has it: `web-1.2.0.tgz`. */
  readonly fileName: string;
  /** SHA-256 of the packed chart. */
  readonly sha256: string;
  readonly keys: KeyRing;
  readonly now: Date;
  /** For messages: `chart web 1.2.0 of https://…`. */
  readonly what: string;
}

/** Checks that somebody whose key is known has signed this very chart, as `helm verify` does; answers who. */
export function checkProvenance({ provenance, fileName, sha256, keys, now, what }: ProvenanceInput): string {
  const refuse = (why: string, options?: ErrorOptions): never => {
    throw new PermissionDeniedError(`${what} is not verified: ${why}`, options);
  };
  let checked: ReturnType<typeof verifyClearsigned>;
  try {
    checked = verifyClearsigned(keys, provenance, now);
  } catch (error) {
    return refuse(`its provenance file cannot be read: ${messageOf(error)}`, { cause: error });
  }
  const good = checked.signatures.find(({ status }) => status === "good");
  if (!good) {
    const said = checked.signatures.map(({ status, keyId }) => `${status}${keyId ? ` (key ${keyId})` : ""}`).join(", ");
    return refuse(`no good signature of a key in argocd-gpg-keys-cm (${said || "there is none"})`);
  }
  // Chart.yaml, the end of a document, and the digests.
  const [, digests] = checked.text.replaceAll("\r\n", "\n").split("\n...\n");
  let files: unknown;
  try {
    files = (parseYaml(digests ?? "") as { files?: unknown } | null)?.files;
  } catch (error) {
    return refuse("its provenance file has no list of digests", { cause: error });
  }
  const said = typeof files === "object" && files !== null ? (files as Record<string, unknown>)[fileName] : undefined;
  if (said === undefined) return refuse(`its provenance file does not contain a SHA for a file named "${fileName}"`);
  if (said !== `sha256:${sha256}`) return refuse(`its digest is sha256:${sha256}, and ${String(said)} was signed`);
  return good.key?.primary.userIds[0] ?? good.keyId;
}

/** The chart has no provenance file, and must have one. */
export class UnsignedChartError extends FailedPreconditionError {
  constructor(what: string, options?: ErrorOptions) {
    super(`${what} has no provenance file, and its repository's Secret wants charts verified`, options);
  }
}
