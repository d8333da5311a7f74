import type { Informer } from "@tiphys/kube";
import type { KubeObject } from "@tiphys/resources";
import type { Logger, Metrics } from "@tiphys/telemetry";

/** Argo CD's ConfigMaps whose keys people expect to have an effect. */
const reported = ["argocd-cm", "argocd-cmd-params-cm", "argocd-notifications-cm"] as const;

/** Keys that we honour, whatever they say. */
const honoured: ReadonlySet<string> = new Set([
  "controller.resource.health.persist",
  "reposerver.enable.git.submodule",
  "reposerver.plugin.tar.exclusions",
  "timeout.reconciliation",
  "timeout.reconciliation.jitter",
]);

/** Registers a version, which sources may then name. */
const KUSTOMIZE_VERSION = /^kustomize\.(?:version|path)\../;

/** Values that ask for what we do anyway. */
const asWeDo: Readonly<Record<string, readonly string[]>> = {
  "admin.enabled": ["true"],
  "application.instanceLabelKey": ["app.kubernetes.io/instance"],
  "application.resourceTrackingMethod": ["annotation"],
  "application.sync.impersonation.enabled": ["false"],
  "cluster.inClusterEnabled": ["true"],
  "exec.enabled": ["false"],
  "resource.ignoreResourceUpdatesEnabled": ["true"],
  "statusbadge.enabled": ["false"],
  "timeout.hard.reconciliation": ["0s", "0"],
  "users.anonymous.enabled": ["false"],
};

/** Keys of a ConfigMap of Argo CD that change nothing here, sorted. */
export function settingsWithoutEffect(configMap: KubeObject): string[] {
  if (!reported.some((name) => name === configMap.metadata.name)) return [];
  const data: Record<string, string> = configMap["data"] ?? {};
  const silent = (key: string, value: string) => {
    const text = value.trim();
    return text === "" || KUSTOMIZE_VERSION.test(key) || honoured.has(key) || (asWeDo[key]?.includes(text) ?? false);
  };
  return Object.entries(data)
    .filter(([key, value]) => !silent(key, value))
    .map(([key]) => key)
    .sort();
}

/**
 * Says once per key, in the log and as the metric `tiphys_settings_without_effect`, that a setting of Argo CD changes
 * nothing here; answers how to stop. A key that goes, or gets a value that we honour, leaves the metric.
 */
export function reportSettings(
  { configMaps, namespace }: { configMaps: Informer; namespace: string },
  { log, metrics }: { log: Logger; metrics: Metrics },
): () => void {
  const gauge = metrics.gauge("tiphys_settings_without_effect", "Settings of Argo CD that change nothing here", [
    "configmap",
    "key",
  ]);
  const told = new Map<string, ReadonlySet<string>>();
  const look = (object: KubeObject, gone: boolean) => {
    if (object.metadata.namespace !== namespace) return;
    const configmap = object.metadata.name;
    const before = told.get(configmap) ?? new Set<string>();
    const now = new Set(gone ? [] : settingsWithoutEffect(object));
    told.set(configmap, now);
    for (const key of before) if (!now.has(key)) gauge.remove({ configmap, key });
    for (const key of now) {
      gauge.set(1, { configmap, key });
      if (!before.has(key))
        log.warn("setting has no effect: it is not implemented yet, see docs/compatibility.md", { configmap, key });
    }
  };
  for (const object of configMaps.list(namespace)) look(object, false);
  return configMaps.onChange(({ type, object }) => look(object, type === "deleted"));
}
