import { randomBytes } from "node:crypto";
import { connect } from "node:tls";
import { systemClock } from "@tiphys/clock";
import { loadKubeconfig } from "@tiphys/kube";
import { limits } from "@tiphys/limits";
import { silentLogger } from "@tiphys/telemetry";
import { mutations, oneOf, seeded } from "@tiphys/testing";
import { createEmbeddedKube, type EmbeddedKube } from "../index.js";
import { raw } from "../testing.js";

let kube: EmbeddedKube;
let connection: Parameters<typeof raw>[0];
const maps = "/api/v1/namespaces/default/configmaps";

beforeAll(async () => {
  kube = await createEmbeddedKube({ clock: systemClock(), random: randomBytes, log: silentLogger });
  const { kubeconfig } = await kube.listen({ host: "127.0.0.1", port: 0 });
  connection = await loadKubeconfig({ text: kubeconfig });
});
afterAll(() => kube.stop());

const map = (name: string) =>
  JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { a: "b" } });
const isAnswer = (answer: Awaited<ReturnType<typeof raw>>) =>
  answer.code >= 200 && answer.code < 600 && (answer.json !== undefined || typeof answer.text === "string");

it("answers a seeded sample of disturbed requests and goes on", async () => {
  const random = seeded(11);
  const types = [
    "application/json",
    "application/yaml",
    "application/merge-patch+json",
    "application/json-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
    "application/vnd.kubernetes.protobuf",
    "text/plain",
  ];
  const paths = [
    maps,
    `${maps}/a?fieldManager=x`,
    `${maps}/%2e%2e`,
    "/apis/apps/v1/namespaces/default/deployments",
    `${maps}?limit=1&continue=x`,
    "/api/v1/nodes/x/status",
    `${maps}/a/scale`,
  ];
  const samples = [
    map("a"),
    '[{"op":"add","path":"/data/x","value":"1"}]',
    '{"data":{"$patch":"replace"}}',
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: y}\n",
    "k8s\0\n\x12",
  ];
  const odd: string[] = [];
  for (const body of mutations(samples, 250, 11)) {
    const method = oneOf(random, ["POST", "PUT", "PATCH", "DELETE"]);
    const path = oneOf(random, paths);
    const answer = await raw(connection, method, path, body, { "content-type": oneOf(random, types) });
    const known = answer.code < 500 || (answer.code === 500 && answer.json?.message !== "Internal error occurred");
    if (!known || !isAnswer(answer))
      odd.push(`${method} ${path}: ${answer.code} ${answer.text.slice(0, 200)} for ${body.slice(0, 200)}`);
  }
  expect(odd).toEqual([]);
  expect((await raw(connection, "GET", "/readyz")).code).toBe(200);
}, 120_000);

it.each([
  { why: "more than a body may have", body: `{"data":{"a":"${"x".repeat(limits.kubeRequestBytes)}"}}`, code: 413 },
  { why: "deep objects", body: `${'{"a":'.repeat(50_000)}1${"}".repeat(50_000)}`, code: 400 },
  { why: "deep lists", body: `${"[".repeat(100_000)}${"]".repeat(100_000)}`, code: 400 },
  { why: "deep YAML", body: `${"{a: ".repeat(20_000)}1${"}".repeat(20_000)}`, type: "application/yaml", code: 400 },
  {
    why: "YAML aliases that grow",
    body: "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e]\n",
    type: "application/yaml",
    code: 400,
  },
])("refuses $why", async ({ body, type, code }) => {
  const answer = await raw(connection, "POST", maps, body, type ? { "content-type": type } : {});
  expect(answer.json).toMatchObject({ kind: "Status", status: "Failure", code });
});

it.each([
  {
    why: "too many steps",
    patch: Array.from({ length: 10_001 }, () => ({ op: "test", path: "/data/a", value: "b" })),
    code: 413,
  },
  {
    why: "copies of copies",
    patch: Array.from({ length: 40 }, (_, step) => ({ op: "copy", from: "/data", path: `/data/a${step}` })),
    code: 413,
  },
])("refuses a patch of $why", async ({ patch, code }) => {
  await raw(connection, "POST", maps, map("bomb"));
  const answer = await raw(connection, "PATCH", `${maps}/bomb`, JSON.stringify(patch), {
    "content-type": "application/json-patch+json",
  });
  expect(answer.json).toMatchObject({ kind: "Status", status: "Failure", code });
});

it("serves others while some say nothing, half a request or half a body", async () => {
  const { server, ca } = connection;
  const { hostname, port } = new URL(server);
  const open = () => connect({ host: hostname, port: Number(port), ...(ca ? { ca } : {}) }).on("error", () => {});
  const idle = Array.from({ length: 30 }, open);
  for (const [index, socket] of idle.entries()) {
    if (index % 3 === 1) socket.write("GET /api HTTP/1.1\r\nHost: x\r\nX-Slow: ");
    if (index % 3 === 2) socket.write(`POST ${maps} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{`);
  }
  expect((await raw(connection, "POST", maps, map("served"))).code).toBe(201);
  for (const socket of idle) socket.destroy();
  expect((await raw(connection, "GET", `${maps}/served`)).code).toBe(200);
});

it("refuses a body without a length that grows beyond what a body may have", async () => {
  const { server, ca, clientCert, clientKey } = connection;
  const { hostname, port } = new URL(server);
  const socket = connect({
    host: hostname,
    port: Number(port),
    ...(ca ? { ca } : {}),
    ...(clientCert && clientKey ? { cert: clientCert, key: clientKey.reveal() } : {}),
  }).on("error", () => {});
  let text = "";
  socket.on("data", (part) => {
    text += part;
  });
  const answered = new Promise((resolve) => socket.once("data", resolve));
  socket.write(
    `POST ${maps} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
  );
  const part = "x".repeat(1 << 20);
  for (let sent = 0; sent <= limits.kubeRequestBytes; sent += part.length) {
    socket.write(`${part.length.toString(16)}\r\n${part}\r\n`);
  }
  await answered;
  socket.destroy();
  expect(text).toMatch(/^HTTP\/1\.1 413 /);
  expect(text).toMatch(/\r\nconnection: close\r\n/i);
  expect((await raw(connection, "GET", "/readyz")).code).toBe(200);
});
