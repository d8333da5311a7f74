import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Bus, createLocalBus, createNatsBus, openDurableMap } from "@tiphys/bus";
import { systemClock } from "@tiphys/clock";
import type { Dialer, DialRequest } from "@tiphys/dialer";
import { changeOf, clusterAdmin, isUlid } from "@tiphys/identity";
import { createMemoryJournal } from "@tiphys/journal";
import { createInformers, type KubeClient } from "@tiphys/kube";
import { createEmbeddedKube } from "@tiphys/kube-embedded";
import { allCrds, apiVersionOf, type Condition, type KubeObject, type ResourceType, types } from "@tiphys/resources";
import { Secret } from "@tiphys/secret";
import { hmacSignature } from "@tiphys/sources";
import { silentLogger as log, noMetrics } from "@tiphys/telemetry";
import { describeWith, eventually, freePort, startNats } from "@tiphys/testing";
import { createEventsGateway, type EventsGateway } from "./create.js";

const clock = systemClock();
const namespace = "ci";
const secret = new Secret("webhook-secret");

/** Answers requests by program; remembers them. */
function recordingDialer(answer: (request: DialRequest) => number): Dialer & { requests: DialRequest[] } {
  const requests: DialRequest[] = [];
  return {
    requests,
    async fetch(request) {
      requests.push(request);
      return { status: answer(request), headers: {}, body: new Uint8Array() };
    },
    resolve: async (host, port) => ({ host, port }),
  };
}

interface World {
  client: KubeClient;
  dialer: ReturnType<typeof recordingDialer>;
  port: number;
  gateway: EventsGateway;
  /** Starts the gateway (again) on the same folder and cluster. */
  start(killPoint?: (name: string) => void): Promise<void>;
  stop(): Promise<void>;
  end(): Promise<void>;
  create(type: ResourceType, name: string, more: object): Promise<KubeObject>;
  list(type: ResourceType): Promise<readonly KubeObject[]>;
  condition(type: ResourceType, name: string, condition: string): Promise<Condition | undefined>;
  post(
    path: string,
    body: string,
    headers?: Record<string, string>,
  ): Promise<{ status: number; body: Record<string, string> }>;
}

let dir: string;
let world: World;
let statusOf: (request: DialRequest) => number;
let openBus: () => Promise<Bus>;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "tiphys-events-"));
  statusOf = () => 200;
  openBus = () => createLocalBus({ dir: join(dir, "bus"), clock, log });
  world = await makeWorld();
});
afterEach(async () => {
  await world.end();
  await rm(dir, { recursive: true, force: true });
});

async function makeWorld(): Promise<World> {
  const kube = await createEmbeddedKube({ clock, random: randomBytes, log, crds: allCrds });
  const client = kube.client(clusterAdmin);
  await client.create(types.namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
  const dialer = recordingDialer((request) => statusOf(request));
  let parts: { close(): Promise<void> }[] = [];
  const result: World = {
    client,
    dialer,
    port: await freePort(),
    gateway: undefined as unknown as EventsGateway,
    async start(killPoint) {
      const bus = await openBus();
      const state = await openDurableMap({ dir, name: "state", log });
      const informers = createInformers({ client, clock, log });
      const journal = createMemoryJournal();
      result.gateway = createEventsGateway({
        informers,
        bus,
        state,
        journal,
        clock,
        log,
        metrics: noMetrics,
        random: randomBytes,
        dialer,
        ...(killPoint ? { killPoint } : {}),
      });
      parts = [{ close: () => result.gateway.stop() }, bus, state, { close: () => informers.stop() }];
      await result.gateway.start();
    },
    async stop() {
      for (const part of parts) await part.close();
      parts = [];
    },
    async end() {
      await result.stop();
      await kube.stop();
    },
    create: (type, name, more) =>
      client.create(type, { apiVersion: apiVersionOf(type), kind: type.kind, metadata: { name, namespace }, ...more }),
    list: async (type) => (await client.list(type)).items,
    async condition(type, name, condition) {
      const object = await client.get(type, { namespace, name });
      return object["status"]?.conditions?.find((found: Condition) => found.type === condition);
    },
    async post(path, body, headers = {}) {
      const response = await fetch(`http://127.0.0.1:${result.port}${path}`, { method: "POST", body, headers });
      return { status: response.status, body: (await response.json()) as Record<string, string> };
    },
  };
  return result;
}

const ready = (type: ResourceType, name: string) =>
  eventually(async () => (await world.condition(type, name, "Ready"))?.status === "True", {
    describe: () => `${type.kind} ${name}`,
  });

const hook = (endpoint = "/push") => ({ endpoint, method: "POST", port: String(world.port) });

async function githubSource(): Promise<void> {
  await world.create(types.secrets, "github", { data: { secret: Buffer.from(secret.reveal()).toString("base64") } });
  await world.create(types.eventSources, "github", {
    spec: { github: { push: { webhook: hook(), webhookSecret: { name: "github", key: "secret" } } } },
  });
}

const dependencies = [
  {
    name: "push",
    eventSourceName: "github",
    eventName: "push",
    filters: { data: [{ path: "body.ref", type: "string", value: ["^refs/heads/main$"] }] },
  },
];

const workflowTrigger = {
  template: {
    name: "build",
    argoWorkflow: {
      operation: "submit",
      source: {
        resource: {
          apiVersion: "argoproj.io/v1alpha1",
          kind: "Workflow",
          metadata: { generateName: "build-" },
          spec: { entrypoint: "main", arguments: { parameters: [{ name: "sha", value: "" }] } },
        },
      },
      parameters: [
        { src: { dependencyName: "push", dataKey: "body.after" }, dest: "spec.arguments.parameters.0.value" },
      ],
    },
  },
};
const httpTrigger = {
  template: {
    name: "notify",
    http: {
      url: "http://hooks.ci.svc/notify",
      payload: [{ src: { dependencyName: "push", dataKey: "body.after" }, dest: "sha" }],
    },
  },
  retryStrategy: { steps: 3, duration: "1ms" },
};
const sensor = (triggers: object[]) => world.create(types.sensors, "ci", { spec: { dependencies, triggers } });

const push = (sha: string, ref = "refs/heads/main") => JSON.stringify({ ref, after: sha });
const signed = (body: string, delivery = createHash("sha1").update(body).digest("hex")) => ({
  "content-type": "application/json",
  "x-github-event": "push",
  "x-github-delivery": delivery,
  "x-hub-signature-256": hmacSignature(secret, body),
});

describe("from a signed push to a workflow", () => {
  beforeEach(async () => {
    await githubSource();
    await sensor([workflowTrigger]);
    await world.start();
    await ready(types.eventSources, "github");
    await ready(types.sensors, "ci");
  });

  it("creates one workflow with the parameter, the labels and the change of the event", async () => {
    const answer = await world.post("/push", push("abc"), signed(push("abc")));
    expect(answer).toMatchObject({ status: 200, body: { message: "success" } });
    const [workflow] = await eventually(async () => {
      const workflows = await world.list(types.workflows);
      return workflows.length > 0 && workflows;
    });
    expect(workflow).toMatchObject({
      metadata: { namespace, labels: { "events.argoproj.io/sensor": "ci", "events.argoproj.io/trigger": "build" } },
      spec: { arguments: { parameters: [{ name: "sha", value: "abc" }] } },
    });
    const change = changeOf(workflow);
    expect(isUlid(change!.id)).toBe(true);
    expect(change!.id).toBe(answer.body["change"]);
    const [run] = await eventually(async () => {
      const runs = await world.gateway.api.listRuns({ namespace, state: "succeeded" });
      return runs.length > 0 && runs;
    });
    expect(run).toMatchObject({ trigger: "build", attempts: 1, change: change!.id });
    const [event] = await world.gateway.api.listEvents({ namespace });
    expect(event).toMatchObject({ change: change!.id, event: { source: "github", subject: "push", type: "github" } });
  });

  it.each([
    {
      why: "a forged signature",
      headers: () => ({ ...signed(push("x")), "x-hub-signature-256": `sha256=${"0".repeat(64)}` }),
      status: 401,
    },
    { why: "a signature of another body", headers: () => ({ ...signed(push("y")) }), status: 401 },
    { why: "no signature", headers: () => ({ "x-github-event": "push" }), status: 401 },
    { why: "no event name", headers: () => ({ "x-hub-signature-256": hmacSignature(secret, push("x")) }), status: 400 },
  ])("refuses $why and changes nothing", async ({ headers, status }) => {
    const answer = await world.post("/push", push("x"), headers() as Record<string, string>);
    expect(answer.status).toBe(status);
    expect(await world.gateway.api.listEvents({})).toEqual([]);
  });

  it("answers a redelivery as a duplicate and refuses a replay under another delivery id", async () => {
    const body = push("abc");
    expect((await world.post("/push", body, signed(body, "d1"))).status).toBe(200);
    expect(await world.post("/push", body, signed(body, "d1"))).toMatchObject({
      status: 200,
      body: { message: "duplicate" },
    });
    expect((await world.post("/push", body, signed(body, "d2"))).status).toBe(409);
    // Also after a restart.
    await world.stop();
    await world.start();
    await eventually(() => world.gateway.endpoints().length === 1);
    expect((await world.post("/push", body, signed(body, "d3"))).status).toBe(409);
    await world.post("/push", push("def"), signed(push("def")));
    await eventually(async () => (await world.list(types.workflows)).length === 2);
    expect(await world.gateway.api.listEvents({})).toHaveLength(2);
  });

  it("refuses large bodies, wrong methods and unknown paths", async () => {
    expect((await world.post("/push", "x".repeat(1024 * 1024 + 1), {})).status).toBe(413);
    expect((await world.post("/nowhere", "{}", {})).status).toBe(404);
    expect((await fetch(`http://127.0.0.1:${world.port}/push`)).status).toBe(405);
  });

  it("leaves out what the filter does not want", async () => {
    await world.post("/push", push("a", "refs/heads/feature"), signed(push("a", "refs/heads/feature")));
    await world.post("/push", push("b"), signed(push("b")));
    await eventually(async () => (await world.list(types.workflows)).length > 0);
    const workflows = await world.list(types.workflows);
    expect(workflows.map(({ spec }) => spec.arguments.parameters[0].value)).toEqual(["b"]);
  });
});

describe("crashes", () => {
  it.each(["stored", "seen", "triggered", "recorded"])(
    "makes exactly one workflow when the gateway dies at %s",
    async (point) => {
      await githubSource();
      await sensor([workflowTrigger]);
      let died = false;
      await world.start((name) => {
        if (name !== point && !died) return;
        // From its first hit on, a dead process gets nowhere at any point.
        died = true;
        throw new Error(`killed at ${name}`);
      });
      await ready(types.eventSources, "github");
      await ready(types.sensors, "ci");
      await world.post("/push", push("abc"), signed(push("abc"), "d1"));
      await eventually(() => died);
      await world.stop();

      await world.start();
      await eventually(() => world.gateway.endpoints().length === 1);
      // The sender had no answer, or lost it, so it sends again.
      await world.post("/push", push("abc"), signed(push("abc"), "d1"));
      await eventually(async () => (await world.gateway.api.listRuns({ state: "succeeded" })).length === 1);
      expect(await world.list(types.workflows)).toHaveLength(1);
      expect(await world.gateway.api.listEvents({})).toHaveLength(1);
    },
  );

  it("keeps half a join over a restart and fires once when the rest comes", async () => {
    await githubSource();
    await world.create(types.eventSources, "manual", { spec: { webhook: { approve: hook("/approve") } } });
    await world.create(types.sensors, "ci", {
      spec: {
        dependencies: [...dependencies, { name: "ok", eventSourceName: "manual", eventName: "approve" }],
        triggers: [workflowTrigger],
      },
    });
    await world.start();
    await eventually(() => world.gateway.endpoints().length === 2);
    await ready(types.sensors, "ci");
    await world.post("/push", push("abc"), signed(push("abc")));
    await world.stop();
    let died = false;
    await world.start((name) => {
      if (name === "joined") died = true;
      if (died) throw new Error("killed");
    });
    await eventually(() => world.gateway.endpoints().length === 2);
    await world.post("/approve", "{}");
    await eventually(() => died);
    await world.stop();
    await world.start();
    await eventually(async () => (await world.gateway.api.listRuns({ state: "succeeded" })).length === 1);
    expect((await world.list(types.workflows)).map(({ spec }) => spec.arguments.parameters[0].value)).toEqual(["abc"]);
  });
});

describe("HTTP triggers", () => {
  beforeEach(async () => {
    await githubSource();
    await sensor([httpTrigger]);
    await world.start();
    await ready(types.eventSources, "github");
    await ready(types.sensors, "ci");
  });

  it("tries again until the receiver takes it, with the same key, and carries the change", async () => {
    let calls = 0;
    statusOf = () => (++calls < 3 ? 503 : 201);
    const answer = await world.post("/push", push("abc"), signed(push("abc")));
    await eventually(async () => (await world.gateway.api.listRuns({ state: "succeeded" })).length === 1);
    const { requests } = world.dialer;
    expect(requests).toHaveLength(3);
    expect(new Set(requests.map(({ headers }) => headers!["idempotency-key"])).size).toBe(1);
    expect(requests[0]).toMatchObject({
      purpose: "trigger/http",
      namespace,
      method: "POST",
      body: '{"sha":"abc"}',
      headers: { "tiphys-change": answer.body["change"] },
    });
    expect((await world.gateway.api.listRuns({}))[0]).toMatchObject({ attempts: 3 });
  });

  it("does not run a trigger again while its first run is still going on", async () => {
    let deliveries = 0;
    let finish = () => {};
    const slow = new Promise<void>((resolve) => (finish = resolve));
    const fetch = world.dialer.fetch.bind(world.dialer);
    world.dialer.fetch = async (request) => {
      const response = await fetch(request);
      await slow;
      return response;
    };
    await world.stop();
    openBus = async () => {
      const bus = await createLocalBus({ dir: join(dir, "bus"), clock, log });
      const counted = (handler: Parameters<Bus["consume"]>[1]) => (message: Parameters<typeof handler>[0]) => {
        deliveries = message.deliveries;
        return handler(message);
      };
      return { ...bus, consume: (options, handler) => bus.consume({ ...options, ackWait: 50 }, counted(handler)) };
    };
    await world.start();
    await eventually(() => world.gateway.endpoints().length === 1);
    await world.post("/push", push("abc"), signed(push("abc")));
    await eventually(() => world.dialer.requests.length === 1);
    await eventually(() => deliveries === 2);
    finish();
    await eventually(async () => (await world.gateway.api.listRuns({ state: "succeeded" })).length === 1);
    expect(world.dialer.requests).toHaveLength(1);
  });

  it("parks a run that failed for good, and runs it again when asked", async () => {
    statusOf = () => 500;
    await world.post("/push", push("abc"), signed(push("abc")));
    const [run] = await eventually(async () => {
      const failed = await world.gateway.api.listRuns({ state: "failed" });
      return failed.length > 0 && failed;
    });
    expect(run).toMatchObject({ attempts: 3, error: "POST http://hooks.ci.svc/notify answered 500" });
    statusOf = () => 200;
    expect(await world.gateway.api.retryRun(run!)).toMatchObject({ state: "succeeded" });
    expect(world.dialer.requests).toHaveLength(4);
  });
});

describe("what specs get wrong", () => {
  beforeEach(() => world.start());

  it("names the port that is occupied, and takes it when it is free", async () => {
    const blocker: Server = createServer();
    await new Promise<void>((resolve) => blocker.listen(world.port, "127.0.0.1", resolve));
    await world.create(types.eventSources, "es", { spec: { webhook: { push: hook() } } });
    const condition = await eventually(async () => {
      const found = await world.condition(types.eventSources, "es", "Deployed");
      return found?.status === "False" && found;
    });
    expect(condition.message).toContain(`port ${world.port} on 127.0.0.1 is in use`);
    await new Promise((resolve) => blocker.close(resolve));
    await ready(types.eventSources, "es");
  });

  it("names the source that has an endpoint already", async () => {
    await world.create(types.eventSources, "first", { spec: { webhook: { push: hook() } } });
    await ready(types.eventSources, "first");
    await world.create(types.eventSources, "second", { spec: { webhook: { push: hook() } } });
    const condition = await eventually(() => world.condition(types.eventSources, "second", "Deployed"));
    expect(condition.message).toContain(`POST /push on port ${world.port} is taken by ci/first`);
  });

  it("refuses what is not implemented by name and runs the rest", async () => {
    await world.create(types.eventSources, "es", { spec: { webhook: { push: hook() }, kafka: { k: {} } } });
    const condition = await eventually(() => world.condition(types.eventSources, "es", "SourcesProvided"));
    expect(condition).toMatchObject({ status: "False", message: expect.stringContaining("event source type kafka") });
    expect((await world.condition(types.eventSources, "es", "Deployed"))?.status).toBe("True");
    await world.create(types.sensors, "s", {
      spec: { dependencies, triggers: [{ template: { name: "t", slack: {} } }] },
    });
    const triggers = await eventually(() => world.condition(types.sensors, "s", "TriggersProvided"));
    expect(triggers.message).toContain("trigger type slack is not implemented");
  });

  it("does not listen for sources of a bus that is not ours", async () => {
    await world.create(types.eventBuses, "default", { spec: { kafka: { url: "kafka:9092" } } });
    const bus = await eventually(() => world.condition(types.eventBuses, "default", "Ready"));
    expect(bus.message).toContain("spec.kafka");
    await world.create(types.eventSources, "es", { spec: { webhook: { push: hook() } } });
    const condition = await eventually(() => world.condition(types.eventSources, "es", "Deployed"));
    expect(condition).toMatchObject({ status: "False", reason: "EventBusNotSupported" });
    expect(world.gateway.endpoints()).toEqual([]);
  });
});

describe("plain webhooks", () => {
  it("take a bearer token, and stop listening when the source is gone", async () => {
    await world.create(types.secrets, "token", { data: { token: Buffer.from("letmein").toString("base64") } });
    await world.create(types.eventSources, "es", {
      spec: { webhook: { push: { ...hook(), authSecret: { name: "token", key: "token" } } } },
    });
    await world.start();
    await ready(types.eventSources, "es");
    expect((await world.post("/push", "{}")).status).toBe(401);
    expect((await world.post("/push", "{}", { authorization: "Bearer wrong" })).status).toBe(401);
    expect((await world.post("/push", "{broken", { authorization: "Bearer letmein" })).status).toBe(400);
    expect((await world.post("/push", '{"a":1}', { authorization: "Bearer letmein" })).status).toBe(200);
    const [listed] = await world.gateway.api.listEvents({});
    expect(listed!.event.data).toMatchObject({ body: { a: 1 } });
    expect(JSON.stringify(listed!.event.data)).not.toContain("letmein");
    await world.client.delete(types.eventSources, { namespace, name: "es" });
    await eventually(() => world.gateway.endpoints().length === 0);
  });
});

describeWith(["nats-server"], "over NATS JetStream", () => {
  it("runs each event's trigger once, over a crash and a restart", async () => {
    await using nats = await startNats();
    openBus = () => createNatsBus({ servers: nats.url, clock, log });
    await githubSource();
    await sensor([workflowTrigger]);
    await world.start();
    await ready(types.eventSources, "github");
    await ready(types.sensors, "ci");
    await world.post("/push", push("one"), signed(push("one")));
    await eventually(async () => (await world.list(types.workflows)).length === 1);
    await world.stop();

    let died = false;
    await world.start((name) => {
      if (name === "triggered") died = true;
      if (died) throw new Error("killed");
    });
    await eventually(() => world.gateway.endpoints().length === 1);
    await world.post("/push", push("two"), signed(push("two")));
    await eventually(() => died);
    await world.stop();

    await world.start();
    await eventually(async () => (await world.gateway.api.listRuns({ state: "succeeded" })).length === 2);
    const shas = (await world.list(types.workflows)).map(({ spec }) => spec.arguments.parameters[0].value);
    expect(shas.sort()).toEqual(["one", "two"]);
    await world.stop();
  });
});
