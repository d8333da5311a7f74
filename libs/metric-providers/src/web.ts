import type { MetricProvider } from "@tiphys/analysis";
import type { Dialer, DialRequest } from "@tiphys/dialer";
import { InvalidArgumentError, UnavailableError, UnimplementedError } from "@tiphys/errors";
import { jsonPath } from "@tiphys/json-path";
import { limits } from "@tiphys/limits";
import type { IntOrString, WebMetric } from "@tiphys/resources";

const DEFAULT_TIMEOUT_SECONDS = 10;
const methods = ["GET", "POST", "PUT"];

/** Seconds as given in a metric, as milliseconds. */
export function timeoutOf(value: IntOrString | undefined, fallback: number): number {
  const seconds = value === undefined ? 0 : Number(value);
  if (Number.isNaN(seconds) || seconds < 0)
    throw new InvalidArgumentError("timeoutSeconds", `"${value}" is no number of seconds`);
  return (seconds || fallback) * 1000;
}

/** Measures by one HTTP request and a JSONPath into its answer. */
export const webProvider = (dialer: Dialer): MetricProvider => ({
  async run({ run, metric }, signal) {
    const web = metric.provider.web as WebMetric;
    const response = await dialer.fetch({ ...request(web), namespace: run.metadata.namespace ?? "default", signal });
    if (response.status < 200 || response.status > 299) {
      throw new UnavailableError(`received non 2xx response code: ${response.status}`);
    }
    return { kind: "value", value: read(new TextDecoder().decode(response.body), web.jsonPath) };
  },
});

function request(web: WebMetric): DialRequest {
  if (web.authentication) throw new UnimplementedError("authentication of the web metric provider");
  const method = web.method ?? "GET";
  if (!methods.includes(method))
    throw new InvalidArgumentError("web.method", `"${method}" is none of ${methods.join(", ")}`);
  if (web.body !== undefined && web.jsonBody !== undefined) {
    throw new InvalidArgumentError("web.body", "set body or jsonBody, not both");
  }
  const headers = Object.fromEntries((web.headers ?? []).map(({ key, value }) => [key, value]));
  const json = web.jsonBody !== undefined;
  const body = json ? JSON.stringify(web.jsonBody) : web.body;
  if (body !== undefined && method === "GET")
    throw new InvalidArgumentError("web.body", "a GET request has no body; use POST or PUT");
  return {
    purpose: "metric-provider/web",
    url: web.url,
    method,
    headers: json ? { "content-type": "application/json", ...headers } : headers,
    ...(body === undefined ? {} : { body }),
    timeout: timeoutOf(web.timeoutSeconds, DEFAULT_TIMEOUT_SECONDS),
    maxBytes: limits.metricResponseBytes,
    ...(web.insecure ? { insecureSkipVerify: true } : {}),
  };
}

/** The first value that the path finds; a body that is no JSON is a text. */
function read(body: string, path: string | undefined): unknown {
  let document: unknown;
  try {
    document = JSON.parse(body);
  } catch {
    if (path) throw new InvalidArgumentError("web.jsonPath", "the answer is no JSON");
    return body;
  }
  const found = jsonPath(path || "{$}", document);
  if (found.length === 0) throw new InvalidArgumentError("web.jsonPath", `${path} finds nothing in the answer`);
  return found[0];
}
