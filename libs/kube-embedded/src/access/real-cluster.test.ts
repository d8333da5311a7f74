import { execFileSync } from "node:child_process";
import { describeWith, programPath, realClusterKubeconfig } from "@tiphys/testing";
import { until } from "../testing.js";
import { compared, type Side, type Step, twoSides } from "./compare.js";

const rbac = "/apis/rbac.authorization.k8s.io/v1";
const authorization = "/apis/authorization.k8s.io/v1";
const authentication = "/apis/authentication.k8s.io/v1";
const ns = "/api/v1/namespaces/$NS";
const merge = { "content-type": "application/merge-patch+json" };
const apply = { "content-type": "application/apply-patch+yaml" };

const role = (name: string, rules: object[]) => ({ metadata: { name }, rules });
const rule = (verbs: string[], apiGroups: string[], resources: string[], more: object = {}) => ({
  verbs,
  apiGroups,
  resources,
  ...more,
});
const binding = (name: string, ref: string, ...subjects: object[]) => {
  const [kind, refName] = ref.split("/");
  return { metadata: { name }, roleRef: { apiGroup: "rbac.authorization.k8s.io", kind, name: refName }, subjects };
};
const user = (name: string) => ({ kind: "User", apiGroup: "rbac.authorization.k8s.io", name });
const group = (name: string) => ({ kind: "Group", apiGroup: "rbac.authorization.k8s.io", name });
const post = (name: string, path: string, body: object, as?: string): Step => ({
  name,
  method: "POST",
  path,
  body,
  ...(as ? { as } : {}),
});
const get = (name: string, path: string, as?: string): Step => ({ name, path, ...(as ? { as } : {}) });

/** What the users of the steps may do: made first, on both sides. */
const setup: readonly Step[] = [
  post("namespace", "/api/v1/namespaces", { metadata: { name: "$NS" } }),
  post(
    "role",
    `${rbac}/namespaces/$NS/roles`,
    role("reader", [rule(["get", "list", "watch"], [""], ["pods", "configmaps"])]),
  ),
  post(
    "binding",
    `${rbac}/namespaces/$NS/rolebindings`,
    binding("read", "Role/reader", user("$ID-jane"), group("$ID-devs")),
  ),
  post(
    "role by name",
    `${rbac}/namespaces/$NS/roles`,
    role("one", [rule(["get", "update", "list"], [""], ["secrets"], { resourceNames: ["this"] })]),
  ),
  post("its binding", `${rbac}/namespaces/$NS/rolebindings`, binding("one", "Role/one", user("$ID-jane"))),
  post(
    "role of subresources",
    `${rbac}/namespaces/$NS/roles`,
    role("logs", [rule(["get"], [""], ["pods/log"]), rule(["*"], ["apps"], ["*/scale"])]),
  ),
  post("its binding", `${rbac}/namespaces/$NS/rolebindings`, binding("logs", "Role/logs", user("$ID-joe"))),
  post("editor", `${rbac}/namespaces/$NS/rolebindings`, binding("editor", "ClusterRole/edit", user("$ID-ed"))),
  post("manager", `${rbac}/namespaces/$NS/rolebindings`, binding("manager", "ClusterRole/admin", user("$ID-boss"))),
  post("viewer", `${rbac}/clusterrolebindings`, binding("$ID-view", "ClusterRole/view", user("$ID-viewer"))),
  post("dangling", `${rbac}/namespaces/$NS/rolebindings`, binding("dangling", "Role/nowhere", user("$ID-lost"))),
  post(
    "dangling cluster",
    `${rbac}/clusterrolebindings`,
    binding("$ID-dangling", "ClusterRole/$ID-nowhere", user("$ID-lost")),
  ),
  post(
    "paths",
    `${rbac}/clusterroles`,
    role("$ID-paths", [{ verbs: ["get"], nonResourceURLs: ["/metrics", "/logs/*"] }]),
  ),
  post("its binding", `${rbac}/clusterrolebindings`, binding("$ID-paths", "ClusterRole/$ID-paths", user("$ID-ops"))),
  post(
    "role maker",
    `${rbac}/clusterroles`,
    role("$ID-maker", [
      rule(["*"], ["rbac.authorization.k8s.io"], ["roles", "rolebindings", "clusterroles", "clusterrolebindings"]),
      rule(["get"], [""], ["pods"]),
    ]),
  ),
  post(
    "its binding",
    `${rbac}/clusterrolebindings`,
    binding("$ID-maker", "ClusterRole/$ID-maker", user("$ID-maker-all")),
  ),
  post(
    "plain maker",
    `${rbac}/clusterroles`,
    role("$ID-plain", [
      rule(
        ["create", "update", "patch", "get", "delete"],
        ["rbac.authorization.k8s.io"],
        ["roles", "rolebindings", "clusterroles", "clusterrolebindings"],
      ),
      rule(["get"], [""], ["pods"]),
    ]),
  ),
  post("its binding", `${rbac}/clusterrolebindings`, binding("$ID-plain", "ClusterRole/$ID-plain", user("$ID-maker"))),
  post(
    "impersonator",
    `${rbac}/clusterroles`,
    role("$ID-imp", [
      rule(["impersonate"], [""], ["users"], { resourceNames: ["$ID-jane"] }),
      rule(["impersonate"], [""], ["serviceaccounts"]),
    ]),
  ),
  post("its binding", `${rbac}/clusterrolebindings`, binding("$ID-imp", "ClusterRole/$ID-imp", user("$ID-actor"))),
];

const reads: readonly Step[] = [
  get("list pods as a reader", `${ns}/pods`, "$ID-jane"),
  get("list pods as a member", `${ns}/pods`, "$ID-x $ID-devs"),
  get("list pods as nobody", `${ns}/pods`, "$ID-nobody"),
  get("list pods of all namespaces", "/api/v1/pods", "$ID-jane"),
  get("get a pod that is not there", `${ns}/pods/none`, "$ID-jane"),
  get("get without right", `${ns}/services/none`, "$ID-jane"),
  get("watch without right", `${ns}/services?watch=1`, "$ID-jane"),
  get("list of a group", `/apis/apps/v1/namespaces/$NS/deployments`, "$ID-jane"),
  get("a named secret", `${ns}/secrets/this`, "$ID-jane"),
  get("another secret", `${ns}/secrets/other`, "$ID-jane"),
  get("list of the named one", `${ns}/secrets?fieldSelector=metadata.name%3Dthis`, "$ID-jane"),
  get("list of all secrets", `${ns}/secrets`, "$ID-jane"),
  get("a log", `${ns}/pods/none/log`, "$ID-joe"),
  get("the pod of a log", `${ns}/pods/none`, "$ID-joe"),
  get("a log without right", `${ns}/pods/none/log`, "$ID-jane"),
  get("a scale by star", `/apis/apps/v1/namespaces/$NS/deployments/none/scale`, "$ID-joe"),
  get("the object of a scale", `/apis/apps/v1/namespaces/$NS/deployments/none`, "$ID-joe"),
  get("an unknown resource without right", `${ns}/nothings`, "$ID-jane"),
  get("an unknown group without right", `/apis/none.example/v1/namespaces/$NS/things`, "$ID-jane"),
  get("the namespace", ns, "$ID-jane"),
  get("the namespaces", "/api/v1/namespaces", "$ID-jane"),
  get("a cluster role", `${rbac}/clusterroles/view`, "$ID-jane"),
  get("nodes", "/api/v1/nodes", "$ID-viewer"),
  get("secrets as viewer", `${ns}/secrets`, "$ID-viewer"),
  get("through a missing role", `${ns}/pods`, "$ID-lost"),
  get("a path through a missing role", "/metrics", "$ID-lost"),
  get("a path without right", "/metrics", "$ID-jane"),
  get("a path with a star", "/logs/x", "$ID-jane"),
  get("an empty user", `${ns}/pods`, "$ID-<b>"),
  get("discovery", "/apis/apps", "$ID-nobody"),
  get("discovery as nobody known", "/apis/apps", "anonymous"),
  get("pods as nobody known", `${ns}/pods`, "anonymous"),
  get("root as nobody known", "/", "anonymous"),
  get("health as nobody known", "/readyz", "anonymous"),
  get("keys as nobody known", "/openid/v1/jwks", "anonymous"),
  { name: "a wrong token", path: `${ns}/pods`, as: "anonymous", headers: { authorization: "Bearer nonsense" } },
  { name: "a token of nobody's", path: `${ns}/pods`, as: "anonymous", headers: { authorization: "Bearer a.b.c" } },
  { name: "basic authentication", path: `${ns}/pods`, as: "anonymous", headers: { authorization: "Basic YTpi" } },
];

const writes: readonly Step[] = [
  post("create without right", `${ns}/configmaps`, { metadata: { name: "a" } }, "$ID-jane"),
  { name: "delete without right", method: "DELETE", path: `${ns}/configmaps/a`, as: "$ID-jane" },
  { name: "delete all without right", method: "DELETE", path: `${ns}/configmaps`, as: "$ID-jane" },
  {
    name: "patch without right",
    method: "PATCH",
    path: `${ns}/configmaps/a`,
    body: {},
    headers: merge,
    as: "$ID-jane",
  },
  {
    name: "apply without right",
    method: "PATCH",
    path: `${ns}/configmaps/a?fieldManager=x`,
    body: {},
    headers: apply,
    as: "$ID-jane",
  },
  post("broken body without right", `${ns}/configmaps`, ["x"], "$ID-jane"),
  post("create as editor", `${ns}/configmaps`, { metadata: { name: "a" } }, "$ID-ed"),
  post("a role as editor", `${rbac}/namespaces/$NS/roles`, role("x", []), "$ID-ed"),
  post("a role as manager", `${rbac}/namespaces/$NS/roles`, role("x", [rule(["get"], [""], ["pods"])]), "$ID-boss"),
  post(
    "a role with too much",
    `${rbac}/namespaces/$NS/roles`,
    role("y", [rule(["get", "list"], [""], ["nodes", "pods"]), rule(["*"], ["*"], ["*"])]),
    "$ID-boss",
  ),
  post(
    "a role with names",
    `${rbac}/namespaces/$NS/roles`,
    role("y", [
      rule(["get"], [""], ["secrets"], { resourceNames: ["a", "b"] }),
      rule(["get", "use"], ["x.example"], ["things"], { resourceNames: ["c"] }),
    ]),
    "$ID-boss",
  ),
  post(
    "a binding to more than one has",
    `${rbac}/namespaces/$NS/rolebindings`,
    binding("z", "ClusterRole/cluster-admin", user("me")),
    "$ID-boss",
  ),
  post(
    "a binding to what one has",
    `${rbac}/namespaces/$NS/rolebindings`,
    binding("z", "ClusterRole/view", user("me")),
    "$ID-boss",
  ),
  post(
    "a binding to nothing",
    `${rbac}/namespaces/$NS/rolebindings`,
    binding("zz", "ClusterRole/$ID-nothing", user("me")),
    "$ID-boss",
  ),
  post(
    "a binding to no role",
    `${rbac}/namespaces/$NS/rolebindings`,
    binding("zz", "Role/nothing", user("me")),
    "$ID-boss",
  ),
  post("a cluster role without right", `${rbac}/clusterroles`, role("$ID-c", []), "$ID-boss"),
  post(
    "a cluster role with too much",
    `${rbac}/clusterroles`,
    role("$ID-c", [
      rule(["get", "list", "watch"], [""], ["pods", "secrets"]),
      { verbs: ["get", "post"], nonResourceURLs: ["/metrics"] },
    ]),
    "$ID-maker",
  ),
  post(
    "a cluster role that aggregates",
    `${rbac}/clusterroles`,
    { ...role("$ID-c", []), aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: "b" } }] } },
    "$ID-maker",
  ),
  post(
    "a role of one who may escalate",
    `${rbac}/clusterroles`,
    role("$ID-e", [rule(["*"], ["*"], ["*"])]),
    "$ID-maker-all",
  ),
  post(
    "a binding of one who may bind",
    `${rbac}/clusterrolebindings`,
    binding("$ID-e", "ClusterRole/cluster-admin", user("$ID-nobody2")),
    "$ID-maker-all",
  ),
  {
    name: "more rules by patch",
    method: "PATCH",
    path: `${rbac}/clusterroles/$ID-plain`,
    body: { rules: [rule(["*"], ["*"], ["*"])] },
    headers: merge,
    as: "$ID-maker",
  },
  {
    name: "fewer rules by patch",
    method: "PATCH",
    path: `${rbac}/clusterroles/$ID-plain`,
    body: { rules: [rule(["get", "patch"], ["rbac.authorization.k8s.io"], ["clusterroles"])] },
    headers: merge,
    as: "$ID-maker",
  },
  {
    name: "finalizers of a role one does not hold",
    method: "PATCH",
    path: `${rbac}/clusterroles/$ID-paths`,
    body: { metadata: { finalizers: ["a.example/b"] } },
    headers: merge,
    as: "$ID-maker",
  },
  {
    name: "finalizers back",
    method: "PATCH",
    path: `${rbac}/clusterroles/$ID-paths`,
    body: { metadata: { finalizers: null } },
    headers: merge,
    as: "$ID-maker",
  },
  {
    name: "labels of a role one does not hold",
    method: "PATCH",
    path: `${rbac}/clusterroles/$ID-paths`,
    body: { metadata: { labels: { a: "b" } } },
    headers: merge,
    as: "$ID-maker",
  },
  {
    name: "another role for a binding",
    method: "PATCH",
    path: `${rbac}/namespaces/$NS/rolebindings/read`,
    body: { roleRef: { name: "one" } },
    headers: merge,
  },
  post(
    "a role without verbs",
    `${rbac}/namespaces/$NS/roles`,
    role("v", [{ apiGroups: [""], resources: ["pods"], verbs: [] }]),
  ),
  post("a role of URLs", `${rbac}/namespaces/$NS/roles`, role("v", [{ verbs: ["get"], nonResourceURLs: ["/x"] }])),
  post(
    "a binding of wrong subjects",
    `${rbac}/namespaces/$NS/rolebindings`,
    binding("v", "Foo/x", { kind: "ServiceAccount", name: "A" }, { kind: "Foo", name: "b" }),
  ),
];

const acting: readonly Step[] = [
  get("as one who may not", `${ns}/pods`, "$ID-jane"),
  { name: "no user", path: `${ns}/pods`, headers: { "impersonate-group": "x" } },
  {
    name: "no user but an id",
    path: `${ns}/pods`,
    headers: { "impersonate-uid": "x", "impersonate-extra-scopes": "a" },
  },
  post(
    "who am I",
    `${authentication}/selfsubjectreviews`,
    { kind: "SelfSubjectReview", apiVersion: "authentication.k8s.io/v1" },
    "$ID-jane $ID-devs",
  ),
  post(
    "an account",
    `${authentication}/selfsubjectreviews`,
    { kind: "SelfSubjectReview", apiVersion: "authentication.k8s.io/v1" },
    "system:serviceaccount:$NS:default",
  ),
  // Whether a node's groups come with its name depends on what a real server was asked before: it tries the last way first.
  post(
    "anonymous by name",
    `${authentication}/selfsubjectreviews`,
    { kind: "SelfSubjectReview", apiVersion: "authentication.k8s.io/v1" },
    "system:anonymous",
  ),
  post(
    "with a known group",
    `${authentication}/selfsubjectreviews`,
    { kind: "SelfSubjectReview", apiVersion: "authentication.k8s.io/v1" },
    "a system:unauthenticated",
  ),
  {
    name: "with id and extra",
    method: "POST",
    path: `${authentication}/selfsubjectreviews`,
    body: { kind: "SelfSubjectReview", apiVersion: "authentication.k8s.io/v1" },
    as: "$ID-jane",
    headers: { "impersonate-uid": "u1", "impersonate-extra-acme.com%2fproject": "p" },
  },
];

const reviews: readonly Step[] = [
  ...[
    { user: "$ID-jane", resourceAttributes: { verb: "list", resource: "pods", namespace: "$NS" } },
    { user: "$ID-jane", resourceAttributes: { verb: "list", resource: "pods" } },
    { groups: ["$ID-devs"], resourceAttributes: { verb: "list", resource: "pods", namespace: "$NS" } },
    { user: "$ID-lost", resourceAttributes: { verb: "list", resource: "pods", namespace: "$NS" } },
    { user: "$ID-ops", nonResourceAttributes: { verb: "get", path: "/logs/a" } },
    { user: "$ID-ops", nonResourceAttributes: { verb: "post", path: "/logs/a" } },
    { user: "$ID-joe", resourceAttributes: { verb: "get", resource: "pods", subresource: "log", namespace: "$NS" } },
    { user: "$ID-jane", groups: ["system:masters"], resourceAttributes: { verb: "x", resource: "y" } },
    { user: "$ID-jane", resourceAttributes: { verb: "get", resource: "secrets", name: "this", namespace: "$NS" } },
    {},
    { user: "a", resourceAttributes: {}, nonResourceAttributes: { path: "/x" } },
    { resourceAttributes: { verb: "get", resource: "pods" } },
    { user: "a", resourceAttributes: { verb: "list", resource: "pods", fieldSelector: {} } },
  ].map((spec, at) => post(`a review ${at}`, `${authorization}/subjectaccessreviews`, { spec })),
  post("a review with a name", `${authorization}/subjectaccessreviews`, {
    metadata: { name: "x" },
    spec: { user: "a", nonResourceAttributes: { path: "/x" } },
  }),
  post("a local review", `${authorization}/namespaces/$NS/localsubjectaccessreviews`, {
    spec: { user: "$ID-jane", resourceAttributes: { namespace: "$NS", verb: "list", resource: "pods" } },
  }),
  post("a local review of elsewhere", `${authorization}/namespaces/$NS/localsubjectaccessreviews`, {
    spec: { user: "$ID-jane", resourceAttributes: { verb: "list", resource: "pods" } },
  }),
  post("a local review of a path", `${authorization}/namespaces/$NS/localsubjectaccessreviews`, {
    spec: { user: "$ID-jane", nonResourceAttributes: { path: "/" } },
  }),
  post(
    "a review without right",
    `${authorization}/subjectaccessreviews`,
    { spec: { user: "a", nonResourceAttributes: { path: "/" } } },
    "$ID-jane",
  ),
  post(
    "may I",
    `${authorization}/selfsubjectaccessreviews`,
    { spec: { resourceAttributes: { namespace: "$NS", verb: "list", resource: "pods" } } },
    "$ID-jane",
  ),
  post(
    "may I not",
    `${authorization}/selfsubjectaccessreviews`,
    { spec: { resourceAttributes: { namespace: "$NS", verb: "delete", resource: "pods" } } },
    "$ID-jane",
  ),
  post("what may I", `${authorization}/selfsubjectrulesreviews`, { spec: { namespace: "$NS" } }, "$ID-nobody"),
  post("what may I nowhere", `${authorization}/selfsubjectrulesreviews`, { spec: {} }, "$ID-nobody"),
  post(
    "may I, unknown",
    `${authorization}/selfsubjectaccessreviews`,
    { spec: { nonResourceAttributes: { verb: "get", path: "/x" } } },
    "anonymous",
  ),
];

const account = `${ns}/serviceaccounts`;
const tokens: readonly Step[] = [
  post("an account", account, { metadata: { name: "bot" } }),
  post("a token", `${account}/bot/token`, { spec: {} }),
  post("a token of an hour for others", `${account}/bot/token`, {
    kind: "TokenRequest",
    apiVersion: "authentication.k8s.io/v1",
    spec: { audiences: ["vault", "x"], expirationSeconds: 7200 },
  }),
  post("a short token", `${account}/bot/token`, { spec: { expirationSeconds: 599 } }),
  post("a long token", `${account}/bot/token`, { spec: { expirationSeconds: 2 ** 32 + 1 } }),
  post("a token of no account", `${account}/none/token`, { spec: {} }),
  post("a token under another name", `${account}/bot/token`, { metadata: { name: "other" }, spec: {} }),
  post("a token in another namespace", `${account}/bot/token`, { metadata: { namespace: "default" }, spec: {} }),
  post("a token of another account of the name", `${account}/bot/token`, { metadata: { uid: "7" }, spec: {} }),
  post("a token bound to nothing", `${account}/bot/token`, {
    spec: { boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "none" } },
  }),
  post("a token bound to no secret", `${account}/bot/token`, {
    spec: { boundObjectRef: { kind: "Secret", apiVersion: "v1", name: "none" } },
  }),
  post("a token bound to no node", `${account}/bot/token`, {
    spec: { boundObjectRef: { kind: "Node", apiVersion: "v1", name: "$ID-none" } },
  }),
  post("a token bound to a map", `${account}/bot/token`, {
    spec: { boundObjectRef: { kind: "ConfigMap", apiVersion: "v1", name: "none" } },
  }),
  post("a token bound to a deployment", `${account}/bot/token`, {
    spec: { boundObjectRef: { kind: "Deployment", apiVersion: "apps/v1", name: "none" } },
  }),
  post("a secret", `${ns}/secrets`, { metadata: { name: "s" } }),
  post("a token bound to another secret of the name", `${account}/bot/token`, {
    spec: { boundObjectRef: { kind: "Secret", apiVersion: "v1", name: "s", uid: "8" } },
  }),
  post("a token bound to a secret", `${account}/bot/token`, {
    spec: { boundObjectRef: { kind: "Secret", apiVersion: "v1", name: "s" } },
  }),
  post("a token of another kind", `${account}/bot/token`, { kind: "Pod", apiVersion: "v1" }),
  post("a token without right", `${account}/bot/token`, { spec: {} }, "$ID-jane"),
  get("the token of an account", `${account}/bot/token`),
  post("no token", `${authentication}/tokenreviews`, { spec: {} }),
  post("a wrong token", `${authentication}/tokenreviews`, { spec: { token: "x" } }),
];

const namespaces: readonly Step[] = [
  { name: "an immortal namespace", method: "DELETE", path: "/api/v1/namespaces/kube-system" },
  { name: "an immortal namespace without right", method: "DELETE", path: "/api/v1/namespaces/default", as: "$ID-jane" },
  post("a missing namespace", "/api/v1/namespaces/$ID-none/configmaps", { metadata: { name: "a" } }),
  post(
    "a missing namespace without right",
    "/api/v1/namespaces/$ID-none/configmaps",
    { metadata: { name: "a" } },
    "$ID-jane",
  ),
  post("a pod in a missing namespace", "/api/v1/namespaces/$ID-none/pods", {
    metadata: { name: "a" },
    spec: { containers: [{ name: "c", image: "x" }] },
  }),
  get("a list of a missing namespace", "/api/v1/namespaces/$ID-none/pods"),
  post("a pod without its account", `${ns}/pods`, {
    metadata: { name: "a" },
    spec: { serviceAccountName: "nobody", containers: [{ name: "c", image: "x" }] },
  }),
  post("a pod generated without its account", `${ns}/pods`, {
    metadata: { generateName: "$ID-" },
    spec: { serviceAccountName: "nobody", containers: [{ name: "c", image: "x" }] },
  }),
  post("a namespace that is going", "/api/v1/namespaces", {
    metadata: { name: "$ID-going" },
    spec: { finalizers: ["x.example/y"] },
  }),
  post("something that keeps it", "/api/v1/namespaces/$ID-going/configmaps", {
    metadata: { name: "keep", finalizers: ["x.example/y"] },
  }),
  { name: "is deleted", method: "DELETE", path: "/api/v1/namespaces/$ID-going", only: ["kind"] },
  post("nothing more comes into it", "/api/v1/namespaces/$ID-going/configmaps", { metadata: { name: "late" } }),
  post("a pod neither", "/api/v1/namespaces/$ID-going/pods", {
    metadata: { name: "late" },
    spec: { containers: [{ name: "c", image: "x" }] },
  }),
  post("nor an account's token", "/api/v1/namespaces/$ID-going/serviceaccounts", { metadata: { name: "late" } }),
];
/** What is in every pod, whatever its account: `$ID` aside. */
const admitted: readonly Step[] = [
  post("an account", `${ns}/serviceaccounts`, {
    metadata: { name: "puller" },
    imagePullSecrets: [{ name: "p" }],
    automountServiceAccountToken: false,
  }),
  post("a plain pod", `${ns}/pods`, {
    metadata: { name: "p1" },
    spec: { containers: [{ name: "c", image: "x" }], initContainers: [{ name: "i", image: "x" }] },
  }),
  post("a pod of the account", `${ns}/pods`, {
    metadata: { name: "p2" },
    spec: { serviceAccountName: "puller", containers: [{ name: "c", image: "x" }] },
  }),
  post("a pod that wants it all the same", `${ns}/pods`, {
    metadata: { name: "p3" },
    spec: {
      serviceAccountName: "puller",
      automountServiceAccountToken: true,
      imagePullSecrets: [{ name: "q" }],
      containers: [{ name: "c", image: "x" }],
    },
  }),
  post("a pod with a mount of its own", `${ns}/pods`, {
    metadata: { name: "p4" },
    spec: {
      volumes: [{ name: "v", emptyDir: {} }],
      containers: [
        {
          name: "c",
          image: "x",
          volumeMounts: [{ name: "v", mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" }],
        },
        { name: "d", image: "x" },
      ],
    },
  }),
  post("a mirror pod", `${ns}/pods`, {
    metadata: { name: "p5", annotations: { "kubernetes.io/config.mirror": "x" } },
    spec: { serviceAccountName: "puller", containers: [{ name: "c", image: "x" }] },
  }),
  post("a strict account", `${ns}/serviceaccounts`, {
    metadata: { name: "strict", annotations: { "kubernetes.io/enforce-mountable-secrets": "true" } },
    secrets: [{ name: "mine" }],
  }),
  post("its Secret", `${ns}/pods`, {
    metadata: { name: "p6" },
    spec: {
      serviceAccountName: "strict",
      volumes: [{ name: "v", secret: { secretName: "mine" } }],
      containers: [{ name: "c", image: "x" }],
    },
  }),
  post("another's Secret", `${ns}/pods`, {
    metadata: { name: "p7" },
    spec: {
      serviceAccountName: "strict",
      volumes: [{ name: "v", secret: { secretName: "other" } }],
      containers: [{ name: "c", image: "x" }],
    },
  }),
  post("another's Secret in a variable", `${ns}/pods`, {
    metadata: { name: "p7" },
    spec: {
      serviceAccountName: "strict",
      containers: [
        { name: "c", image: "x", env: [{ name: "E", valueFrom: { secretKeyRef: { name: "other", key: "k" } } }] },
      ],
    },
  }),
];

const csrs = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
/** Requests of openssl: for jane of devs, for an administrator, for a node. */
const requestOf = (subject: string, names: string[] = []): string => {
  const args = [
    "req",
    "-new",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-keyout",
    "/dev/null",
  ];
  const more = names.length > 0 ? ["-addext", `subjectAltName=${names.join(",")}`] : [];
  const pem = execFileSync(programPath("openssl") ?? "openssl", [...args, "-subj", subject, ...more], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  return pem.toString("base64");
};
const jane = requestOf("/O=devs/CN=jane");
const client = "kubernetes.io/kube-apiserver-client";
const csr = (name: string, spec: object, as = "$ID-asker system:masters"): Step =>
  post(
    name,
    csrs,
    {
      metadata: { name: `$ID-${name.replaceAll(" ", "-")}` },
      spec: { request: jane, signerName: client, usages: ["client auth"], ...spec },
    },
    as,
  );
const approval = (name: string, of: string, conditions: object[], as?: string): Step => ({
  name,
  method: "PATCH",
  path: `${csrs}/$ID-${of}/approval`,
  headers: merge,
  body: { status: { conditions } },
  ...(as ? { as } : {}),
});
const approved = { type: "Approved", status: "True", reason: "Mine", message: "m" };
const certificates: readonly Step[] = [
  csr("plain", {}),
  csr("by another", { username: "me", groups: ["x"], uid: "1" }, "$ID-jane $ID-devs system:masters"),
  csr("without usages", { usages: [] }),
  csr("with strange usages", { usages: ["client auth", "foo", "client auth"] }),
  csr("without signer", { signerName: "" }),
  csr("of a bad signer", { signerName: "A/b_" }),
  csr("of a signer without path", { signerName: "foo" }),
  csr("of the legacy signer", { signerName: "kubernetes.io/legacy-unknown" }),
  csr("of a short life", { expirationSeconds: 599 }),
  csr("for an administrator", { request: requestOf("/O=system:masters/CN=boss") }),
  csr("for an administrator elsewhere", { request: requestOf("/O=system:masters/CN=boss"), signerName: "x.example/y" }),
  csr("of another signer", { signerName: "x.example/y" }),
  csr("without right", {}, "$ID-jane"),
  csr("that is none", { request: Buffer.from("x").toString("base64") }),
  approval("approve without right", "plain", [approved], "$ID-jane"),
  approval("approve by one who may update", "plain", [approved], "$ID-approver"),
  approval("approve and deny", "plain", [approved, { type: "Denied", status: "True" }]),
  approval("approve falsely", "plain", [{ type: "Approved", status: "False" }]),
  approval("approve without type", "plain", [{ type: "", status: "" }]),
  approval("deny", "of-another-signer", [{ type: "Denied", status: "True", reason: "No" }]),
  approval("undo it", "of-another-signer", []),
  {
    name: "change the spec",
    method: "PATCH",
    path: `${csrs}/$ID-plain`,
    headers: merge,
    body: { spec: { usages: ["any"] }, metadata: { labels: { a: "b" } } },
  },
  {
    name: "set a certificate without sense",
    method: "PATCH",
    path: `${csrs}/$ID-plain/status`,
    headers: merge,
    body: { status: { certificate: "eA==" } },
  },
  {
    name: "approve through the status",
    method: "PATCH",
    path: `${csrs}/$ID-plain/status`,
    headers: merge,
    body: { status: { conditions: [approved] } },
  },
  {
    name: "sign without right",
    method: "PATCH",
    path: `${csrs}/$ID-plain/status`,
    headers: merge,
    body: { status: { conditions: [{ type: "X", status: "True" }] } },
    as: "$ID-approver",
  },
  get("of one signer", `${csrs}?fieldSelector=spec.signerName%3Dnone.example%2Fx`),
];

describeWith(["real-cluster"], "access is decided as by a real control plane", () => {
  let sides: readonly [Side, Side];
  let stop: () => Promise<void>;
  beforeAll(async () => {
    ({ sides, stop } = await twoSides(realClusterKubeconfig() ?? ""));
    for (const side of sides) {
      for (const step of setup) {
        const answer = await side.ask(step);
        if (answer.code !== 201) throw new Error(`${side.name}: ${step.name}: ${answer.text}`);
      }
      const lastBound = { name: "all bound", path: "/logs/x", as: "$ID-ops" };
      await until(async () => (await side.ask(lastBound)).code !== 403);
      await until(async () => (await side.ask({ name: "", path: `${ns}/pods`, as: "$ID-viewer" })).code === 200);
    }
  });
  afterAll(async () => {
    for (const side of sides) {
      await side.ask({ name: "", method: "DELETE", path: ns });
      const keep = "/api/v1/namespaces/$ID-going/configmaps/keep";
      await side.ask({
        name: "",
        method: "PATCH",
        path: keep,
        body: { metadata: { finalizers: null } },
        headers: merge,
      });
      for (const name of ["view", "dangling", "paths", "maker", "plain", "imp", "e", "approver"]) {
        await side.ask({ name: "", method: "DELETE", path: `${rbac}/clusterrolebindings/$ID-${name}` });
        await side.ask({ name: "", method: "DELETE", path: `${rbac}/clusterroles/$ID-${name}` });
      }
    }
    for (const side of sides) {
      for (const { path, body } of certificates) {
        const name = (body as { metadata?: { name?: string } } | undefined)?.metadata?.name;
        if (path === csrs && name) await side.ask({ name: "", method: "DELETE", path: `${csrs}/${name}` });
      }
    }
    await stop();
  });

  const all = { reads, acting, reviews, tokens, writes, certificates, namespaces, admitted };
  describe.each(Object.entries(all))("%s", (_, steps) => {
    it.each(steps)("$name", async (step) => {
      const [own, real] = await Promise.all(sides.map((side) => side.ask(step)));
      expect(compared(own!, step)).toEqual(compared(real!, step));
    });
  });
});
