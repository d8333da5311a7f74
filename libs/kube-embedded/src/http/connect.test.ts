import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { gzipSync } from "node:zlib";
import { systemClock } from "@tiphys/clock";
import { clusterAdmin } from "@tiphys/identity";
import { type ClusterConnection, loadKubeconfig } from "@tiphys/kube";
import { type KubeObject, types } from "@tiphys/resources";
import { silentLogger } from "@tiphys/telemetry";
import { createEmbeddedKube, type EmbeddedKube } from "../index.js";
import { raw } from "../testing.js";

// The answers are those of a real API server of 1.36, asked with the same objects.
let kube: EmbeddedKube;
let connection: ClusterConnection;
const server = createServer((request, response) => {
  const { host, authorization, "x-forwarded-uri": uri } = request.headers;
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://pod");
  if (pathname === "/redirect") {
    response.writeHead(302, { location: searchParams.get("to") ?? "", "access-control-allow-origin": "*" });
    response.end();
    return;
  }
  if (pathname === "/page") {
    const coding = searchParams.get("coding");
    const page = Buffer.from('<A HREF="/other">x</A>');
    response.writeHead(200, { "content-type": "text/html", ...(coding ? { "content-encoding": coding } : {}) });
    response.end(coding === "gzip" ? gzipSync(page) : page);
    return;
  }
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ url: request.url, method: request.method, host, authorization, uri }));
});
beforeAll(async () => {
  kube = await createEmbeddedKube({ clock: systemClock(), random: randomBytes, log: silentLogger });
  connection = await loadKubeconfig({ text: (await kube.listen({ host: "127.0.0.1", port: 0 })).kubeconfig });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  kube.registerNetwork(async (ip) => {
    if (ip !== "10.244.0.9") throw new Error(`${ip} is not there`);
    return connect((server.address() as AddressInfo).port, "127.0.0.1");
  });
  const client = kube.client(clusterAdmin);
  const container = (name: string, more: object = {}) => ({ name, image: "x", ...more });
  const make = (type: (typeof types)[keyof typeof types], object: object) => client.create(type, object as KubeObject);
  const pod = (name: string, spec: object) =>
    make(types.pods, { apiVersion: "v1", kind: "Pod", metadata: { name, namespace: "default" }, spec });
  await pod("two", { containers: [container("a"), container("b")] });
  await pod("one", { nodeName: "nonode", containers: [container("a", { ports: [{ containerPort: 80 }] })] });
  await pod("up", { nodeName: "nonode", containers: [container("a", { ports: [{ containerPort: 8080 }] })] });
  const body = { status: { podIP: "10.244.0.9", podIPs: [{ ip: "10.244.0.9" }] } };
  const up = { namespace: "default", name: "up" };
  await client.patch(types.pods, up, { type: "merge", body }, { subresource: "status" });
  const service = (name: string) =>
    make(types.services, {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, namespace: "default" },
      spec: { ports: [{ name: "http", port: 80, targetPort: 8080 }] },
    });
  await service("empty");
  await service("full");
  await make(types.endpointSlices, {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "full-1", namespace: "default", labels: { "kubernetes.io/service-name": "full" } },
    addressType: "IPv4",
    ports: [{ name: "http", port: 8080 }],
    endpoints: [{ addresses: ["10.244.0.9"], conditions: { ready: true } }],
  });
});
afterAll(async () => {
  await kube.stop();
  server.closeAllConnections();
  server.close();
});

const ask = (method: string, path: string, headers?: Record<string, string>) =>
  raw(connection, method, `/api/v1/namespaces/default/${path}`, undefined, headers);

const OF_TWO = "a container name must be specified for pod two, choose one of: [a b]";
const LOG = 'PodLogOptions "two" is invalid: ';

it.each([
  {
    path: "pods/two/log?limitBytes=0",
    code: 422,
    message: `${LOG}limitBytes: Invalid value: 0: must be greater than 0`,
  },
  {
    path: "pods/two/log?tailLines=-1",
    code: 422,
    message: `${LOG}tailLines: Invalid value: -1: must be greater than or equal to 0`,
  },
  {
    path: "pods/two/log?sinceSeconds=0",
    code: 422,
    message: `${LOG}sinceSeconds: Invalid value: 0: must be greater than 0`,
  },
  {
    path: "pods/two/log?sinceSeconds=1&sinceTime=2020-01-01T00:00:00Z",
    code: 422,
    message: `${LOG}[]: Forbidden: at most one of \`sinceTime\` or \`sinceSeconds\` may be specified`,
  },
  { path: "pods/two/log?stream=All", code: 422, message: `${LOG}stream: Forbidden: may not be specified` },
  { path: "pods/two/log", code: 400, message: OF_TWO },
  { path: "pods/two/log?container=zz", code: 400, message: "container zz is not valid for pod two" },
  { path: "pods/none/log", code: 404, message: 'pods "none" not found' },
  { path: "pods/two/exec", code: 400, message: OF_TWO },
  { path: "pods/two/exec?container=a", code: 400, message: "pod two does not have a host assigned" },
  { path: "pods/two/attach?container=zz", code: 400, message: "container zz is not valid for pod two" },
  { path: "pods/none/portforward", code: 404, message: 'pods "none" not found' },
  { path: "pods/two/portforward", code: 400, message: "pod two does not have a host assigned" },
  { path: "pods/two/proxy/", code: 400, message: "address not allowed" },
  { path: "pods/x:y:z:w/proxy/", code: 400, message: 'invalid pod request "x:y:z:w"' },
  { path: "services/empty/proxy/", code: 503, message: 'no endpoints available for service "empty"' },
  { path: "services/empty:http/proxy/", code: 503, message: 'no endpoints available for service "empty"' },
  { path: "services/empty:81/proxy/", code: 503, message: 'no service port 81 found for service "empty"' },
  { path: "services/none/proxy/", code: 404, message: 'services "none" not found' },
])("answers $path with $code", async ({ path, code, message }) => {
  expect((await ask("GET", path)).json).toMatchObject({ kind: "Status", status: "Failure", code, message });
});

it("takes GET and POST for streams alone, and asks for the right to create either way", async () => {
  expect((await ask("PUT", "pods/one/exec?command=ls")).json).toMatchObject({ code: 405, reason: "MethodNotAllowed" });
  expect((await ask("DELETE", "pods/one/portforward")).json).toMatchObject({ code: 405 });
  const as = { "impersonate-user": "bob" };
  const refusal = (verb: string) =>
    `pods "one" is forbidden: User "bob" cannot ${verb} resource "pods/exec" in API group "" in the namespace "default"`;
  expect((await ask("POST", "pods/one/exec?command=ls", as)).json).toMatchObject({
    code: 403,
    message: refusal("create"),
  });
  expect((await ask("GET", "pods/one/exec?command=ls", as)).json).toMatchObject({ code: 403, message: refusal("get") });
  const client = kube.client(clusterAdmin);
  const rbac = { group: "rbac.authorization.k8s.io", version: "v1", namespaced: true } as const;
  const metadata = { name: "readers", namespace: "default" };
  const rules = [{ apiGroups: [""], resources: ["pods/exec"], verbs: ["get"] }];
  const role = { apiVersion: "rbac.authorization.k8s.io/v1", kind: "Role", metadata, rules };
  await client.create({ ...rbac, resource: "roles", kind: "Role" }, role);
  const binding = {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "RoleBinding",
    metadata,
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "readers" },
    subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "bob" }],
  };
  await client.create({ ...rbac, resource: "rolebindings", kind: "RoleBinding" }, binding);
  // A WebSocket begins with a GET: to read alone is not enough.
  expect((await ask("GET", "pods/one/exec?command=ls", as)).json).toMatchObject({
    code: 403,
    message: refusal("create"),
  });
});

it("forwards requests to pods and Services, without the caller's credentials", async () => {
  const pod = await ask("GET", "pods/up/proxy/some/path?q=1", { "x-own": "kept" });
  expect(pod.json).toEqual({
    url: "/some/path?q=1",
    method: "GET",
    host: new URL(connection.server).host,
    uri: "/api/v1/namespaces/default/pods/up/proxy/some/path",
  });
  expect((await ask("POST", "services/full:80/proxy/x")).json).toMatchObject({ url: "/x", method: "POST" });
  expect((await ask("GET", "services/http:full:http/proxy/")).json).toMatchObject({ url: "/" });
  expect((await ask("GET", "pods/up/proxy?q=1")).code).toBe(301);
});

describe("what a proxied pod answers", () => {
  const up = "/api/v1/namespaces/default/pods/up/proxy";
  it("has its redirects within itself lead through the proxy, and speaks for no other origin", async () => {
    const { code, headers } = await ask("GET", "pods/up/proxy/redirect?to=/login%3Fnext%3D1");
    expect([code, headers["location"], headers["access-control-allow-origin"]]).toEqual([
      302,
      `${up}/login?next=1`,
      undefined,
    ]);
    expect((await ask("GET", "pods/up/proxy/redirect?to=http://other/x")).headers["location"]).toBe("http://other/x");
  });
  it("has the links of its pages lead through the proxy, packed or not", async () => {
    const plain = await ask("GET", "pods/up/proxy/page");
    expect([plain.text, plain.headers["content-length"]]).toEqual([`<a href="${up}/other">x</A>`, "62"]);
    expect((await ask("GET", "pods/up/proxy/page?coding=br")).text).toBe('<A HREF="/other">x</A>');
    // Says to be packed and is not.
    expect((await ask("GET", "pods/up/proxy/page?coding=deflate")).text).toBe('<A HREF="/other">x</A>');
    const { headers } = await ask("GET", "pods/up/proxy/page?coding=gzip");
    expect(headers["content-encoding"]).toBe("gzip");
  });
});
