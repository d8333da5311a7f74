import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { systemClock } from "@tiphys/clock";
import type { KubeObject } from "@tiphys/resources";
import { noMetrics, silentLogger } from "@tiphys/telemetry";
import { type ClusterProxy, createClusterProxy } from "./cluster-proxy.js";
import { createClusterResolver } from "./resolver.js";
import { fixedInformers } from "./testing/fixed-informers.js";
import { get } from "./testing/node-scenarios.js";

const metadata = (name: string, more: object = {}) => ({ name, namespace: "shop", ...more });
const service = (name: string, clusterIP: string): KubeObject => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: metadata(name),
  spec: { clusterIP, ports: [{ port: 80, targetPort: 8080 }] },
});
const slice = (name: string, endpoints: object[]): KubeObject => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: metadata(`${name}-1`, { labels: { "kubernetes.io/service-name": name } }),
  ports: [{ name: "", port: 8080 }],
  endpoints,
});
const endpoint = (ip: string, pod: string, conditions: object = { ready: true }) => ({
  addresses: [ip],
  conditions,
  targetRef: { name: pod },
});
const ingress = (name: string, backend: string, annotations: Record<string, string> = {}): KubeObject => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "Ingress",
  metadata: metadata(name, { annotations }),
  spec: {
    rules: [
      {
        host: "shop.example",
        http: {
          paths: [{ path: "/", pathType: "Prefix", backend: { service: { name: backend, port: { number: 80 } } } }],
        },
      },
    ],
  },
});

describe("cluster proxy", () => {
  const servers: Server[] = [];
  const objects: KubeObject[] = [];
  let proxy: ClusterProxy;
  const pod = async (name: string, ip: string) => {
    const server = createServer((request, response) => {
      response.statusCode = request.url === "/error" ? 500 : 200;
      response.end(`${name} ${request.headers.host} ${request.url}`);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    servers.push(server);
    const table = JSON.stringify({ 8080: `127.0.0.1:${(server.address() as AddressInfo).port}` });
    objects.push({
      apiVersion: "v1",
      kind: "Pod",
      metadata: metadata(name, { annotations: { "tiphys.dev/forwarders": table } }),
      status: { podIP: ip },
    });
  };
  beforeAll(async () => {
    await pod("stable-1", "10.244.0.2");
    await pod("stable-2", "10.244.0.3");
    await pod("canary-1", "10.244.0.4");
    await pod("leaving", "10.244.0.5");
    objects.push(
      service("web", "10.96.0.10"),
      service("web-canary", "10.96.0.11"),
      service("empty", "10.96.0.12"),
      slice("web", [
        endpoint("10.244.0.2", "stable-1"),
        endpoint("10.244.0.3", "stable-2"),
        endpoint("10.244.0.5", "leaving", { ready: false, serving: true, terminating: true }),
      ]),
      slice("web-canary", [endpoint("10.244.0.4", "canary-1")]),
      ingress("main", "web"),
      ingress("main-canary", "web-canary", {
        "nginx.ingress.kubernetes.io/canary": "true",
        "nginx.ingress.kubernetes.io/canary-weight": "30",
      }),
    );
    const informers = fixedInformers(objects);
    proxy = createClusterProxy({
      informers,
      resolver: createClusterResolver({ informers }),
      clock: systemClock(),
      log: silentLogger,
      metrics: noMetrics,
      listen: {},
    });
    await proxy.start();
  });
  afterAll(async () => {
    await proxy.stop();
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  });
  const through = (path: string, host = "shop.example") => get(`${proxy.ingressUrl}${path}`, { host });
  const forward = (url: string, headers = {}) => {
    const { hostname, port } = new URL(proxy.forwardUrl);
    return new Promise<string>((resolve, reject) => {
      const socket = connect(Number(port), hostname, () => {
        const lines = [
          `GET ${url} HTTP/1.1`,
          `host: ${new URL(url).host}`,
          "connection: close",
          ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
        ];
        socket.write(`${lines.join("\r\n")}\r\n\r\n`);
      });
      let text = "";
      socket.on("data", (chunk) => {
        text += chunk;
      });
      socket.on("end", () => resolve(text));
      socket.on("error", reject);
    });
  };

  it("moves real requests by the canary's weight, and sends none to a pod that is leaving", async () => {
    const names: string[] = [];
    for (let i = 0; i < 20; i++) names.push((await through(`/${i}`)).body.split(" ")[0]!);
    const count = (name: string) => names.filter((one) => one === name).length;
    expect([count("canary-1"), count("stable-1"), count("stable-2"), count("leaving")]).toEqual([6, 7, 7, 0]);
  });

  it("follows a change of weight at once", async () => {
    const canary = objects.find(({ metadata: { name } }) => name === "main-canary")!;
    const key = "nginx.ingress.kubernetes.io/canary-weight";
    canary.metadata.annotations![key] = "100";
    expect((await through("/")).body).toMatch(/^canary-1 shop.example/);
    canary.metadata.annotations![key] = "0";
    expect((await through("/")).body).toMatch(/^stable/);
  });

  it("says why there is no answer", async () => {
    expect(await through("/", "nobody")).toMatchObject({
      status: 404,
      body: expect.stringContaining('no Ingress has a rule for host "nobody"'),
    });
    objects.push({
      ...ingress("none", "empty"),
      spec: {
        rules: [
          {
            host: "none",
            http: {
              paths: [{ path: "/", pathType: "Prefix", backend: { service: { name: "empty", port: { number: 80 } } } }],
            },
          },
        ],
      },
    });
    expect(await through("/", "none")).toMatchObject({
      status: 503,
      body: expect.stringContaining("service shop/empty of ingress none has no ready endpoint"),
    });
  });

  it("measures requests and errors of each backend", async () => {
    await through("/error");
    const errors = proxy
      .stats()
      .filter(({ service: name }) => name === "web")
      .reduce((sum, row) => sum + row.errors, 0);
    expect(errors).toBe(1);
    const { body } = await get(`${proxy.forwardUrl}/stats?service=web-canary`);
    expect(JSON.parse(body)).toMatchObject({ errors: 0, errorRate: 0 });
  });

  it("knows cluster names, cluster IPs, pod IPs and short names for pods", async () => {
    expect(await forward("http://web.shop.svc.cluster.local/a")).toMatch(
      /stable-\d web\.shop\.svc\.cluster\.local \/a/,
    );
    expect(await forward("http://10.96.0.11/b")).toContain("canary-1");
    expect(await forward("http://10.244.0.3:8080/c")).toContain("stable-2");
    const credentials = Buffer.from("shop:").toString("base64");
    expect(await forward("http://web-canary/d", { "proxy-authorization": `Basic ${credentials}` })).toContain(
      "canary-1",
    );
    expect(await forward("http://example.com/")).toContain("this proxy does not reach outside");
    expect(proxy.podEnv({ ...objects[0]! })["HTTP_PROXY"]).toMatch(/^http:\/\/shop:namespace@127\.0\.0\.1:\d+$/);
  });

  it("opens tunnels", async () => {
    const { hostname, port } = new URL(proxy.forwardUrl);
    const text = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(port), hostname, () =>
        socket.write("CONNECT web-canary.shop.svc:80 HTTP/1.1\r\n\r\n"),
      );
      let all = "";
      socket.once("data", () => socket.write("GET /t HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"));
      socket.on("data", (chunk) => {
        all += chunk;
      });
      socket.on("end", () => resolve(all));
      socket.on("error", reject);
    });
    expect(text).toContain("canary-1 x /t");
  });

  it.each(["a:99999999", "[", "a b"])(
    "answers CONNECT %s, which is no host, instead of ending the process",
    async (target) => {
      const { hostname, port } = new URL(proxy.forwardUrl);
      const text = await new Promise<string>((resolve, reject) => {
        const socket = connect(Number(port), hostname, () => socket.write(`CONNECT ${target} HTTP/1.1\r\n\r\n`));
        socket.once("data", (chunk) => {
          resolve(String(chunk));
          socket.destroy();
        });
        socket.on("error", reject);
      });
      expect(text).toMatch(/^HTTP\/1.1 (400|502) /);
    },
  );

  it("names an occupied port", async () => {
    const taken = Number(new URL(proxy.forwardUrl).port);
    const informers = fixedInformers([]);
    const other = createClusterProxy({
      informers,
      resolver: createClusterResolver({ informers }),
      clock: systemClock(),
      log: silentLogger,
      metrics: noMetrics,
      listen: { forward: taken },
    });
    await expect(other.start()).rejects.toThrow(`forward proxy: port ${taken} is in use`);
    await other.stop();
  });
});
