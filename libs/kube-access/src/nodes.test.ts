import type { KubeObject } from "@tiphys/resources";
import { authorizeNode, nodeNameOf, nodeTokenProblem, nodeWriteProblem, type ResourceAttributes } from "./index.js";

const pod = (name: string, spec: object = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "shop", uid: `uid-${name}` },
  spec: { nodeName: "n1", serviceAccountName: "bot", containers: [], ...spec },
});
const web = pod("web", {
  imagePullSecrets: [{ name: "pull" }],
  volumes: [
    { name: "s", secret: { secretName: "tls" } },
    {
      name: "p",
      projected: {
        sources: [{ configMap: { name: "ca" } }, { secret: { name: "part" } }, { serviceAccountToken: { path: "t" } }],
      },
    },
  ],
  containers: [
    { env: [{ valueFrom: { configMapKeyRef: { name: "env" } } }], envFrom: [{ secretRef: { name: "all" } }] },
  ],
});
const pods = (node: string, namespace: string) => (node === "n1" && namespace === "shop" ? [web] : []);
const rules = [{ verbs: ["create"], apiGroups: [""], resources: ["events"] }];
const ask = (verb: string, resource: string, more: Partial<ResourceAttributes> = {}) =>
  authorizeNode("n1", { verb, group: "", resource, namespace: "shop", ...more }, pods, rules);

it.each(["tls", "part", "all", "pull"])("a node reads the Secret %s that a pod of it names", (name) => {
  expect(ask("get", "secrets", { name }).allowed).toBe(true);
  expect(ask("watch", "secrets", { name }).allowed).toBe(true);
});
it.each(["ca", "env"])("and the ConfigMap %s", (name) => expect(ask("get", "configmaps", { name }).allowed).toBe(true));
it.each([
  {
    why: "no other Secret",
    verb: "get",
    resource: "secrets",
    more: { name: "other" },
    reason: "no relationship found between node 'n1' and this object",
  },
  { why: "not all Secrets", verb: "list", resource: "secrets", more: {}, reason: "No Object name found" },
  {
    why: "no Secret is written",
    verb: "update",
    resource: "secrets",
    more: { name: "tls" },
    reason: "can only read resources of this type",
  },
  {
    why: "nor one of elsewhere read",
    verb: "get",
    resource: "secrets",
    more: { name: "tls", namespace: "other" },
    reason: "no relationship found between node 'n1' and this object",
  },
  {
    why: "no other node",
    verb: "get",
    resource: "nodes",
    more: { name: "n2" },
    reason: "node 'n1' cannot read 'n2', only its own Node object",
  },
  {
    why: "not all pods",
    verb: "list",
    resource: "pods",
    more: { namespace: "" },
    reason: "can only list/watch pods with spec.nodeName field selector",
  },
  {
    why: "no token of another account",
    verb: "create",
    resource: "serviceaccounts",
    more: { name: "admin", subresource: "token" },
    reason: "no relationship found between node 'n1' and this object",
  },
  {
    why: "no lease elsewhere",
    verb: "get",
    resource: "leases",
    more: { group: "coordination.k8s.io", name: "n1" },
    reason: 'can only access leases in the "kube-node-lease" system namespace',
  },
])("$why", ({ verb, resource, more, reason }) => expect(ask(verb, resource, more)).toEqual({ allowed: false, reason }));
it("reads its own pods, itself, tokens of its pods' accounts, and does what all nodes do", () => {
  expect(ask("list", "pods", { namespace: "", fieldSelector: "spec.nodeName=n1" }).allowed).toBe(true);
  expect(ask("get", "pods", { name: "web" }).allowed).toBe(true);
  expect(ask("patch", "pods", { name: "x", subresource: "status" }).allowed).toBe(true);
  expect(ask("get", "nodes", { name: "n1" }).allowed).toBe(true);
  expect(ask("create", "serviceaccounts", { name: "bot", subresource: "token" }).allowed).toBe(true);
  expect(ask("create", "events").allowed).toBe(true);
  expect(ask("create", "services").allowed).toBe(false);
});

it("is a node by name and group alone", () => {
  expect(nodeNameOf({ username: "system:node:n1", groups: ["system:nodes"] })).toBe("n1");
  expect(nodeNameOf({ username: "system:node:n1", groups: [] })).toBeUndefined();
  expect(nodeNameOf({ username: "n1", groups: ["system:nodes"] })).toBeUndefined();
});

describe("what a node writes", () => {
  const node = (labels: Record<string, string>, spec: object = {}): KubeObject => ({
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: "n1", labels },
    spec,
  });
  const problem = (write: Omit<Parameters<typeof nodeWriteProblem>[1], "name">, name = "n1") =>
    nodeWriteProblem("n1", { name, ...write });
  it.each([
    {
      why: "its own node",
      got: problem({
        operation: "create",
        collection: "/nodes",
        object: node({ "kubernetes.io/os": "linux", "x.example/y": "1" }),
      }),
      want: undefined,
    },
    {
      why: "another node",
      got: problem({ operation: "update", collection: "/nodes" }, "n2"),
      want: 'node "n1" is not allowed to modify node "n2"',
    },
    {
      why: "labels that steer workloads",
      got: problem({
        operation: "create",
        collection: "/nodes",
        object: node({ "node-role.kubernetes.io/control-plane": "", "a.node-restriction.kubernetes.io/b": "" }),
      }),
      want: 'node "n1" is not allowed to set the following labels: a.node-restriction.kubernetes.io/b, node-role.kubernetes.io/control-plane',
    },
    {
      why: "taints",
      got: problem({
        operation: "update",
        collection: "/nodes",
        object: node({}),
        old: node({}, { taints: [{ key: "a" }] }),
      }),
      want: 'node "n1" is not allowed to modify taints',
    },
    {
      why: "the status of its pod",
      got: problem({ operation: "update", collection: "/pods", subresource: "status", object: web, old: web }, "web"),
      want: undefined,
    },
    {
      why: "the status of another's",
      got: problem(
        {
          operation: "update",
          collection: "/pods",
          subresource: "status",
          object: web,
          old: pod("o", { nodeName: "n2" }),
        },
        "o",
      ),
      want: 'node "n1" can only update pod status for pods with spec.nodeName set to itself',
    },
    {
      why: "an end of another's pod",
      got: problem({ operation: "delete", collection: "/pods", old: pod("o", { nodeName: "n2" }) }, "o"),
      want: 'node "n1" can only delete pods with spec.nodeName set to itself',
    },
    {
      why: "a pod that is no mirror",
      got: problem({ operation: "create", collection: "/pods", object: web }, "web"),
      want: 'pod does not have "kubernetes.io/config.mirror" annotation, node "n1" can only create mirror pods',
    },
    {
      why: "another's lease",
      got: problem({ operation: "create", collection: "coordination.k8s.io/leases" }, "n2"),
      want: "can only access node lease with the same name as the requesting node",
    },
  ])("$why", ({ got, want }) => expect(got).toBe(want));
  it("takes tokens for its pods alone, and for audiences they mount", () => {
    const reference = { apiVersion: "v1", kind: "Pod", name: "web", uid: "uid-web" };
    expect(nodeTokenProblem("n1", reference, [], web)).toBeUndefined();
    expect(nodeTokenProblem("n1", undefined, [], undefined)).toBe("node requested token not bound to a pod");
    expect(nodeTokenProblem("n2", reference, [], web)).toBe(
      "node requested token bound to a pod scheduled on a different node",
    );
    expect(nodeTokenProblem("n1", reference, ["vault"], web)).toMatch(/^audience "vault" not found in pod spec volume/);
  });
});
