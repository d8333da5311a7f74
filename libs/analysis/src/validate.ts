import { InvalidArgumentError } from "@tiphys/errors";
import type { Metric } from "@tiphys/resources";
import { metricNumbers } from "./metric-numbers.js";

/** Providers that have a name in the API but no implementation yet. */
const named = [
  "cloudWatch",
  "datadog",
  "graphite",
  "influxdb",
  "kayenta",
  "newRelic",
  "plugin",
  "skywalking",
  "wavefront",
];

/** The name of the metric's one provider. */
export function providerName(metric: Metric, path: string): string {
  const set = Object.keys(metric.provider ?? {}).filter((name) => metric.provider[name] !== undefined);
  if (set.length === 0)
    throw new InvalidArgumentError(`${path}.provider`, "no provider is set; set one, such as web or job");
  if (set.length > 1)
    throw new InvalidArgumentError(`${path}.provider`, `set one provider, not ${set.sort().join(" and ")}`);
  return set[0] as string;
}

/** Refuses metrics that cannot work. `path` is where the metrics are, such as `spec.metrics`. Args must be substituted. */
export function validateMetrics(metrics: readonly Metric[], path: string): void {
  if (metrics.length === 0) throw new InvalidArgumentError(path, "has no metrics");
  const names = new Set<string>();
  metrics.forEach((metric, index) => {
    const at = `${path}[${index}]`;
    if (!metric.name) throw new InvalidArgumentError(`${at}.name`, "is required");
    if (names.has(metric.name)) throw new InvalidArgumentError(`${at}.name`, `"${metric.name}" is used twice`);
    names.add(metric.name);
    const numbers = metricNumbers(metric, at);
    if ((numbers.count ?? 0) > 1 && numbers.interval === undefined) {
      throw new InvalidArgumentError(`${at}.interval`, "is required when count is more than 1");
    }
    if (numbers.failureLimit < -1) throw new InvalidArgumentError(`${at}.failureLimit`, "must be -1 (off) or more");
    if (numbers.inconclusiveLimit < 0) throw new InvalidArgumentError(`${at}.inconclusiveLimit`, "must be 0 or more");
    if (numbers.consecutiveErrorLimit < 0) {
      throw new InvalidArgumentError(`${at}.consecutiveErrorLimit`, "must be 0 or more");
    }
    if (numbers.consecutiveSuccessLimit < 0) {
      throw new InvalidArgumentError(`${at}.consecutiveSuccessLimit`, "must be 0 or more");
    }
    const least = Math.max(0, numbers.failureLimit) + numbers.consecutiveSuccessLimit;
    if (numbers.count !== undefined && numbers.count < least) {
      throw new InvalidArgumentError(`${at}.count`, "must be at least failureLimit + consecutiveSuccessLimit");
    }
    const provider = providerName(metric, at);
    if (named.includes(provider)) {
      throw new InvalidArgumentError(
        `${at}.provider.${provider}`,
        `the ${provider} metric provider is not implemented yet: see docs/compatibility.md`,
      );
    }
  });
}
