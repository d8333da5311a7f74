import { digest } from "@tiphys/canonical-json";
import type { ApplicationSource, KubeObject } from "@tiphys/resources";
import { Secret } from "@tiphys/secret";
import { ageOpener, type KeyOpeners, type PgpKeyFile, pgpOpener } from "@tiphys/sops";
import { ownSecretsFor } from "./own-secrets.js";
import { secretText } from "./secret-values.js";

const SOPS_KEYS = "sops-keys";

export interface ProjectKeys {
  readonly openers: KeyOpeners;
  /** Another one for other keys; tells nothing of them. */
  readonly version: string;
}

/**
 * The keys that applications of a project may decrypt with: age identities in the entries `*.agekey`, `*.age` and `keys.txt`, and PGP keys in
 * `*.asc`, `*.gpg` and `*.pgp` (their passphrases in `FILE.passphrase`, or one for all in `passphrase`) of Secrets labelled
 * `tiphys.dev/secret-type: sops-keys` whose entry `projects` names the project, or a pattern of it. Undefined where there are none.
 */
export function sopsKeysFor(project: string, secrets: readonly KubeObject[]): ProjectKeys | undefined {
  const used = ownSecretsFor(SOPS_KEYS, project, secrets);
  const identities = used.flatMap((secret) =>
    Object.keys(dataOf(secret))
      .filter((key) => /\.age(?:key)?$/.test(key) || key === "keys.txt")
      .map((key) => new Secret(secretText(secret, key) ?? "")),
  );
  const pgpKeys = used.flatMap((secret) =>
    Object.entries(dataOf(secret))
      .filter(([key]) => /\.(?:asc|gpg|pgp)$/.test(key))
      .map(([key, content]): PgpKeyFile => {
        const passphrase = secretText(secret, `${key}.passphrase`) ?? secretText(secret, "passphrase");
        return { content: new Secret(content), ...(passphrase ? { passphrase: new Secret(passphrase) } : {}) };
      }),
  );
  if (identities.length === 0 && pgpKeys.length === 0) return undefined;
  const version = digest(used.map(({ metadata }) => [metadata.name, metadata.uid, metadata.resourceVersion]));
  const openers = { age: ageOpener(identities), pgp: pgpOpener(pgpKeys) };
  return { openers, version: version.replace(/[^0-9A-Za-z]/g, "").slice(0, 16) };
}

const dataOf = (secret: KubeObject): Record<string, string> => (secret["data"] ?? {}) as Record<string, string>;

/** Value files as users of helm-secrets write them: what is encrypted is decrypted anyway, so the scheme says nothing more. */
export function withoutSecretsScheme(source: ApplicationSource): ApplicationSource {
  const { helm } = source;
  if (!helm?.valueFiles?.some((file) => file.startsWith("secrets"))) return source;
  const valueFiles = helm.valueFiles.map((file) =>
    file.replace(/^secrets:\/\//, "").replace(/^secrets\+(?:age|gpg)-import(?:-kubernetes)?:\/\/[^?]*\?/, ""),
  );
  return { ...source, helm: { ...helm, valueFiles } };
}
