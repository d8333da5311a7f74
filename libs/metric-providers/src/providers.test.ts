import type { MeasurementContext } from "@tiphys/analysis";
import type { Dialer, DialRequest } from "@tiphys/dialer";
import { type KubeClient, statusError } from "@tiphys/kube";
import type { KubeObject, Metric, MetricProviderSpec } from "@tiphys/resources";
import { jobName, jobProvider } from "./job.js";
import { prometheusProvider } from "./prometheus.js";
import { webProvider } from "./web.js";

const signal = new AbortController().signal;
const context = (provider: MetricProviderSpec, over: Partial<Metric> = {}): MeasurementContext => ({
  run: {
    apiVersion: "argoproj.io/v1alpha1",
    kind: "AnalysisRun",
    metadata: { name: "run", namespace: "shop", uid: "0d5fe6f8-6d7e-4b7c-8a4b-5a1d6f2b0c11" },
    spec: { metrics: [] },
  },
  metric: { name: "rate", provider, ...over },
  number: 1,
});

function answering(status: number, body: string): Dialer & { requests: DialRequest[] } {
  const requests: DialRequest[] = [];
  return {
    requests,
    async fetch(request) {
      requests.push(request);
      return { status, headers: {}, body: new TextEncoder().encode(body) };
    },
    resolve: async (host, port) => ({ host, port }),
  };
}

describe("the web provider", () => {
  it("asks as the metric says and takes what the path finds", async () => {
    const dialer = answering(200, '{"data":{"rate":0.02}}');
    const web = {
      url: "http://metrics.shop/rate",
      headers: [{ key: "x-a", value: "b" }],
      jsonPath: "{$.data.rate}",
      timeoutSeconds: 3,
    };
    expect(await webProvider(dialer).run(context({ web }), signal)).toEqual({ kind: "value", value: 0.02 });
    expect(dialer.requests).toEqual([
      expect.objectContaining({
        url: web.url,
        method: "GET",
        headers: { "x-a": "b" },
        timeout: 3000,
        namespace: "shop",
        purpose: "metric-provider/web",
      }),
    ]);
  });

  it("sends a JSON body", async () => {
    const dialer = answering(200, "{}");
    await webProvider(dialer).run(context({ web: { method: "POST", url: "http://x", jsonBody: { a: 1 } } }), signal);
    expect(dialer.requests[0]).toMatchObject({
      method: "POST",
      body: '{"a":1}',
      headers: { "content-type": "application/json" },
    });
  });

  it.each([
    ["whole document", 200, '{"a":1}', undefined, { a: 1 }],
    ["text that is no JSON", 200, "ok", undefined, "ok"],
  ])("takes a %s", async (_name, status, body, jsonPath, value) => {
    const web = { url: "http://x", ...(jsonPath ? { jsonPath } : {}) };
    expect(await webProvider(answering(status, body)).run(context({ web }), signal)).toEqual({ kind: "value", value });
  });

  it.each([
    ["an answer that is not 2xx", 500, "{}", {}, "received non 2xx response code: 500"],
    ["a path that finds nothing", 200, "{}", { jsonPath: "{$.a}" }, "{$.a} finds nothing"],
    [
      "authentication",
      200,
      "{}",
      { authentication: { oauth2: {} } },
      "authentication of the web metric provider is not implemented",
    ],
    ["two bodies", 200, "{}", { method: "POST" as const, body: "a", jsonBody: {} }, "set body or jsonBody, not both"],
  ])("refuses %s", async (_name, status, body, over, message) => {
    await expect(
      webProvider(answering(status, body)).run(context({ web: { url: "http://x", ...over } }), signal),
    ).rejects.toThrow(message);
  });
});

describe("the prometheus provider", () => {
  const ask = (body: object, status = 200) =>
    prometheusProvider(answering(status, JSON.stringify(body))).run(
      context({ prometheus: { address: "http://prometheus:9090/", query: "up" } }),
      signal,
    );
  it.each([
    ["scalar", [1, "0.5"], 0.5],
    ["vector", [{ value: [1, "1"] }, { value: [1, "+Inf"] }], [1, Number.POSITIVE_INFINITY]],
    ["vector", [], []],
    [
      "matrix",
      [
        {
          values: [
            [1, "1"],
            [2, "2"],
          ],
        },
      ],
      [1, 2],
    ],
  ])("gives the numbers of a %s", async (resultType, result, value) => {
    expect(await ask({ status: "success", data: { resultType, result } })).toMatchObject({
      value,
      metadata: { ResolvedPrometheusQuery: "up" },
    });
  });
  it("says what Prometheus said", async () => {
    await expect(ask({ status: "error", error: "parse error" }, 400)).rejects.toThrow(
      "Prometheus answered 400: parse error",
    );
  });
});

describe("the job provider", () => {
  const job = context({ job: { spec: { template: { spec: { containers: [] } } } } });
  const client = (
    live: Partial<KubeObject> | undefined,
    pods: object[] = [],
  ): { client: KubeClient; created: KubeObject[] } => {
    const created: KubeObject[] = [];
    return {
      created,
      client: {
        async create(_type: unknown, object: KubeObject) {
          if (live) throw statusError(409, "AlreadyExists", "exists");
          created.push(object);
          return object;
        },
        get: async () => live,
        list: async () => ({ items: pods, resourceVersion: "1" }),
      } as unknown as KubeClient,
    };
  };

  it("makes one Job per measurement, owned by the run, with a name of at most 63 characters", async () => {
    const { client: kube, created } = client(undefined);
    expect(await jobProvider(kube).run(job, signal)).toMatchObject({
      kind: "running",
      metadata: { "job-name": jobName(job) },
    });
    expect(created[0]).toMatchObject({
      kind: "Job",
      metadata: { name: `${job.run.metadata.uid}.rate.1`, ownerReferences: [{ kind: "AnalysisRun" }] },
    });
    expect(jobName({ ...job, metric: { ...job.metric, name: "a".repeat(80) } }).length).toBeLessThanOrEqual(63);
  });

  it("takes up the Job that a crashed pass has made", async () => {
    await expect(jobProvider(client({}).client).run(job, signal)).resolves.toMatchObject({ kind: "running" });
  });

  it.each([
    [
      "succeeds with it",
      { status: { conditions: [{ type: "Complete", status: "True" }] } },
      [],
      { phase: "Successful" },
    ],
    [
      "fails with it",
      { status: { conditions: [{ type: "Failed", status: "True", message: "no" }] } },
      [],
      { phase: "Failed", message: "no" },
    ],
    [
      "is inconclusive when the image cannot be had",
      {},
      [
        {
          status: {
            containerStatuses: [{ name: "c", state: { waiting: { reason: "ErrImagePull", message: "gone" } } }],
          },
        },
      ],
      { phase: "Inconclusive", message: 'container "c": ErrImagePull: gone' },
    ],
    ["waits while it runs", {}, [], { kind: "running" }],
  ])("%s", async (_name, live, pods, want) => {
    const provider = jobProvider(client(live, pods).client);
    expect(await provider.resume?.(job, { phase: "Running" }, signal)).toMatchObject(want);
  });
});
