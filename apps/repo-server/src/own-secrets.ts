import { matchGlob } from "@tiphys/diff";
import type { KubeObject } from "@tiphys/resources";
import { secretText } from "./secret-values.js";

/** Label of Secrets of ours in the control namespace. */
export const OWN_SECRET_LABEL = "tiphys.dev/secret-type";

/** Secrets of a type whose entry `projects` names the project, or a pattern of it; in the order of their names. */
export const ownSecretsFor = (type: string, project: string, secrets: readonly KubeObject[]): KubeObject[] =>
  secrets
    .filter(
      (secret) =>
        secret.metadata.labels?.[OWN_SECRET_LABEL] === type &&
        (secretText(secret, "projects") ?? "")
          .split(/[\s,]+/)
          .some((pattern) => pattern !== "" && matchGlob(pattern, project)),
    )
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
