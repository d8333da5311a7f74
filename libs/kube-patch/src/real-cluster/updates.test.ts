import type { KubeObject } from "@tiphys/resources";
import { connectOracle, describeWith, type Oracle, realClusterKubeconfig, withNamespace } from "@tiphys/testing";
import { mergePatch } from "../index.js";
import { kindOf, pathOf } from "./paths.js";

const container = { name: "a", image: "x:1" };
const template = { metadata: { labels: { app: "a" } }, spec: { containers: [container] } };
const once = { spec: { containers: [container], restartPolicy: "Never" } };
const rbac = "rbac.authorization.k8s.io";

/** Changes that a real server refuses, each on an object of its own. */
const changes: readonly { why: string; object: object; patch: object }[] = [
  {
    why: "a deployment keeps its selector",
    object: {
      apiVersion: "apps/v1",
      kind: "Deployment",
      spec: { replicas: 0, selector: { matchLabels: { app: "a" } }, template },
    },
    patch: { spec: { selector: { matchLabels: { app: "b" } }, template: { metadata: { labels: { app: "b" } } } } },
  },
  {
    why: "a stateful set keeps all but a few fields",
    object: {
      apiVersion: "apps/v1",
      kind: "StatefulSet",
      spec: { replicas: 0, serviceName: "x", selector: { matchLabels: { app: "a" } }, template },
    },
    patch: { spec: { serviceName: "y" } },
  },
  {
    why: "a pod keeps its spec",
    object: {
      apiVersion: "v1",
      kind: "Pod",
      spec: { containers: [container], nodeName: "nowhere", automountServiceAccountToken: false },
    },
    patch: { spec: { hostname: "other" } },
  },
  {
    why: "a pod keeps its containers",
    object: {
      apiVersion: "v1",
      kind: "Pod",
      spec: { containers: [container], nodeName: "nowhere", automountServiceAccountToken: false },
    },
    patch: { spec: { containers: [container, { name: "b", image: "y" }] } },
  },
  {
    why: "a job keeps its template and completions",
    object: { apiVersion: "batch/v1", kind: "Job", spec: { parallelism: 0, template: once } },
    patch: { spec: { completions: 5 } },
  },
  {
    why: "an immutable config map keeps its data",
    object: { apiVersion: "v1", kind: "ConfigMap", immutable: true, data: { a: "1" } },
    patch: { data: { a: "2" }, immutable: false },
  },
  {
    why: "a secret keeps its type",
    object: { apiVersion: "v1", kind: "Secret", data: {} },
    patch: { type: "example.com/other" },
  },
  {
    why: "a binding keeps its role",
    object: {
      apiVersion: `${rbac}/v1`,
      kind: "RoleBinding",
      roleRef: { apiGroup: rbac, kind: "ClusterRole", name: "view" },
    },
    patch: { roleRef: { name: "edit" } },
  },
  {
    why: "a slice keeps its address type",
    object: {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      addressType: "IPv4",
      endpoints: [{ addresses: ["10.0.0.1"] }],
    },
    patch: { addressType: "IPv6", endpoints: [] },
  },
  {
    why: "a service keeps its address",
    object: { apiVersion: "v1", kind: "Service", spec: { ports: [{ port: 80 }] } },
    patch: { spec: { clusterIP: "10.96.255.250", clusterIPs: ["10.96.255.250"] } },
  },
  {
    why: "metadata is checked on changes too",
    object: { apiVersion: "v1", kind: "ConfigMap" },
    patch: { metadata: { labels: { "a b": "x" } } },
  },
];

describeWith(["real-cluster"], "forbidden changes, compared with a real API server", () => {
  let oracle: Oracle;
  let namespace: { name: string; remove(): Promise<void> };
  beforeAll(async () => {
    oracle = connectOracle(realClusterKubeconfig()!);
    namespace = await withNamespace(oracle, `updates-${process.pid}`);
    for (let tries = 0; tries < 200; tries++) {
      const answer = await oracle.request("GET", `/api/v1/namespaces/${namespace.name}/serviceaccounts/default`);
      if (answer.status === 200) return;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  });
  afterAll(() => namespace?.remove());

  it.each(changes.map((change, at) => ({ ...change, name: `c${at}` })))("$why", async ({ object, patch, name }) => {
    const given = { ...object, metadata: { name, namespace: namespace.name } } as KubeObject;
    const kind = kindOf(given);
    const created = await oracle.request("POST", pathOf(kind, namespace.name), given);
    expect(created).toMatchObject({ status: 201 });
    const theirs = await oracle.request(
      "PATCH",
      pathOf(kind, namespace.name, name),
      patch,
      "application/merge-patch+json",
    );
    expect(theirs).toMatchObject({ status: 422 });
    const old = kind.decode(created.body).object;
    const { object: next } = kind.decode(mergePatch(old, patch));
    const ours = kind.validate(kind.applyDefaults(next), old);
    // Where the real server explains a difference in Go's words, we say the same without them.
    const short = ({ field, message, reason }: { field: string; message: string; reason: string }) => ({
      field,
      reason,
      message: message.split("\n")[0]!.replace(/^(Invalid value: ).*?(: [a-z][^{}]*)$/, "$1…$2"),
    });
    // The real server checks metadata several times on a change, and says so several times.
    const distinct = (causes: unknown[]) => [...new Set(causes.map((cause) => JSON.stringify(cause)))];
    expect(distinct(ours.map(short))).toEqual(distinct(theirs.body.details.causes.map(short)));
  });
});
