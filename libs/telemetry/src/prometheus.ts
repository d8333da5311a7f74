import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Metrics } from "./metrics.js";

/** Prometheus metrics in a registry of their own. `processMetrics` adds the usual process and event-loop figures. */
export function createMetrics({ processMetrics = false }: { processMetrics?: boolean } = {}): Metrics {
  const registry = new Registry();
  if (processMetrics) collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 10 });
  const once = <T>(name: string, make: () => T): T => (registry.getSingleMetric(name) as T | undefined) ?? make();
  return {
    counter(name, help, labels = []) {
      const metric = once(name, () => new Counter({ name, help, labelNames: [...labels], registers: [registry] }));
      return { add: (values = {}, value = 1) => metric.inc(values, value) };
    },
    gauge(name, help, labels = []) {
      const metric = once(name, () => new Gauge({ name, help, labelNames: [...labels], registers: [registry] }));
      return { set: (value, values = {}) => metric.set(values, value), remove: (values) => metric.remove(values) };
    },
    histogram(name, help, labels = [], buckets) {
      const metric = once(
        name,
        () =>
          new Histogram({
            name,
            help,
            labelNames: [...labels],
            registers: [registry],
            ...(buckets ? { buckets: [...buckets] } : {}),
          }),
      );
      return { observe: (value, values = {}) => metric.observe(values, value) };
    },
    expose: () => registry.metrics(),
  };
}
