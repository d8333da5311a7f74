import { createHash } from "node:crypto";
import { Agent, createServer, type IncomingHttpHeaders, request, type Server } from "node:http";
import { Agent as TlsAgent, request as tlsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { systemClock } from "@tiphys/clock";
import { createMemoryJournal } from "@tiphys/journal";
import { createInformers, type Informers, type KubeClient } from "@tiphys/kube";
import { createGatewayStatusController } from "@tiphys/kube-controllers";
import { allCrds, type KubeObject, types } from "@tiphys/resources";
import type { Service } from "@tiphys/service-host";
import { noMetrics, silentLogger } from "@tiphys/telemetry";
import { eventually, freePort } from "@tiphys/testing";
import { selfSigned } from "./certificates.js";
import { type ClusterProxy, createClusterProxy } from "./cluster-proxy.js";
import { GATEWAY_CONTROLLER } from "./gateway-state.js";
import { createClusterResolver } from "./resolver.js";
import { embeddedCluster } from "./testing/embedded-cluster.js";

const NS = "shop";
const clock = systemClock();

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: IncomingHttpHeaders;
  readonly certificate?: string;
}

describe("Gateway API through the cluster proxy", () => {
  let cluster: Awaited<ReturnType<typeof embeddedCluster>>;
  let client: KubeClient;
  let informers: Informers;
  let proxy: ClusterProxy;
  let statuses: Service;
  let extraPort: number;
  const servers: Server[] = [];
  const bodies: string[] = [];
  const agent = new Agent({ keepAlive: true, maxSockets: 20 });

  const create = (type: (typeof types)[keyof typeof types], object: object) =>
    client.create(type, object as KubeObject);
  async function backend(name: string, namespace = NS, reply?: Server): Promise<void> {
    const server =
      reply ??
      createServer((incoming, response) => {
        let body = "";
        incoming.on("data", (chunk) => {
          body += String(chunk);
        });
        incoming.on("end", () => {
          if (name === "shadow") bodies.push(body);
          response.setHeader("x-backend", name);
          if (incoming.url === "/slow") return;
          response.end(JSON.stringify({ name, url: incoming.url, headers: incoming.headers, body }));
        });
      });
    if (!reply)
      server.on("upgrade", (incoming, socket) => {
        const accept = createHash("sha1").update(String(incoming.headers["sec-websocket-key"])).digest("base64");
        socket.write(
          `HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\nx-accept: ${accept}\r\n\r\n`,
        );
        socket.pipe(socket);
      });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    servers.push(server);
    const ip = `10.244.1.${servers.length + 1}`;
    const table = JSON.stringify({ 8080: `127.0.0.1:${(server.address() as AddressInfo).port}` });
    await create(types.pods, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: `${name}-0`, namespace, annotations: { "tiphys.dev/forwarders": table } },
      spec: { nodeName: "elsewhere", containers: [{ name: "c", image: "x", ports: [{ containerPort: 8080 }] }] },
    });
    const body = { status: { podIP: ip, podIPs: [{ ip }] } };
    await client.patch(
      types.pods,
      { namespace, name: `${name}-0` },
      { type: "merge", body },
      { subresource: "status" },
    );
    await create(types.services, {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, namespace },
      spec: { ports: [{ port: 80, targetPort: 8080 }] },
    });
    await create(types.endpointSlices, {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: `${name}-1`, namespace, labels: { "kubernetes.io/service-name": name } },
      addressType: "IPv4",
      ports: [{ name: "", port: 8080 }],
      endpoints: [
        { addresses: [ip], conditions: { ready: true }, targetRef: { kind: "Pod", name: `${name}-0`, namespace } },
      ],
    });
  }
  const route = (name: string, spec: object, namespace = NS) =>
    create(types.httpRoutes, {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "HTTPRoute",
      metadata: { name, namespace },
      spec: { parentRefs: [{ name: "web", namespace: NS }], ...spec },
    });
  const to = (name: string, weight?: number, more: object = {}) => ({
    name,
    port: 80,
    ...(weight === undefined ? {} : { weight }),
    ...more,
  });
  const ask = (
    host: string,
    path: string,
    { method = "GET", headers = {}, body = "" }: { method?: string; headers?: object; body?: string } = {},
    url = proxy.ingressUrl,
  ): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const { hostname, port, protocol } = new URL(url);
      const options = { host: hostname, port, path, method, headers: { host, ...headers } };
      const tls = { rejectUnauthorized: false, servername: host.split(":")[0]!, agent: new TlsAgent() };
      const sent = protocol === "https:" ? tlsRequest({ ...options, ...tls }) : request({ ...options, agent });
      sent.on("response", (answer) => {
        const certificate =
          protocol === "https:" ? (answer.socket as TLSSocket).getPeerCertificate().subject.CN : undefined;
        let text = "";
        answer.on("data", (chunk) => {
          text += String(chunk);
        });
        answer.on("end", () =>
          resolve({
            status: answer.statusCode ?? 0,
            body: text,
            headers: answer.headers,
            ...(certificate ? { certificate: String(certificate) } : {}),
          }),
        );
      });
      sent.on("error", reject);
      sent.end(body);
    });
  const nameOf = ({ body }: Answer): string => (body.startsWith("{") ? JSON.parse(body).name : body.trim());
  const conditionOf = (list: { type: string; status: string; reason: string }[] = [], type: string) => {
    const found = list.find((one) => one.type === type);
    return found && `${found.status} ${found.reason}`;
  };
  const parentOf = async (name: string, namespace = NS, type = "Accepted") => {
    const object = await client.get(types.httpRoutes, { namespace, name });
    return conditionOf(object["status"]?.parents?.[0]?.conditions, type);
  };

  beforeAll(async () => {
    cluster = await embeddedCluster(allCrds);
    client = cluster.client;
    informers = createInformers({ client, clock, log: silentLogger });
    proxy = createClusterProxy({
      informers,
      resolver: createClusterResolver({ informers }),
      clock,
      log: silentLogger,
      metrics: noMetrics,
      listen: {},
    });
    await proxy.start();
    statuses = createGatewayStatusController({
      informers,
      clock,
      journal: createMemoryJournal(),
      log: silentLogger,
      metrics: noMetrics,
      state: proxy.gateways!,
      controllerName: GATEWAY_CONTROLLER,
      address: "127.0.0.1",
    });
    await statuses.start();
    for (const name of [NS, "other"]) {
      await create(types.namespaces, {
        apiVersion: "v1",
        kind: "Namespace",
        metadata: { name, labels: { team: name } },
      });
    }
    for (const name of ["stable", "canary", "shadow"]) await backend(name);
    await backend("far", "other");
    const { cert, key } = await selfSigned("secure.example", [{ type: "dns", value: "secure.example" }], clock);
    const encode = (text: string) => Buffer.from(text).toString("base64");
    await create(types.secrets, {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "certificate", namespace: NS },
      type: "kubernetes.io/tls",
      data: { "tls.crt": encode(cert), "tls.key": encode(key) },
    });
    await create(types.gatewayClasses, {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "GatewayClass",
      metadata: { name: "tiphys" },
      spec: { controllerName: GATEWAY_CONTROLLER },
    });
    extraPort = await freePort();
    await create(types.gateways, {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "Gateway",
      metadata: { name: "web", namespace: NS },
      spec: {
        gatewayClassName: "tiphys",
        listeners: [
          { name: "http", port: 80, protocol: "HTTP" },
          {
            name: "https",
            port: 443,
            protocol: "HTTPS",
            hostname: "secure.example",
            tls: { certificateRefs: [{ name: "certificate" }] },
          },
          { name: "extra", port: extraPort, protocol: "HTTP", allowedRoutes: { namespaces: { from: "All" } } },
          { name: "broken", port: 444, protocol: "HTTPS", tls: { certificateRefs: [{ name: "nothing" }] } },
          { name: "tcp", port: 5432, protocol: "TCP" },
        ],
      },
    });
  });
  afterAll(async () => {
    agent.destroy();
    await statuses?.stop();
    await proxy?.stop();
    await informers?.stop();
    await cluster?.close();
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  });

  it("says what it accepts and serves", async () => {
    const gateway = await eventually(
      async () => {
        const found = await client.get(types.gateways, { namespace: NS, name: "web" });
        return found["status"]?.listeners?.length === 5 ? found : undefined;
      },
      { limit: 10_000 },
    );
    const { status } = gateway;
    expect(status.addresses).toEqual([{ type: "IPAddress", value: "127.0.0.1" }]);
    expect(["Accepted", "Programmed"].map((type) => conditionOf(status.conditions, type))).toEqual([
      "True ListenersNotValid",
      "True Programmed",
    ]);
    const listener = (name: string, type: string) =>
      conditionOf(status.listeners.find((one: { name: string }) => one.name === name).conditions, type);
    expect(listener("http", "Programmed")).toBe("True Programmed");
    expect(listener("https", "ResolvedRefs")).toBe("True ResolvedRefs");
    expect(listener("broken", "ResolvedRefs")).toBe("False InvalidCertificateRef");
    expect(listener("broken", "Programmed")).toBe("False Invalid");
    expect(listener("tcp", "Accepted")).toBe("False UnsupportedProtocol");
    const found = await client.get(types.gatewayClasses, { name: "tiphys" });
    expect(conditionOf(found["status"].conditions, "Accepted")).toBe("True Accepted");
  });

  it("spreads thousands of requests exactly by weight", async () => {
    await route("weights", {
      hostnames: ["weights.example"],
      rules: [{ backendRefs: [to("stable", 70), to("canary", 30), to("shadow", 0)] }],
    });
    await eventually(async () => (await ask("weights.example", "/")).status === 200);
    const before = Object.fromEntries(proxy.stats().map((row) => [row.service, row.requests]));
    const count: Record<string, number> = {};
    // The sequence starts anywhere: any hundred in a row hold 70 and 30.
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        for (let i = 0; i < 100; i++) {
          const name = nameOf(await ask("weights.example", "/"));
          count[name] = (count[name] ?? 0) + 1;
        }
      }),
    );
    expect(count).toEqual({ stable: 1400, canary: 600 });
    const measured = proxy.stats().filter((row) => row.route === "shop/weights#0");
    const sum = (name: string) => measured.find((row) => row.service === name)!.requests - (before[name] ?? 0);
    expect([sum("stable"), sum("canary")]).toEqual([1400, 600]);
    expect(await parentOf("weights")).toBe("True Accepted");
    expect(await parentOf("weights", NS, "ResolvedRefs")).toBe("True ResolvedRefs");
    // A change of weights holds from the next request on.
    const rules = [{ backendRefs: [to("stable", 0), to("canary", 1)] }];
    await client.patch(
      types.httpRoutes,
      { namespace: NS, name: "weights" },
      { type: "merge", body: { spec: { rules } } },
    );
    await eventually(async () => nameOf(await ask("weights.example", "/")) === "canary");
    const names = new Set<string>();
    for (let i = 0; i < 20; i++) names.add(nameOf(await ask("weights.example", "/")));
    expect([...names]).toEqual(["canary"]);
  }, 120_000);

  it("finds the most specific match", async () => {
    const rule = (name: string, match: object) => ({
      matches: [match],
      filters: [{ type: "ResponseHeaderModifier", responseHeaderModifier: { set: [{ name: "x-rule", value: name }] } }],
      backendRefs: [to("stable")],
    });
    await route("matches", {
      hostnames: ["*.matches.example", "exact.matches.example"],
      rules: [
        rule("root", { path: { type: "PathPrefix", value: "/" } }),
        rule("regex", { path: { type: "RegularExpression", value: "/items/[0-9]+" } }),
        rule("prefix", { path: { type: "PathPrefix", value: "/a/b" } }),
        rule("exact", { path: { type: "Exact", value: "/a/b" } }),
        rule("method", { path: { type: "PathPrefix", value: "/a" }, method: "POST" }),
        rule("header", { path: { type: "PathPrefix", value: "/a" }, headers: [{ name: "X-Kind", value: "special" }] }),
        rule("header-regex", {
          path: { type: "PathPrefix", value: "/a" },
          headers: [{ type: "RegularExpression", name: "x-kind", value: "v[0-9]" }],
        }),
        rule("query", { path: { type: "PathPrefix", value: "/a" }, queryParams: [{ name: "q", value: "1" }] }),
      ],
    });
    const at = async (path: string, options = {}) =>
      (await ask("exact.matches.example", path, options)).headers["x-rule"];
    await eventually(async () => (await at("/")) === "root");
    expect(await at("/a/b")).toBe("exact");
    expect(await at("/a/b/c")).toBe("prefix");
    expect(await at("/a/bc")).toBe("root");
    expect(await at("/a", { method: "POST" })).toBe("method");
    expect(await at("/a", { headers: { "x-kind": "special" } })).toBe("header");
    expect(await at("/a", { headers: { "x-kind": "v7" } })).toBe("header-regex");
    expect(await at("/a", { headers: { "x-kind": "v77" } })).toBe("root");
    expect(await at("/a?q=1")).toBe("query");
    expect((await ask("deep.sub.matches.example", "/")).headers["x-rule"]).toBe("root");
    expect((await ask("matches.example", "/")).status).toBe(404);
  });

  it("changes headers, rewrites and redirects", async () => {
    await route("filters", {
      hostnames: ["filters.example"],
      rules: [
        {
          matches: [{ path: { type: "PathPrefix", value: "/api" } }],
          filters: [
            {
              type: "RequestHeaderModifier",
              requestHeaderModifier: {
                set: [{ name: "X-Set", value: "new" }],
                add: [{ name: "X-Add", value: "two" }],
                remove: ["X-Gone"],
              },
            },
            {
              type: "URLRewrite",
              urlRewrite: {
                hostname: "inner.example",
                path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/v2" },
              },
            },
            { type: "ResponseHeaderModifier", responseHeaderModifier: { remove: ["x-backend"] } },
          ],
          backendRefs: [to("stable")],
        },
        {
          matches: [{ path: { type: "PathPrefix", value: "/old" } }],
          filters: [
            {
              type: "RequestRedirect",
              requestRedirect: {
                scheme: "https",
                statusCode: 301,
                path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/new" },
              },
            },
          ],
        },
      ],
    });
    const headers = { "x-set": "old", "x-add": "one", "x-gone": "yes" };
    const answer = await eventually(
      async () => {
        const found = await ask("filters.example", "/api/items?x=1", { headers });
        return found.status === 200 ? found : undefined;
      },
      { limit: 5000 },
    );
    const seen = JSON.parse(answer.body);
    expect(seen.url).toBe("/v2/items?x=1");
    expect(seen.headers).toMatchObject({ host: "inner.example", "x-set": "new", "x-add": "one, two" });
    expect(seen.headers["x-gone"]).toBeUndefined();
    expect(answer.headers["x-backend"]).toBeUndefined();
    const redirect = await ask("filters.example", "/old/page?y=2");
    expect([redirect.status, redirect.headers.location]).toEqual([301, "https://filters.example/new/page?y=2"]);
  });

  it("mirrors exactly the share that is asked for, bodies and all, and measures it", async () => {
    await route("mirror", {
      hostnames: ["mirror.example"],
      rules: [
        {
          filters: [
            { type: "RequestMirror", requestMirror: { backendRef: { name: "shadow", port: 80 }, percent: 25 } },
          ],
          backendRefs: [to("stable")],
        },
      ],
    });
    await eventually(async () => (await ask("mirror.example", "/", { method: "POST", body: "probe" })).status === 200);
    // The probes took places in the sequence: begin at a multiple of four.
    const row = () => proxy.stats().find((one) => one.mirrored && one.service === "shadow")?.requests ?? 0;
    const before = row();
    for (let i = 0; i < 200; i++) await ask("mirror.example", "/", { method: "POST", body: `body ${i}` });
    expect(row() - before).toBe(50);
    await eventually(() => bodies.filter((text) => text.startsWith("body ")).length === 50);
    expect(new Set(bodies.filter((text) => text.startsWith("body "))).size).toBe(50);
  });

  it("ends TLS with the listener's certificate, and serves ports of their own", async () => {
    await route("secure", { hostnames: ["secure.example"], rules: [{ backendRefs: [to("stable")] }] });
    const answer = await eventually(async () => {
      const found = await ask("secure.example", "/", {}, proxy.ingressTlsUrl);
      return found.status === 200 ? found : undefined;
    });
    expect(answer.certificate).toBe("secure.example");
    expect(JSON.parse(answer.body).headers["x-forwarded-proto"]).toBe("https");
    const extra = await ask(`secure.example:${extraPort}`, "/", {}, `http://127.0.0.1:${extraPort}`);
    expect(extra.status).toBe(200);
    expect((await ask("unknown.example", "/", {}, proxy.ingressTlsUrl)).status).toBe(404);
  });

  it("keeps to namespaces and grants", async () => {
    await route("visitor", { hostnames: ["visitor.example"], rules: [{ backendRefs: [to("far")] }] }, "other");
    await eventually(async () => (await parentOf("visitor", "other")) === "True Accepted", { limit: 5000 });
    // Only the listener on its own port takes routes of other namespaces.
    expect((await ask("visitor.example", "/")).status).toBe(404);
    expect(nameOf(await ask("visitor.example", "/", {}, `http://127.0.0.1:${extraPort}`))).toBe("far");
    await route("reaching", {
      hostnames: ["reaching.example"],
      rules: [{ backendRefs: [{ name: "far", namespace: "other", port: 80 }] }],
    });
    await eventually(async () => (await parentOf("reaching", NS, "ResolvedRefs")) === "False RefNotPermitted", {
      limit: 5000,
    });
    expect((await ask("reaching.example", "/")).status).toBe(500);
    await create(types.referenceGrants, {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "ReferenceGrant",
      metadata: { name: "shop", namespace: "other" },
      spec: {
        from: [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute", namespace: NS }],
        to: [{ group: "", kind: "Service" }],
      },
    });
    await eventually(async () => nameOf(await ask("reaching.example", "/")) === "far", { limit: 5000 });
    await eventually(async () => (await parentOf("reaching", NS, "ResolvedRefs")) === "True ResolvedRefs", {
      limit: 5000,
    });
  });

  it("names what a route cannot have", async () => {
    await route("lost", { parentRefs: [{ name: "web", sectionName: "nope" }] });
    await route("cors", {
      rules: [{ filters: [{ type: "CORS", cors: { allowOrigins: ["*"] } }], backendRefs: [to("stable")] }],
    });
    await route("gone", { hostnames: ["gone.example"], rules: [{ backendRefs: [to("no-such-service")] }] });
    await route("elsewhere", { parentRefs: [{ name: "web", sectionName: "https" }], hostnames: ["other.example"] });
    const soon = (name: string, want: string, type?: string) =>
      eventually(async () => (await parentOf(name, NS, type)) === want, { limit: 5000, describe: () => name });
    await soon("lost", "False NoMatchingParent");
    await soon("cors", "False UnsupportedValue");
    await soon("gone", "False BackendNotFound", "ResolvedRefs");
    await soon("elsewhere", "False NoMatchingListenerHostname");
    expect((await ask("gone.example", "/")).status).toBe(500);
  });

  it("answers 504 when a backend is too slow, and passes upgrades", async () => {
    await route("limits", {
      hostnames: ["limits.example"],
      rules: [{ timeouts: { request: "200ms" }, backendRefs: [to("stable")] }],
    });
    await eventually(async () => (await ask("limits.example", "/")).status === 200);
    expect((await ask("limits.example", "/slow")).status).toBe(504);
    const { hostname, port } = new URL(proxy.ingressUrl);
    const echoed = await new Promise<string>((resolve, reject) => {
      const headers = { host: "limits.example", connection: "Upgrade", upgrade: "echo" };
      const sent = request({ host: hostname, port, path: "/chat", headers, agent: false });
      sent.on("upgrade", (_answer, socket) => {
        socket.once("data", (chunk) => {
          resolve(String(chunk));
          socket.destroy();
        });
        socket.write("hello through");
      });
      sent.on("response", (answer) => reject(new Error(`status ${answer.statusCode}`)));
      sent.on("error", reject);
      sent.end();
    });
    expect(echoed).toBe("hello through");
  });
});
