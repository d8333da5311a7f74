import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@tiphys/clock";
import { clusterAdmin } from "@tiphys/identity";
import { type ClusterConnection, loadKubeconfig } from "@tiphys/kube";
import { types } from "@tiphys/resources";
import { silentLogger } from "@tiphys/telemetry";
import { describeWith, programPath } from "@tiphys/testing";
import { createEmbeddedKube, type EmbeddedKube } from "../index.js";
import { raw, until, widgetCrd } from "../testing.js";
import { duplicateFields } from "./duplicates.js";

let kube: EmbeddedKube;
let dir: string;
let connection: ClusterConnection;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "tiphys-https-"));
  kube = await createEmbeddedKube({ clock: systemClock(), random: randomBytes, log: silentLogger, crds: [widgetCrd] });
  const { kubeconfig } = await kube.listen({ host: "127.0.0.1", port: 0 });
  await writeFile(join(dir, "kubeconfig"), kubeconfig, { mode: 0o600 });
  connection = await loadKubeconfig({ text: kubeconfig });
});
afterAll(async () => {
  await kube.stop();
  await rm(dir, { recursive: true });
});
const ask = (method: string, path: string, body?: string | Buffer, headers?: Record<string, string>) =>
  raw(connection, method, path, body, headers);
const maps = "/api/v1/namespaces/default/configmaps";

describe("who may ask", () => {
  const nobody = () => ({ server: connection.server, ...(connection.ca ? { ca: connection.ca } : {}) });
  it.each(["/version", "/healthz", "/readyz", "/livez"])("%s is open to all", async (path) => {
    expect((await raw(nobody(), "GET", path)).code).toBe(200);
  });
  it("refuses the anonymous and the unknown", async () => {
    expect((await raw(nobody(), "GET", maps)).json).toMatchObject({
      code: 403,
      reason: "Forbidden",
      message:
        'configmaps is forbidden: User "system:anonymous" cannot list resource "configmaps" in API group "" in the namespace "default"',
    });
    expect((await raw(nobody(), "GET", "/apis")).code).toBe(403);
    expect((await raw({ ...nobody(), bearer: "wrong" }, "GET", maps)).json).toMatchObject({
      code: 401,
      message: "Unauthorized",
    });
  });
  it("acts as whom an administrator names", async () => {
    const body = JSON.stringify({ apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" });
    const { json } = await ask("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body, {
      "impersonate-user": "jane",
      "impersonate-group": "devs",
    });
    expect(json.status.userInfo).toEqual({ username: "jane", groups: ["devs", "system:authenticated"] });
  });
});

describe("bad input is answered with a Status and changes nothing", () => {
  it.each([
    { name: "broken JSON", body: "{bad", code: 400, message: /json parse error/ },
    {
      name: "broken YAML",
      body: "a: [",
      headers: { "content-type": "application/yaml" },
      code: 400,
      message: /yaml: /,
    },
    {
      name: "another kind",
      body: '{"kind":"Pod","apiVersion":"v1"}',
      code: 400,
      message: /cannot be handled as a ConfigMap/,
    },
    {
      name: "an unknown type",
      body: "x",
      headers: { "content-type": "text/plain" },
      code: 415,
      message: /accepted media types include: application\/json, application\/yaml/,
    },
    {
      name: "deep nesting",
      body: `${"[".repeat(5000)}${"]".repeat(5000)}`,
      code: 400,
      message: /nested deeper than 100/,
    },
    {
      name: "a huge body",
      body: `{"data":"${"x".repeat(4 << 20)}"}`,
      code: 413,
      message: /Request entity too large: limit is 3145728/,
    },
    {
      name: "broken protobuf",
      body: "k8s\0\xff\xff\xff",
      headers: { "content-type": "application/vnd.kubernetes.protobuf" },
      code: 400,
      message: /protobuf body is not valid/,
    },
    {
      name: "no name",
      body: "{}",
      code: 422,
      message: /metadata.name: Required value: name or generateName is required/,
    },
  ])("$name", async ({ body, headers, code, message }) => {
    const { json } = await ask("POST", maps, body, headers);
    expect(json).toMatchObject({ kind: "Status", status: "Failure", code, message: expect.stringMatching(message) });
  });
  it("refuses forms it does not have, so that clients fall back to JSON", async () => {
    const accept = "application/vnd.kubernetes.protobuf";
    expect((await ask("GET", maps, undefined, { accept })).code).toBe(406);
    expect((await ask("GET", maps, undefined, { accept: `${accept},application/json` })).json.kind).toBe(
      "ConfigMapList",
    );
  });
  it("refuses a patch that copies its copies", async () => {
    await ask("POST", maps, '{"metadata":{"name":"bomb"},"data":{"a":"0123456789"}}');
    const copies = Array.from({ length: 40 }, (_, i) => ({ op: "copy", from: "/data", path: `/data/c${i}` }));
    const headers = { "content-type": "application/json-patch+json" };
    expect((await ask("PATCH", `${maps}/bomb`, JSON.stringify(copies), headers)).code).toBe(413);
    const many = Array.from({ length: 10_001 }, () => ({ op: "test", path: "/kind", value: "ConfigMap" }));
    expect((await ask("PATCH", `${maps}/bomb`, JSON.stringify(many), headers)).json.message).toContain("10000");
  });
  it("names duplicate and unknown fields, as a refusal or as warnings", async () => {
    const body = '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"d","labels":{"a":"1","a":"2"}},"bar":1}';
    expect((await ask("POST", `${maps}?fieldValidation=Strict`, body)).json.message).toBe(
      'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: duplicate field "metadata.labels.a", unknown field "bar"',
    );
    const { code, headers } = await ask("POST", `${maps}?dryRun=All`, body);
    expect(code).toBe(201);
    expect(headers["warning"]).toBe('299 - "duplicate field \\"metadata.labels.a\\"", 299 - "unknown field \\"bar\\""');
  });
  it("tells the writers of a deprecated custom kind its warning", async () => {
    const crd = JSON.parse(JSON.stringify(widgetCrd).replaceAll("idget", "odget").replace('"wi"', '"wo"'));
    Object.assign(crd.spec.versions[0], { deprecated: true, deprecationWarning: "nothing acts on it" });
    const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    expect((await ask("POST", definitions, JSON.stringify(crd))).code).toBe(201);
    const wodgets = "/apis/tests.tiphys.dev/v1/namespaces/default/wodgets";
    await until(async () => (await ask("GET", wodgets)).code === 200);
    const body = JSON.stringify({
      apiVersion: "tests.tiphys.dev/v1",
      kind: "Wodget",
      metadata: { name: "w" },
      spec: { size: 1 },
    });
    const { code, headers } = await ask("POST", wodgets, body);
    expect([code, headers["warning"]]).toEqual([201, '299 - "nothing acts on it"']);
    await ask("DELETE", `${definitions}/${crd.metadata.name}`);
  });
});

it("finds duplicate members at any depth", () => {
  expect(duplicateFields('{"a":{"b":[{"c":1,"c":"\\"x"}]},"a":2,"d":"}{"}')).toEqual(["a.b[0].c", "a"]);
});

it("gives tables, metadata alone, YAML and discovery in both forms", async () => {
  await ask("POST", maps, '{"metadata":{"name":"shown"},"data":{"a":"1"}}');
  const table = await ask("GET", `${maps}/shown`, undefined, {
    accept: "application/json;as=Table;v=v1;g=meta.k8s.io",
  });
  expect(table.json).toMatchObject({
    kind: "Table",
    rows: [{ cells: ["shown", 1, expect.any(String)], object: { kind: "PartialObjectMetadata" } }],
  });
  const partial = await ask("GET", `${maps}?fieldSelector=metadata.name%3Dshown`, undefined, {
    accept: "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
  });
  expect(partial.json).toMatchObject({ kind: "PartialObjectMetadataList", items: [{ kind: "PartialObjectMetadata" }] });
  expect((await ask("GET", `${maps}/shown`, undefined, { accept: "application/yaml" })).text).toContain(
    "kind: ConfigMap\n",
  );
  expect((await ask("GET", "/apis/apps/v1")).json).toMatchObject({ kind: "APIResourceList", groupVersion: "apps/v1" });
  const discovery = await ask("GET", "/apis", undefined, {
    accept: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
  });
  expect(discovery.json.items.map((group: { metadata: { name: string } }) => group.metadata.name)).toContain(
    "tests.tiphys.dev",
  );
  expect((await ask("GET", "/openapi/v3")).json.paths).toHaveProperty(["apis/tests.tiphys.dev/v1"]);
});

it("streams initial events with their end marked, and tells an expired revision inside the stream", async () => {
  const query =
    "watch=1&timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
  const lines = (await ask("GET", `/api/v1/namespaces?${query}`)).text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines.map(({ type }) => type)).toEqual(["ADDED", "ADDED", "ADDED", "ADDED", "BOOKMARK"]);
  expect(lines[4].object.metadata.annotations).toEqual({ "k8s.io/initial-events-end": "true" });
});

describeWith(["kubectl"], "kubectl", () => {
  const kubectl = (args: string[], input?: string) =>
    new Promise<string>((resolve) => {
      const child = execFile(
        programPath("kubectl") ?? "",
        ["--kubeconfig", join(dir, "kubeconfig"), "--cache-dir", join(dir, "cache"), ...args],
        (_error, stdout, stderr) => resolve(stdout + stderr),
      );
      child.stdin?.end(input);
    });
  const manifest = (data: object) =>
    JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "k" }, data });

  it("applies on its side and on ours", async () => {
    expect(await kubectl(["apply", "-f", "-"], manifest({ a: "1" }))).toContain("configmap/k created");
    expect(await kubectl(["apply", "-f", "-"], manifest({ a: "1" }))).toContain("configmap/k unchanged");
    expect(await kubectl(["apply", "-f", "-"], manifest({ b: "2" }))).toContain("configmap/k configured");
    expect(await kubectl(["get", "cm", "k", "-o", "jsonpath={.data}"])).toBe('{"b":"2"}');
    expect(await kubectl(["apply", "--server-side", "-f", "-"], manifest({ b: "2" }))).toContain("serverside-applied");
    expect(await kubectl(["patch", "cm", "k", "-p", '{"data":{"c":"3"}}'])).toContain("configmap/k patched");
    expect(await kubectl(["wait", "--for=jsonpath={.data.c}=3", "cm/k", "--timeout=5s"])).toContain("condition met");
    expect(await kubectl(["delete", "cm", "k"])).toContain('configmap "k" deleted');
  });

  it("refuses unknown fields in the server's words", async () => {
    expect(
      await kubectl(["apply", "-f", "-"], '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"u"},"dta":{}}'),
    ).toContain('strict decoding error: unknown field "dta"');
  });

  it("shows columns, describes, explains and lists what there is", async () => {
    await kubectl(
      ["apply", "-f", "-"],
      '{"apiVersion":"tests.tiphys.dev/v1","kind":"Widget","metadata":{"name":"w"},"spec":{"size":3}}',
    );
    expect(await kubectl(["get", "wi"])).toMatch(/NAME +SIZE\nw +3\n/);
    expect(await kubectl(["explain", "widget.spec"])).toMatch(/size\s+<integer>/);
    expect(await kubectl(["explain", "deployment.spec.strategy"])).toMatch(/rollingUpdate\s+<RollingUpdateDeployment>/);
    expect(await kubectl(["api-resources"])).toMatch(/widgets +wi +tests.tiphys.dev\/v1 +true +Widget/);
    expect(await kubectl(["describe", "namespace", "default"])).toContain("Status:       Active");
  });

  it("creates with typed clients, which write protobuf", async () => {
    expect(await kubectl(["create", "deployment", "web", "--image=nginx", "--replicas=0", "--port=80"])).toContain(
      "web created",
    );
    const web = await kube.client(clusterAdmin).get(types.deployments, { namespace: "default", name: "web" });
    expect(web["spec"]).toMatchObject({
      replicas: 0,
      template: { spec: { containers: [{ name: "nginx", ports: [{ containerPort: 80 }] }] } },
    });
    expect(await kubectl(["create", "secret", "generic", "s", "--from-literal=a=b"])).toContain("secret/s created");
    expect(await kubectl(["scale", "deploy", "web", "--replicas=2"])).toContain("scaled");
    expect(await kubectl(["auth", "can-i", "create", "pods"])).toBe("yes\n");
  });

  it("reads logs of a pod from its node", async () => {
    const unregister = kube.registerLogSource("", async function* () {
      yield Buffer.from("hello\n");
    });
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "p" },
      spec: { nodeName: "n", containers: [{ name: "c", image: "x" }] },
    };
    await kubectl(["create", "-f", "-"], JSON.stringify(pod));
    expect(await kubectl(["logs", "p"])).toBe("hello\n");
    expect(await kubectl(["exec", "p", "--", "ls"])).toContain('node "n" is not connected to this API server');
    unregister();
  });
});

describeWith(["kubectl", "helm"], "helm", () => {
  it("installs, upgrades and uninstalls a chart", async () => {
    const helm = (...args: string[]) =>
      new Promise<string>((resolve) => {
        const env = { PATH: "", HOME: dir, KUBECONFIG: join(dir, "kubeconfig") };
        execFile(programPath("helm") ?? "", args, { env, cwd: dir }, (_error, stdout, stderr) =>
          resolve(stdout + stderr),
        );
      });
    await helm("create", "chart");
    expect(await helm("install", "rel", "./chart")).toContain("STATUS: deployed");
    expect(await helm("upgrade", "rel", "./chart", "--set", "replicaCount=2")).toContain("has been upgraded");
    expect(await helm("uninstall", "rel")).toContain('release "rel" uninstalled');
    await until(async () => (await ask("GET", "/apis/apps/v1/namespaces/default/deployments/rel-chart")).code === 404);
  });
});
