import { randomBytes } from "node:crypto";
import { systemClock } from "@tiphys/clock";
import type { Dialer, DialRequest } from "@tiphys/dialer";
import type { CloudEvent } from "@tiphys/eventing";
import { changeAnnotations, clusterAdmin, newChange } from "@tiphys/identity";
import type { KubeClient } from "@tiphys/kube";
import { createEmbeddedKube, type EmbeddedKube } from "@tiphys/kube-embedded";
import { allCrds, type KeyRef, type Trigger, types } from "@tiphys/resources";
import { Secret } from "@tiphys/secret";
import { silentLogger as log } from "@tiphys/telemetry";
import { executeTrigger, isPermanent, runName, type TriggerContext } from "./index.js";

const clock = systemClock();
const event: CloudEvent = {
  id: "0123456789abcdef0123456789abcdef",
  source: "github",
  type: "github",
  subject: "push",
  time: new Date("2026-01-01T00:00:00Z"),
  datacontenttype: "application/json",
  data: { body: { after: "abc", count: 3 } },
};

let kube: EmbeddedKube;
let client: KubeClient;
let requests: DialRequest[];
let status: number;
const dialer: Dialer = {
  async fetch(request) {
    requests.push(request);
    return { status, headers: {}, body: new Uint8Array() };
  },
  resolve: async (host, port) => ({ host, port }),
};

beforeEach(async () => {
  kube = await createEmbeddedKube({ clock, random: randomBytes, log, crds: allCrds });
  client = kube.client(clusterAdmin);
  requests = [];
  status = 200;
});
afterEach(() => kube.stop());

const context = (more: Partial<TriggerContext> = {}): TriggerContext => ({
  namespace: "default",
  sensor: "ci",
  trigger: "build",
  runId: event.id,
  events: { push: event },
  change: newChange(clock.now(), randomBytes),
  now: clock.now(),
  kube: client,
  dialer,
  log,
  secret: ({ name, key }: KeyRef) => (name === "known" ? new Secret(`value of ${key}`) : undefined),
  configMap: ({ name, key }: KeyRef) => (name === "known" ? `map ${key}` : undefined),
  signal: new AbortController().signal,
  ...more,
});

const configMap = (metadata: object, data: object = { sha: "" }) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: metadata as { name: string },
  data,
});
const k8s = (operation: string, source: object, more: object = {}): Trigger => ({
  template: {
    name: "build",
    k8s: {
      operation: operation as "create",
      source: source as { inline: string },
      parameters: [{ src: { dependencyName: "push", dataKey: "body.after" }, dest: "data.sha" }],
      ...more,
    },
  },
});
const key = (name: string) => ({ namespace: "default", name });

describe("k8s triggers", () => {
  it("create once per run, however often it is tried, with parameters, labels and the change", async () => {
    const trigger = k8s("create", { resource: configMap({ generateName: "out-" }) });
    const run = context();
    const first = await executeTrigger(trigger, run);
    expect(await executeTrigger(trigger, run)).toEqual(first);
    const made = (
      await client.list(types.configMaps, { namespace: "default", labelSelector: "events.argoproj.io/sensor=ci" })
    ).items;
    expect(made).toHaveLength(1);
    expect(made[0]).toMatchObject({
      metadata: {
        name: runName("out-", "ci", "build", event.id),
        labels: { "events.argoproj.io/trigger": "build" },
        annotations: changeAnnotations(run.change),
      },
      data: { sha: "abc" },
    });
    await executeTrigger(trigger, context({ runId: "another" }));
    expect(
      (await client.list(types.configMaps, { namespace: "default", labelSelector: "events.argoproj.io/sensor=ci" }))
        .items,
    ).toHaveLength(2);
  });

  it("say when the name belongs to something else", async () => {
    await client.create(types.configMaps, configMap(key("out")));
    const failing = executeTrigger(k8s("create", { resource: configMap({ name: "out" }) }), context());
    await expect(failing).rejects.toMatchObject({
      code: "AlreadyExists",
      message: expect.stringContaining("generateName"),
    });
  });

  it("read inline YAML", async () => {
    const inline = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: inline\ndata:\n  kept: 'yes'\n";
    await executeTrigger(k8s("", { inline }), context());
    expect((await client.get(types.configMaps, key("inline")))["data"]).toEqual({ kept: "yes", sha: "abc" });
  });

  it.each(["update", "patch"])("%s what exists, and create what does not", async (operation) => {
    const trigger = k8s(operation, { resource: configMap({ name: "out" }) });
    await executeTrigger(trigger, context());
    await client.patch(types.configMaps, key("out"), { type: "merge", body: { data: { other: "kept", sha: "old" } } });
    await executeTrigger(trigger, context());
    expect((await client.get(types.configMaps, key("out")))["data"]).toEqual({ other: "kept", sha: "abc" });
  });

  it("delete what exists, and accept that it does not", async () => {
    await client.create(types.configMaps, configMap(key("out")));
    const trigger = k8s("delete", { resource: configMap({ name: "out" }) });
    await executeTrigger(trigger, context());
    await executeTrigger(trigger, context());
    await expect(client.get(types.configMaps, key("out"))).rejects.toMatchObject({ code: "NotFound" });
  });

  it.each([
    { why: "no kind", source: { resource: { apiVersion: "v1", metadata: { name: "x" } } }, message: "source.kind" },
    { why: "no name", source: { resource: configMap({}) }, message: "neither name nor generateName" },
    { why: "a source that is not built", source: { git: {} }, message: "trigger source git" },
  ])("refuse for good: $why", async ({ source, message }) => {
    const error = await executeTrigger(k8s("create", source), context()).catch((caught: unknown) => caught);
    expect(String(error)).toContain(message);
    expect(isPermanent(error)).toBe(true);
  });
});

it("submits workflows only", async () => {
  const trigger: Trigger = {
    template: { name: "build", argoWorkflow: { source: { resource: configMap({ name: "x" }) } } },
  };
  await expect(executeTrigger(trigger, context())).rejects.toThrow("is a ConfigMap, not a Workflow");
});

describe("http triggers", () => {
  const http = (more: object = {}, rest: Partial<Trigger> = {}): Trigger => ({
    template: { name: "build", http: { url: "http://hooks/notify", ...more } },
    ...rest,
  });

  it("send payload and headers from parameters, secrets and maps", async () => {
    await executeTrigger(
      http({
        method: "put",
        headers: { "X-Plain": "1" },
        secureHeaders: [
          { name: "X-Secret", valueFrom: { secretKeyRef: { name: "known", key: "a" } } },
          { name: "X-Map", valueFrom: { configMapKeyRef: { name: "known", key: "b" } } },
        ],
        dynamicHeaders: [{ src: { dependencyName: "push", dataKey: "body.after" }, dest: "X-Sha" }],
        basicAuth: { username: { name: "known", key: "u" }, password: { name: "known", key: "p" } },
        payload: [{ src: { dependencyName: "push", dataKey: "body.count", useRawData: true }, dest: "count" }],
        timeout: 5,
      }),
      context(),
    );
    expect(requests).toMatchObject([
      {
        method: "PUT",
        body: '{"count":3}',
        timeout: 5000,
        headers: {
          "x-plain": "1",
          "x-secret": "value of a",
          "x-map": "map b",
          "x-sha": "abc",
          authorization: `Basic ${Buffer.from("value of u:value of p").toString("base64")}`,
          "idempotency-key": `${event.id}/ci/build`,
        },
      },
    ]);
  });

  it("keep user, password and query of their URL out of what is recorded", async () => {
    const running = executeTrigger(http({ url: "http://me:hunter2@hooks/notify?token=hunter2" }), context());
    await expect(running).resolves.toMatchObject({ summary: "POST http://hooks/notify answered 200" });
  });

  it("take their URL from a parameter of the template", async () => {
    const parameters = [
      { src: { dependencyName: "push", dataKey: "body.after" }, dest: "http.url", operation: "append" as const },
    ];
    await executeTrigger(http({ url: "http://hooks/" }, { parameters }), context());
    expect(requests[0]!.url).toBe("http://hooks/abc");
  });

  it.each([
    { answer: 302, allow: undefined, good: true },
    { answer: 404, allow: undefined, good: false },
    { answer: 404, allow: [200, 404], good: true },
    { answer: 201, allow: [200], good: false },
  ])("take $answer as good: $good, when $allow is allowed", async ({ answer, allow, good }) => {
    status = answer;
    const running = executeTrigger(http({}, allow ? { policy: { status: { allow } } } : {}), context());
    if (good) await expect(running).resolves.toMatchObject({ summary: `POST http://hooks/notify answered ${answer}` });
    else await expect(running).rejects.toMatchObject({ code: "Unavailable" });
  });

  it("wait for a secret that is missing", async () => {
    const trigger = http({ basicAuth: { username: { name: "missing", key: "u" } } });
    const error = await executeTrigger(trigger, context()).catch((caught: unknown) => caught);
    expect(String(error)).toContain("Secret default/missing has no key u");
    expect(isPermanent(error)).toBe(false);
    expect(requests).toEqual([]);
  });
});
