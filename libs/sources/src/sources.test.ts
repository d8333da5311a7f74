import { randomBytes } from "node:crypto";
import { systemClock, virtualClock } from "@tiphys/clock";
import type { SourceEvent } from "@tiphys/eventing";
import type { KeyRef } from "@tiphys/resources";
import { Secret } from "@tiphys/secret";
import { silentLogger as log } from "@tiphys/telemetry";
import { freePort } from "@tiphys/testing";
import {
  createSourceRunner,
  createWebhookHost,
  type Delivery,
  hmacSignature,
  type SourceContext,
  type SourceRunner,
} from "./index.js";

const secret = new Secret("s3cret");

let port: number;
let runner: SourceRunner;
let delivered: Delivery[];
let failure: Error | undefined;

beforeEach(async () => {
  port = await freePort();
  delivered = [];
  failure = undefined;
  runner = createSourceRunner(createWebhookHost({ host: "127.0.0.1", clock: systemClock(), log }));
});
afterEach(() => runner.close());

const context = (more: Partial<SourceContext> = {}): SourceContext => ({
  namespace: "ci",
  eventSource: "es",
  annotations: {},
  clock: systemClock(),
  random: randomBytes,
  log,
  secret: (ref: KeyRef) => (ref.name === "hook" ? secret : undefined),
  async deliver(delivery) {
    if (failure) throw failure;
    delivered.push(delivery);
    return "stored";
  },
  ...more,
});

const hook = (more: object = {}) => ({ endpoint: "/hook", method: "POST", port: String(port), ...more });
const listen = async (event: SourceEvent, more: Partial<SourceContext> = {}) => {
  expect([...(await runner.apply("ci/es", [event], context(more)))]).toEqual([]);
};
const send = async (init: RequestInit, path = "/hook") => {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: "POST", ...init });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};
const webhook = (more: object = {}): SourceEvent => ({ type: "webhook", name: "e", spec: hook(more) });

describe("plain webhooks", () => {
  it("give body, canonical headers and metadata, and a new id each time", async () => {
    await listen(webhook({ metadata: { team: "web" } }));
    await send({ body: '{"a":1}', headers: { "x-custom": "1" } });
    await send({ body: '{"a":1}' });
    expect(delivered[0]!.event.data).toMatchObject({
      body: { a: 1 },
      header: { "X-Custom": ["1"] },
      metadata: { team: "web" },
    });
    expect(delivered[0]!.event.id).toMatch(/^[0-9a-f]{32}$/);
    expect(delivered[1]!.event.id).not.toBe(delivered[0]!.event.id);
    expect(delivered[0]!.once).toBe(false);
  });

  it("take forms as lists and the query of a GET as the body", async () => {
    await listen(webhook());
    await send({
      body: new URLSearchParams([
        ["a", "1"],
        ["a", "2"],
        ["__proto__", "x"],
      ]),
    });
    expect(JSON.stringify((delivered[0]!.event.data as { body: unknown }).body)).toBe(
      '{"a":["1","2"],"__proto__":["x"]}',
    );
    await listen(webhook({ method: "GET" }));
    await send({ method: "GET" }, "/hook?q=1");
    expect(delivered[1]!.event.data).toMatchObject({ body: { q: ["1"] } });
  });

  it("count form bodies against the size limit too", async () => {
    await listen(webhook({ maxPayloadSize: 10 }));
    expect((await send({ body: new URLSearchParams({ a: "x".repeat(20) }) })).status).toBe(413);
    expect(delivered).toEqual([]);
  });

  it("name an event by the sender's delivery id, and carry the sender's trace", async () => {
    await listen(webhook());
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for (let n = 0; n < 2; n++) await send({ body: "{}", headers: { "webhook-id": "d1", traceparent } });
    expect(delivered[0]!.event.id).toBe(delivered[1]!.event.id);
    expect(delivered[0]).toMatchObject({ once: true, deliveryId: "d1", change: { traceparent } });
  });

  it("refuse JSON nested without end", async () => {
    await listen(webhook());
    expect((await send({ body: `${"[".repeat(5000)}${"]".repeat(5000)}` })).status).toBe(400);
  });

  it("verify an HMAC when the annotation names a secret", async () => {
    await listen(webhook(), { annotations: { "hmac.events.tiphys.dev/e": "hook/key" } });
    expect((await send({ body: "{}" })).status).toBe(401);
    expect((await send({ body: "{}", headers: { "x-hub-signature-256": "sha256=00" } })).status).toBe(401);
    expect((await send({ body: "{}", headers: { "x-hub-signature-256": hmacSignature(secret, "{}") } })).status).toBe(
      200,
    );
    expect(delivered).toHaveLength(1);
  });

  it("drop what the source's filter does not want, and say so", async () => {
    await listen(webhook({ filter: { expression: 'body.kind == "wanted"' } }));
    expect(await send({ body: '{"kind":"other"}' })).toMatchObject({ status: 200, body: { message: "filtered out" } });
    expect((await send({ body: '{"kind":"wanted"}' })).body).toMatchObject({ message: "success" });
    expect(delivered).toHaveLength(1);
  });

  it("answer 500 when the bus did not take the event, without showing why", async () => {
    await listen(webhook());
    failure = new Error("disk /var/lib/x is full");
    const answer = await send({ body: "{}" });
    expect(answer.status).toBe(500);
    expect(JSON.stringify(answer.body)).not.toContain("/var/lib");
  });
});

describe("provider webhooks", () => {
  const github = (more: object = {}): SourceEvent => ({
    type: "github",
    name: "gh",
    spec: { webhook: hook(), webhookSecret: { name: "hook", key: "k" }, ...more },
  });
  const signed = (body: string) => ({
    "x-github-event": "push",
    "x-github-delivery": "d",
    "x-hub-signature-256": hmacSignature(secret, body),
  });

  it("put GitHub's event and delivery into the body", async () => {
    await listen(github());
    expect((await send({ body: '{"ref":"x"}', headers: signed('{"ref":"x"}') })).status).toBe(200);
    expect(delivered[0]!.event.data).toMatchObject({
      body: { ref: "x", "X-GitHub-Event": "push", "X-GitHub-Delivery": "d" },
    });
  });

  it("verify the raw body of GitHub's form encoding", async () => {
    await listen(github());
    const body = new URLSearchParams({ payload: '{"ref":"x"}' }).toString();
    const headers = { ...signed(body), "content-type": "application/x-www-form-urlencoded" };
    expect((await send({ body, headers })).status).toBe(200);
    expect(delivered[0]!.event.data).toMatchObject({ body: { ref: "x" } });
  });

  it("refuse everything while GitHub's secret does not exist", async () => {
    await listen(github({ webhookSecret: { name: "missing", key: "k" } }));
    expect((await send({ body: "{}", headers: signed("{}") })).status).toBe(401);
    expect(delivered).toEqual([]);
  });

  it("enforce GitLab's token, also for a hook made by hand, and never store it", async () => {
    await listen({ type: "gitlab", name: "gl", spec: { webhook: hook(), secretToken: { name: "hook", key: "k" } } });
    expect((await send({ body: "{}" })).status).toBe(401);
    expect((await send({ body: "{}", headers: { "x-gitlab-token": "wrong" } })).status).toBe(401);
    const headers = { "x-gitlab-token": secret.reveal(), "x-gitlab-event-uuid": "u1" };
    expect((await send({ body: '{"a":1}', headers })).status).toBe(200);
    expect(delivered).toMatchObject([{ once: true, deliveryId: "u1" }]);
    expect(JSON.stringify(delivered[0]!.event.data)).not.toContain(secret.reveal());
  });
});

it("serves many sources on one port and closes it when the last one is gone", async () => {
  const at = (endpoint: string): SourceEvent => ({ type: "webhook", name: "e", spec: hook({ endpoint }) });
  await runner.apply("ci/a", [at("/a")], context());
  await runner.apply("ci/b", [at("/b")], context());
  for (const path of ["/a", "/b"]) expect((await send({ body: "{}" }, path)).status).toBe(200);
  await runner.remove("ci/a");
  expect((await send({ body: "{}" }, "/a")).status).toBe(404);
  await runner.remove("ci/b");
  await expect(send({ body: "{}" }, "/b")).rejects.toThrow();
});

it("ticks at every multiple of the interval, each tick with one id", async () => {
  const clock = virtualClock(new Date("2026-01-01T00:00:10Z"));
  const calendar: SourceEvent = { type: "calendar", name: "c", spec: { interval: "30s" } };
  await runner.apply("ci/one", [calendar], context({ clock }));
  await runner.apply("ci/two", [calendar], context({ clock }));
  await clock.advance(60_000);
  expect(delivered.map(({ event }) => (event.data as { eventTime: string }).eventTime).sort()).toEqual([
    "2026-01-01 00:00:30 +0000 UTC",
    "2026-01-01 00:00:30 +0000 UTC",
    "2026-01-01 00:01:00 +0000 UTC",
    "2026-01-01 00:01:00 +0000 UTC",
  ]);
  expect(new Set(delivered.map(({ event }) => event.id)).size).toBe(2);
});
