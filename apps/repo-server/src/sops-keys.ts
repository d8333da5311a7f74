import { digest } from "@tiphys/canonical-json";
import { matchGlob } from "@tiphys/diff";
import type { ApplicationSource, KubeObject } from "@tiphys/resources";
import { Secret } from "@tiphys/secret";
import { ageOpener, type KeyOpeners } from "@tiphys/sops";

/** Label of Secrets of ours in the control namespace. */
export const OWN_SECRET_LABEL = "tiphys.dev/secret-type";
const SOPS_KEYS = "sops-keys";

export interface ProjectKeys {
  readonly openers: KeyOpeners;
  /** Another one for other keys; tells nothing of them. */
  readonly version: string;
}

/**
 * The keys that applications of a project may decrypt with: age identities in the entries `*.agekey`, `*.age` and `keys.txt` of Secrets labelled
 * `tiphys.dev/secret-type: sops-keys` whose entry `projects` names the project, or a pattern of it. Undefined where there are none.
 */
export function sopsKeysFor(project: string, secrets: readonly KubeObject[]): ProjectKeys | undefined {
  const used = secrets.filter(
    (secret) =>
      secret.metadata.labels?.[OWN_SECRET_LABEL] === SOPS_KEYS &&
      (text(secret, "projects") ?? "").split(/[\s,]+/).some((pattern) => pattern !== "" && matchGlob(pattern, project)),
  );
  const identities = used.flatMap((secret) =>
    Object.keys(dataOf(secret))
      .filter((key) => /\.age(?:key)?$/.test(key) || key === "keys.txt")
      .map((key) => new Secret(text(secret, key) ?? "")),
  );
  if (identities.length === 0) return undefined;
  const version = digest(used.map(({ metadata }) => [metadata.name, metadata.uid, metadata.resourceVersion]));
  return { openers: { age: ageOpener(identities) }, version: version.replace(/[^0-9A-Za-z]/g, "").slice(0, 16) };
}

const dataOf = (secret: KubeObject): Record<string, string> => (secret["data"] ?? {}) as Record<string, string>;
const text = (secret: KubeObject, key: string): string | undefined => {
  const value = dataOf(secret)[key];
  return value === undefined ? undefined : Buffer.from(value, "base64").toString("utf8");
};

/** Value files as users of helm-secrets write them: what is encrypted is decrypted anyway, so the scheme says nothing more. */
export function withoutSecretsScheme(source: ApplicationSource): ApplicationSource {
  const { helm } = source;
  if (!helm?.valueFiles?.some((file) => file.startsWith("secrets"))) return source;
  const valueFiles = helm.valueFiles.map((file) =>
    file.replace(/^secrets:\/\//, "").replace(/^secrets\+(?:age|gpg)-import(?:-kubernetes)?:\/\/[^?]*\?/, ""),
  );
  return { ...source, helm: { ...helm, valueFiles } };
}
