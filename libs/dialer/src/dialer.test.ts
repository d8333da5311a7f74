import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { systemClock } from "@tiphys/clock";
import { noMetrics, silentLogger } from "@tiphys/telemetry";
import { createDialer, type DialerDeps, type DialRecord } from "./create-dialer.js";
import type { DialRequest } from "./dialer.js";
import { createReplayDialer } from "./replay-dialer.js";

const ask = (url: string, more: Partial<DialRequest> = {}): DialRequest => ({
  purpose: "test",
  url,
  timeout: 5000,
  maxBytes: 1000,
  ...more,
});
const text = (body: Uint8Array) => Buffer.from(body).toString();

describe("dialer", () => {
  let server: Server;
  let port: number;
  const seen: { url: string; headers: Record<string, unknown> }[] = [];
  beforeAll(async () => {
    server = createServer((request, response) => {
      const url = request.url ?? "";
      seen.push({ url, headers: request.headers });
      if (url === "/hang") return;
      if (url === "/big") return void response.end("x".repeat(2000));
      if (url.startsWith("/to?")) return void response.writeHead(302, { location: url.slice(4) }).end();
      const chunks: Buffer[] = [];
      request.on("data", (chunk) => chunks.push(chunk));
      request.on("end", () => response.end(`${request.method} ${url} ${Buffer.concat(chunks)}`));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    port = (server.address() as AddressInfo).port;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  const records: DialRecord[] = [];
  const dialer = (deps: Partial<DialerDeps> = {}) =>
    createDialer({
      clock: systemClock(),
      log: silentLogger,
      metrics: noMetrics,
      record: (one) => records.push(one),
      ...deps,
    });
  const base = () => `http://127.0.0.1:${port}`;

  it("sends method, headers and body, and records the exchange", async () => {
    const request = ask(`${base()}/hook`, { method: "POST", body: "hello", headers: { "x-a": "1" } });
    const response = await dialer().fetch(request);
    expect([response.status, text(response.body)]).toEqual([200, "POST /hook hello"]);
    expect(seen.at(-1)?.headers["x-a"]).toBe("1");
    expect(records.at(-1)).toMatchObject({ request, response: { status: 200 } });
  });

  it.each([
    { method: "GET", key: "", twice: true },
    { method: "POST", key: "run-1", twice: true },
    { method: "POST", key: "", twice: false },
  ])('sends a $method with the key "$key" over a kept connection: $twice', async ({ method, key, twice }) => {
    const headers: Record<string, string> = key ? { "Idempotency-Key": key } : {};
    const sockets = new Set<unknown>();
    const onRequest = (request: { socket: unknown }) => sockets.add(request.socket);
    server.on("request", onRequest);
    for (let n = 0; n < 3; n++) await dialer().fetch(ask(`${base()}/kept`, { method, headers }));
    server.off("request", onRequest);
    expect(sockets.size).toBe(twice ? 1 : 3);
  });

  it("sends what may arrive twice again when a kept connection turns out to be closed", async () => {
    const closing = createServer((request, response) => {
      response.end(request.method);
      // Closed without a word, after the answer, as servers do with idle connections.
      response.once("finish", () => setImmediate(() => request.socket.resetAndDestroy()));
    });
    await new Promise<void>((resolve) => closing.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(closing.address() as AddressInfo).port}/`;
    for (let n = 0; n < 20; n++) expect((await dialer().fetch(ask(url))).status).toBe(200);
    closing.closeAllConnections();
    closing.close();
  });

  it.each([
    { host: "169.254.169.254", why: "metadata address" },
    { host: "[::ffff:169.254.169.254]", why: "metadata address inside IPv6" },
    { host: "[::ffff:a9fe:a9fe]", why: "the same in hexadecimal" },
    { host: "0xa9fea9fe", why: "the same as one number" },
    { host: "[fe80::1]", why: "link-local IPv6" },
    { host: "metadata.google.internal", why: "metadata name" },
    { host: "sneaky.example", why: "a name that resolves to a metadata address" },
  ])("refuses $host: $why", async ({ host }) => {
    const lookup = async () => ["93.184.216.34", "169.254.169.254"];
    const refused = dialer({ lookup }).fetch(ask(`http://${host}/latest`));
    await expect(refused).rejects.toMatchObject({ code: "PermissionDenied" });
  });

  it("judges a redirect's target like any other, and never follows it elsewhere", async () => {
    await expect(dialer().fetch(ask(`${base()}/to?http://169.254.169.254/`))).rejects.toMatchObject({
      code: "PermissionDenied",
    });
    await expect(dialer().fetch(ask(`${base()}/to?file:///etc/passwd`))).rejects.toThrow(
      "scheme file is not supported",
    );
  });

  it("follows redirects without carrying credentials to another host", async () => {
    const lookup = async () => ["127.0.0.1"];
    const headers = { authorization: "Bearer secret", "x-b": "2" };
    const there = `http://other.example:${port}/end`;
    const response = await dialer({ lookup }).fetch(ask(`${base()}/to?${there}`, { headers }));
    expect(text(response.body)).toBe("GET /end ");
    expect(seen.at(-1)?.headers).toMatchObject({ "x-b": "2", host: `other.example:${port}` });
    expect(seen.at(-1)?.headers["authorization"]).toBeUndefined();
  });

  it("ends a redirect loop", async () => {
    const loop = dialer({
      policy: { maxRedirects: 3 },
      lookup: async () => ["127.0.0.1"],
      fetchImpl: async () => ({ status: 302, headers: { location: "/again" }, body: new Uint8Array() }),
    });
    await expect(loop.fetch(ask("http://a.example/"))).rejects.toThrow("redirects more than 3 times");
  });

  it("limits time and size", async () => {
    await expect(dialer().fetch(ask(`${base()}/hang`, { timeout: 50 }))).rejects.toMatchObject({
      code: "DeadlineExceeded",
    });
    await expect(dialer().fetch(ask(`${base()}/big`))).rejects.toMatchObject({ code: "ResourceExhausted" });
  });

  it("ends with the caller's signal", async () => {
    const abort = new AbortController();
    const waiting = dialer().fetch(ask(`${base()}/hang`, { signal: abort.signal }));
    setImmediate(() => abort.abort(new Error("enough")));
    await expect(waiting).rejects.toThrow("enough");
  });

  it("dials cluster names where the resolver says, and sends the name as Host", async () => {
    const asked: unknown[] = [];
    const resolver = {
      async resolve(host: string, asPort: number, namespace?: string) {
        asked.push([host, asPort, namespace]);
        return host.startsWith("web") ? { host: "127.0.0.1", port } : undefined;
      },
    };
    const response = await dialer({ resolver }).fetch(ask("http://web.shop.svc/metrics", { namespace: "shop" }));
    expect(text(response.body)).toBe("GET /metrics ");
    expect(seen.at(-1)?.headers["host"]).toBe("web.shop.svc");
    expect(asked).toEqual([["web.shop.svc", 80, "shop"]]);
    await expect(dialer({ resolver }).resolve("169.254.169.254", 80)).rejects.toMatchObject({
      code: "PermissionDenied",
    });
  });

  it.each([
    { policy: { deny: ["127.0.0.0/8"] }, ok: false },
    { policy: { deny: ["*.internal"] }, ok: true },
    { policy: { allow: ["*.example.com"] }, ok: false },
    { policy: { allow: ["127.0.0.1"] }, ok: true },
  ])("obeys the policy $policy", async ({ policy, ok }) => {
    const answer = dialer({ policy })
      .fetch(ask(`${base()}/x`))
      .then(
        () => true,
        (error) => error.code !== "PermissionDenied",
      );
    await expect(answer).resolves.toBe(ok);
  });

  it.each([
    { host: "127.0.0.1", why: "this machine" },
    { host: "0.0.0.0", why: "any address, which means this machine" },
    { host: "[::1]", why: "this machine in IPv6" },
    { host: "[::ffff:127.0.0.1]", why: "IPv4 inside IPv6" },
    { host: "mine.example", why: "a name that stands for it" },
  ])("refuses $host where the URL comes from a file: $why", async ({ host }) => {
    const lookup = async () => ["127.0.0.1"];
    const url = `http://${host}:${port}/x`;
    await expect(dialer({ lookup }).fetch(ask(url, { refuseLoopback: true }))).rejects.toMatchObject({
      code: "PermissionDenied",
    });
    await expect(dialer({ lookup }).resolve(host, port, { refuseLoopback: true })).rejects.toMatchObject({
      code: "PermissionDenied",
    });
  });

  it("dials this machine for a file's URL where the policy lists it", async () => {
    const allowed = dialer({ policy: { allow: ["127.0.0.1"] } });
    const response = await allowed.fetch(ask(`${base()}/x`, { refuseLoopback: true }));
    expect(response.status).toBe(200);
  });

  it("answers recorded exchanges without a connection", async () => {
    const replay = createReplayDialer([
      { url: "http://prometheus/*", body: "first", times: 1 },
      { url: "http://prometheus/*", status: 503 },
    ]);
    expect(text((await replay.fetch(ask("http://prometheus/q"))).body)).toBe("first");
    expect((await replay.fetch(ask("http://prometheus/q"))).status).toBe(503);
    await expect(replay.fetch(ask("http://else/"))).rejects.toThrow("no recorded answer for GET http://else/");
    expect(replay.requests).toHaveLength(3);
  });
});
