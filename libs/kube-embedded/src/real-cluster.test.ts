import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { systemClock } from "@tiphys/clock";
import { loadKubeconfig } from "@tiphys/kube";
import { silentLogger } from "@tiphys/telemetry";
import { describeWith, realClusterKubeconfig } from "@tiphys/testing";
import { createEmbeddedKube, type EmbeddedKube } from "./index.js";
import { type RawAnswer, raw, until, widgetCrd } from "./testing.js";

/** Members that differ from run to run; nothing else may. */
const volatileMembers = new Set(["uid", "resourceVersion", "creationTimestamp", "time", "deletionTimestamp"]);

/** A group of this run's own, so that two runs on one control plane do not take each other's definitions away. */
const GROUP = `w${randomBytes(4).toString("hex")}.tests.tiphys.dev`;

const ownCrd = JSON.parse(JSON.stringify(widgetCrd).replaceAll("tests.tiphys.dev", GROUP));

/** The real server goes through a map, so the order of several causes says nothing. */
const inOrder = (message: string): string =>
  message.replace(
    / is invalid: \[(.*)\]$/s,
    (_, causes: string) =>
      ` is invalid: [${causes
        .split(/, (?=[a-z]+[.:[])/)
        .sort()
        .join(", ")}]`,
  );
const textOf = (cause: unknown): string => JSON.stringify(cause);

function normalised(value: unknown, namespace: string): unknown {
  if (typeof value === "string") return value.replaceAll(namespace, "NS").replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "UID");
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map((item) => normalised(item, namespace));
  const out: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value)) {
    if (volatileMembers.has(key) && member !== "" && member !== null) out[key] = "…";
    else if (key === "causes" && Array.isArray(member)) {
      out[key] = member.map((cause) => normalised(cause, namespace)).sort((a, b) => (textOf(a) < textOf(b) ? -1 : 1));
    } else if (key === "message" && typeof member === "string") out[key] = normalised(inOrder(member), namespace);
    else out[key] = normalised(member, namespace);
  }
  return out;
}

interface Case {
  readonly name: string;
  readonly method: string;
  /** Below the namespace, or absolute when it begins with a slash. */
  readonly path: string;
  readonly body?: string;
  readonly type?: string;
  /** Only these members of the answer are compared. */
  readonly only?: readonly string[];
}

const json = (value: object) => JSON.stringify(value);
const map = (name: string, more: object = {}) =>
  json({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { a: "1" }, ...more });
const apps = "apis/apps/v1";
const deployment = (more: object = {}) =>
  json({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web" },
    spec: {
      replicas: 0,
      selector: { matchLabels: { app: "web" } },
      template: {
        metadata: { labels: { app: "web" } },
        spec: { containers: [{ name: "c", image: "x", ports: [{ containerPort: 80 }] }] },
      },
      ...more,
    },
  });
const merge = "application/merge-patch+json";
const apply = "application/apply-patch+yaml";

const cases: readonly Case[] = [
  { name: "create", method: "POST", path: "configmaps", body: map("a") },
  { name: "create again", method: "POST", path: "configmaps", body: map("a") },
  { name: "create without name", method: "POST", path: "configmaps", body: "{}" },
  { name: "create with a bad name", method: "POST", path: "configmaps", body: map("A_B") },
  {
    name: "create with a revision",
    method: "POST",
    path: "configmaps",
    body: json({ metadata: { name: "z", resourceVersion: "1" } }),
  },
  {
    name: "create strictly",
    method: "POST",
    path: "configmaps?fieldValidation=Strict",
    body: '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"s","foo":1},"bar":"r"}',
  },
  {
    name: "create in a missing namespace",
    method: "POST",
    path: "/api/v1/namespaces/tiphys-none/configmaps",
    body: map("a"),
  },
  {
    name: "create another kind",
    method: "POST",
    path: "configmaps",
    body: json({ kind: "Pod", apiVersion: "v1", metadata: { name: "a" } }),
  },
  {
    name: "create of a wrong type",
    method: "POST",
    path: "configmaps",
    body: json({ metadata: { name: "t" }, data: "x" }),
  },
  { name: "get", method: "GET", path: "configmaps/a" },
  { name: "get nothing", method: "GET", path: "configmaps/none" },
  { name: "get of a group", method: "GET", path: `${apps}/deployments/none` },
  { name: "get an unknown resource", method: "GET", path: "nothings/x" },
  { name: "get an unknown subresource", method: "GET", path: "configmaps/a/status" },
  {
    name: "replace a stale one",
    method: "PUT",
    path: "configmaps/a",
    body: map("a", { metadata: { name: "a", resourceVersion: "1" } }),
  },
  { name: "replace under another name", method: "PUT", path: "configmaps/b", body: map("a") },
  { name: "replace nothing", method: "PUT", path: "configmaps/b", body: map("b") },
  { name: "merge patch", method: "PATCH", path: "configmaps/a", body: json({ data: { b: "2" } }), type: merge },
  {
    name: "merge patch that renames",
    method: "PATCH",
    path: "configmaps/a",
    body: json({ metadata: { name: "b" } }),
    type: merge,
  },
  {
    name: "JSON patch whose test fails",
    method: "PATCH",
    path: "configmaps/a",
    body: json([{ op: "test", path: "/data/a", value: "7" }]),
    type: "application/json-patch+json",
  },
  {
    name: "JSON patch that is none",
    method: "PATCH",
    path: "configmaps/a",
    body: "{}",
    type: "application/json-patch+json",
  },
  { name: "patch of no known type", method: "PATCH", path: "configmaps/a", body: "{}", type: "application/json" },
  { name: "apply without manager", method: "PATCH", path: "configmaps/a", body: map("a"), type: apply },
  {
    name: "apply in conflict",
    method: "PATCH",
    path: "configmaps/a?fieldManager=x",
    body: map("a", { data: { a: "7" } }),
    type: apply,
  },
  {
    name: "apply by force",
    method: "PATCH",
    path: "configmaps/a?fieldManager=x&force=true",
    body: map("a", { data: { a: "7" } }),
    type: apply,
  },
  { name: "force without apply", method: "PATCH", path: "configmaps/a?force=true", body: "{}", type: merge },
  {
    name: "create a deployment",
    method: "POST",
    path: `${apps}/deployments`,
    body: deployment(),
    only: ["kind", "apiVersion", "spec"],
  },
  {
    name: "an invalid deployment",
    method: "POST",
    path: `${apps}/deployments`,
    body: deployment({ selector: { matchLabels: { app: "other" } } }),
  },
  {
    name: "patch the scale",
    method: "PATCH",
    path: `${apps}/deployments/web/scale`,
    body: json({ spec: { replicas: 0 } }),
    type: merge,
  },
  {
    name: "a pod without containers",
    method: "POST",
    path: "pods",
    body: json({ metadata: { name: "p" }, spec: { containers: [] } }),
  },
  { name: "a field selector nobody has", method: "GET", path: "configmaps?fieldSelector=spec.foo%3Dx" },
  { name: "a limit that is none", method: "GET", path: "configmaps?limit=a" },
  { name: "post to an object", method: "POST", path: "configmaps/a", body: "{}" },
  { name: "put to a collection", method: "PUT", path: "configmaps", body: "{}" },
  {
    name: "delete under a wrong uid",
    method: "DELETE",
    path: "configmaps/a",
    body: json({ kind: "DeleteOptions", apiVersion: "v1", preconditions: { uid: "x" } }),
  },
  {
    name: "delete with a wrong policy",
    method: "DELETE",
    path: "configmaps/a",
    body: json({ kind: "DeleteOptions", apiVersion: "v1", propagationPolicy: "Foo" }),
  },
  { name: "delete", method: "DELETE", path: "configmaps/a" },
  { name: "delete again", method: "DELETE", path: "configmaps/a" },
  { name: "a permanent namespace", method: "DELETE", path: "/api/v1/namespaces/default" },
  {
    name: "a valid custom resource",
    method: "POST",
    path: `apis/${GROUP}/v1/widgets`,
    body: json({
      apiVersion: `${GROUP}/v1`,
      kind: "Widget",
      metadata: { name: "w" },
      spec: { size: 3, extra: 1 },
    }),
  },
  {
    name: "an invalid custom resource",
    method: "POST",
    path: `apis/${GROUP}/v1/widgets`,
    body: json({
      apiVersion: `${GROUP}/v1`,
      kind: "Widget",
      metadata: { name: "x" },
      spec: { size: 11, color: "blue" },
    }),
  },
  {
    name: "a custom resource of wrong types",
    method: "POST",
    path: `apis/${GROUP}/v1/widgets`,
    body: json({ apiVersion: `${GROUP}/v1`, kind: "Widget", metadata: { name: "x" }, spec: { size: "1" } }),
  },
  {
    name: "a strategic patch of a custom resource",
    method: "PATCH",
    path: `apis/${GROUP}/v1/widgets/w`,
    body: "{}",
    type: "application/strategic-merge-patch+json",
  },
  {
    name: "a custom resource's status",
    method: "PATCH",
    path: `apis/${GROUP}/v1/widgets/w/status`,
    body: json({ spec: { size: 9 }, status: { ready: 2 } }),
    type: merge,
  },
  { name: "a custom resource as a table", method: "GET", path: `apis/${GROUP}/v1/widgets/w/scale` },
];

type Connection = Parameters<typeof raw>[0];

describeWith(["real-cluster"], "the embedded API server and a real control plane answer alike", () => {
  let kube: EmbeddedKube;
  let sides: { name: string; connection: Connection; namespace: string }[];
  const namespace = `tiphys-compare-${randomBytes(4).toString("hex")}`;

  beforeAll(async () => {
    kube = await createEmbeddedKube({ clock: systemClock(), random: randomBytes, log: silentLogger });
    const { kubeconfig } = await kube.listen({ host: "127.0.0.1", port: 0 });
    const own = await loadKubeconfig({ text: kubeconfig });
    const real = await loadKubeconfig({ text: await readFile(realClusterKubeconfig() ?? "", "utf8") });
    const bearer = typeof real.token === "object" ? real.token.reveal() : undefined;
    sides = [
      { name: "embedded", connection: own, namespace },
      { name: "real", connection: { ...real, ...(bearer ? { bearer } : {}) }, namespace },
    ];
    for (const { connection } of sides) {
      await raw(connection, "POST", "/api/v1/namespaces", json({ metadata: { name: namespace } }));
      await raw(connection, "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", json(ownCrd));
      await until(async () => (await raw(connection, "GET", `/apis/${GROUP}/v1/widgets`)).code === 200);
    }
  });
  afterAll(async () => {
    for (const { connection } of sides) {
      await raw(connection, "DELETE", `/api/v1/namespaces/${namespace}`);
      await raw(
        connection,
        "DELETE",
        `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${ownCrd.metadata.name}`,
      );
    }
    await kube.stop();
  });

  it.each(cases)("$name", async ({ method, path, body, type, only }) => {
    const answers: RawAnswer[] = [];
    for (const { connection } of sides) {
      const [, group = "api/v1", rest = path] = /^(apis\/[^/]+\/[^/]+)\/(.*)$/.exec(path) ?? [];
      const at = path.startsWith("/") ? path : `/${group}/namespaces/${namespace}/${rest}`;
      answers.push(await raw(connection, method, at, body, type ? { "content-type": type } : {}));
    }
    const [own, real] = answers.map(({ code, json: answer }) => {
      const compared = only && code < 300 ? Object.fromEntries(only.map((member) => [member, answer[member]])) : answer;
      return { code, answer: normalised(compared, namespace) };
    });
    expect(own).toEqual(real);
  });
});
