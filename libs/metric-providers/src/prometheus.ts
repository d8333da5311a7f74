import type { MetricProvider } from "@tiphys/analysis";
import type { Dialer } from "@tiphys/dialer";
import { InvalidArgumentError, UnavailableError, UnimplementedError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import type { PrometheusMetric } from "@tiphys/resources";
import { timeoutOf } from "./web.js";

const DEFAULT_TIMEOUT_SECONDS = 30;

interface Answer {
  status?: string;
  error?: string;
  warnings?: string[];
  data?: { resultType?: string; result?: unknown };
}

/** Prometheus writes numbers as text: `NaN`, `+Inf` and `-Inf` included. */
const number = (text: unknown): number => {
  if (text === "+Inf" || text === "Inf") return Number.POSITIVE_INFINITY;
  return text === "-Inf" ? Number.NEGATIVE_INFINITY : Number(text);
};

/** Measures by an instant query. A scalar gives a number, a vector or matrix a flat list of numbers. */
export const prometheusProvider = (dialer: Dialer): MetricProvider => ({
  async run({ run, metric }, signal) {
    const spec = metric.provider.prometheus as PrometheusMetric;
    if (spec.rangeQuery) throw new UnimplementedError("rangeQuery of the prometheus metric provider");
    if (spec.authentication) throw new UnimplementedError("authentication of the prometheus metric provider");
    if (!spec.address)
      throw new InvalidArgumentError("prometheus.address", "is required, such as http://prometheus.monitoring:9090");
    if (!spec.query) throw new InvalidArgumentError("prometheus.query", "is required");
    const timeout = timeoutOf(spec.timeout, DEFAULT_TIMEOUT_SECONDS);
    const response = await dialer.fetch({
      purpose: "metric-provider/prometheus",
      namespace: run.metadata.namespace ?? "default",
      url: `${spec.address.replace(/\/+$/, "")}/api/v1/query`,
      method: "POST",
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        ...Object.fromEntries((spec.headers ?? []).map(({ key, value }) => [key, value])),
      },
      body: new URLSearchParams({ query: spec.query, timeout: `${timeout / 1000}s` }).toString(),
      timeout,
      maxBytes: limits.metricResponseBytes,
      ...(spec.insecure ? { insecureSkipVerify: true } : {}),
      signal,
    });
    const answer = parse(new TextDecoder().decode(response.body), response.status);
    const warnings = answer.warnings?.join(", ");
    return {
      kind: "value",
      value: resultOf(answer),
      metadata: { ResolvedPrometheusQuery: spec.query, ...(warnings ? { warnings } : {}) },
    };
  },
});

function parse(body: string, status: number): Answer {
  let answer: Answer;
  try {
    answer = JSON.parse(body) as Answer;
  } catch {
    throw new UnavailableError(`Prometheus answered ${status} with something that is no JSON`);
  }
  if (answer.status !== "success")
    throw new UnavailableError(`Prometheus answered ${status}: ${answer.error ?? "no reason given"}`);
  return answer;
}

function resultOf({ data }: Answer): unknown {
  const result = data?.result;
  switch (data?.resultType) {
    case "scalar":
      return number((result as [number, string])[1]);
    case "vector":
      return (result as { value: [number, string] }[]).map((sample) => number(sample.value[1]));
    case "matrix":
      return (result as { values: [number, string][] }[]).flatMap((series) =>
        series.values.map(([, value]) => number(value)),
      );
    default:
      throw new UnavailableError(`Prometheus answered with a result of type "${data?.resultType}"`);
  }
}
