import type { MetricProvider } from "@tiphys/analysis";
import type { Dialer } from "@tiphys/dialer";
import type { KubeClient } from "@tiphys/kube";
import { jobProvider } from "./job.js";
import { prometheusProvider } from "./prometheus.js";
import { webProvider } from "./web.js";

/** Every metric provider there is, by its name in the API. */
export const metricProviders = (deps: {
  dialer: Dialer;
  client: KubeClient;
}): Readonly<Record<string, MetricProvider>> => ({
  web: webProvider(deps.dialer),
  prometheus: prometheusProvider(deps.dialer),
  job: jobProvider(deps.client),
});
