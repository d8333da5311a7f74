import type { Informer } from "@tiphys/kube";
import { type KubeObject, keyOf, keyText } from "@tiphys/resources";
import type { Logger, Metrics } from "@tiphys/telemetry";

/**
 * Names Applications that nobody acts on, as they are outside the control namespace: once in the log, and as the metric
 * `tiphys_applications_outside`. Answers how to stop.
 */
export function reportOutside(
  applications: Informer,
  namespace: string,
  { log, metrics }: { log: Logger; metrics: Metrics },
): () => void {
  const gauge = metrics.gauge("tiphys_applications_outside", "Applications outside the control namespace", [
    "namespace",
    "name",
  ]);
  const told = new Set<string>();
  const look = (app: KubeObject, gone: boolean) => {
    if (app.metadata.namespace === namespace) return;
    const key = keyText(keyOf(app));
    const labels = { namespace: app.metadata.namespace ?? "", name: app.metadata.name };
    if (gone) {
      told.delete(key);
      gauge.remove(labels);
      return;
    }
    gauge.set(1, labels);
    if (told.has(key)) return;
    told.add(key);
    log.warn("application is outside the control namespace: that is not implemented yet, see docs/compatibility.md", {
      application: key,
      namespace,
    });
  };
  for (const app of applications.list()) look(app, false);
  return applications.onChange(({ type, object }) => look(object, type === "deleted"));
}
