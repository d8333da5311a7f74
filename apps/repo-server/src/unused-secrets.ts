import type { Informer } from "@tiphys/kube";
import { type KubeObject, keyOf, keyText } from "@tiphys/resources";
import type { Logger, Metrics } from "@tiphys/telemetry";
import { SECRET_TYPE_LABEL } from "./repository-secrets.js";

/** Types of Secrets that only the source hydrator and ApplicationSets use, which are not there yet. */
const unused: ReadonlySet<string> = new Set(["repository-write", "repo-write-creds", "scm-creds"]);

/**
 * Names credentials that nothing uses: once in the log, and as the metric `tiphys_secrets_without_effect`. Answers how
 * to stop. Nothing of their content is said.
 */
export function reportUnusedSecrets(
  secrets: Informer,
  namespace: string,
  { log, metrics }: { log: Logger; metrics: Metrics },
): () => void {
  const gauge = metrics.gauge("tiphys_secrets_without_effect", "Secrets of Argo CD that nothing uses", [
    "name",
    "type",
  ]);
  const told = new Map<string, string>();
  const look = (secret: KubeObject, gone: boolean) => {
    const { name } = secret.metadata;
    const type = secret.metadata.labels?.[SECRET_TYPE_LABEL] ?? "";
    const before = told.get(name);
    const now = !gone && unused.has(type) ? type : undefined;
    if (before === now) return;
    if (before !== undefined) gauge.remove({ name, type: before });
    told.delete(name);
    if (now === undefined) return;
    told.set(name, now);
    gauge.set(1, { name, type: now });
    log.warn("credentials have no effect: writing to repositories is not implemented yet, see docs/compatibility.md", {
      secret: keyText(keyOf(secret)),
      type: now,
    });
  };
  for (const secret of secrets.list(namespace)) look(secret, false);
  return secrets.onChange(({ type, object }) => look(object, type === "deleted"));
}
