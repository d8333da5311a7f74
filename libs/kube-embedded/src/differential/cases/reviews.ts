import type { Group, Step } from "../play.js";

const authorization = "/apis/authorization.k8s.io/v1";
const authentication = "/apis/authentication.k8s.io/v1";
const post = (name: string, path: string, body: unknown, more: Partial<Step> = {}): Step => ({
  name,
  method: "POST",
  path,
  body,
  ...more,
});
const review = (kind: string, spec: object, more: object = {}) => ({
  apiVersion: "authorization.k8s.io/v1",
  kind,
  spec,
  ...more,
});
const pods = { namespace: "$NS", verb: "get", resource: "pods" };
const sar = (name: string, spec: object, more: object = {}): Step =>
  post(name, `${authorization}/subjectaccessreviews`, review("SubjectAccessReview", spec, more));
const self = (name: string, spec: object, headers?: Record<string, string>): Step =>
  post(
    name,
    `${authorization}/selfsubjectaccessreviews`,
    review("SelfSubjectAccessReview", spec),
    headers ? { headers } : {},
  );
const as = { "impersonate-user": "nobody", "impersonate-group": "nothing" };

export const reviewGroups: readonly Group[] = [
  {
    name: "reviews",
    steps: [
      sar("a user", { user: "nobody", resourceAttributes: pods }),
      sar("a group", { groups: ["system:masters"], resourceAttributes: pods }),
      sar("nobody", { resourceAttributes: pods }),
      sar("nothing asked", { user: "nobody" }),
      sar("both asked", {
        user: "nobody",
        resourceAttributes: pods,
        nonResourceAttributes: { path: "/healthz", verb: "get" },
      }),
      sar("a name", {
        user: "nobody",
        resourceAttributes: { ...pods, name: "x", subresource: "log", group: "apps", version: "v1" },
      }),
      sar("with a name in metadata", { user: "nobody", resourceAttributes: pods }, { metadata: { name: "x" } }),
      sar(
        "with labels in metadata",
        { user: "nobody", resourceAttributes: pods },
        { metadata: { labels: { a: "b" } } },
      ),
      sar("no spec", {}, { spec: undefined }),
      sar("an unknown field", { user: "nobody", resourceAttributes: pods, odd: 1 }),
      sar("a wrong type", { user: 1 }),
      sar("extra", { user: "nobody", extra: { a: ["b"] }, uid: "u", resourceAttributes: pods }),
      sar("a field selector", {
        user: "nobody",
        resourceAttributes: { ...pods, fieldSelector: { rawSelector: "a=b" } },
      }),
      sar("a field selector of both kinds", {
        user: "nobody",
        resourceAttributes: {
          ...pods,
          fieldSelector: { rawSelector: "a=b", requirements: [{ key: "a", operator: "In", values: ["b"] }] },
        },
      }),
      sar("an empty field selector", { user: "nobody", resourceAttributes: { ...pods, fieldSelector: {} } }),
      post(
        "a dry run",
        `${authorization}/subjectaccessreviews?dryRun=All`,
        review("SubjectAccessReview", { user: "nobody", resourceAttributes: pods }),
      ),
      post(
        "of another kind",
        `${authorization}/subjectaccessreviews`,
        review("SelfSubjectAccessReview", { resourceAttributes: pods }),
      ),
      self("oneself", { resourceAttributes: pods }),
      self("oneself as another", { resourceAttributes: pods }, as),
      self("oneself, nothing asked", {}),
      self("oneself, both asked", { resourceAttributes: pods, nonResourceAttributes: { path: "/", verb: "get" } }),
      post(
        "local",
        `${authorization}/namespaces/$NS/localsubjectaccessreviews`,
        review(
          "LocalSubjectAccessReview",
          { user: "nobody", resourceAttributes: pods },
          { metadata: { namespace: "$NS" } },
        ),
      ),
      post(
        "local of another namespace",
        `${authorization}/namespaces/$NS/localsubjectaccessreviews`,
        review("LocalSubjectAccessReview", { user: "nobody", resourceAttributes: { ...pods, namespace: "other" } }),
      ),
      post(
        "local of a path",
        `${authorization}/namespaces/$NS/localsubjectaccessreviews`,
        review("LocalSubjectAccessReview", { user: "nobody", nonResourceAttributes: { path: "/", verb: "get" } }),
      ),
      post("rules of no namespace", `${authorization}/selfsubjectrulesreviews`, review("SelfSubjectRulesReview", {})),
      post("a bad token", `${authentication}/tokenreviews`, {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenReview",
        spec: { token: "x" },
      }),
      post("no token", `${authentication}/tokenreviews`, {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenReview",
        spec: {},
      }),
      post("a token's audiences", `${authentication}/tokenreviews`, {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenReview",
        spec: { token: "x", audiences: ["a"] },
      }),
      post(
        "who am I",
        `${authentication}/selfsubjectreviews`,
        { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" },
        { headers: as },
      ),
      post(
        "who am I, as a dry run",
        `${authentication}/selfsubjectreviews?dryRun=All`,
        { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" },
        { headers: as },
      ),
      post(
        "who am I, with a status",
        `${authentication}/selfsubjectreviews`,
        { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview", status: { userInfo: { username: "x" } } },
        { headers: as },
      ),
      { name: "get a review", method: "GET", path: `${authorization}/subjectaccessreviews` },
      { name: "get a review by name", method: "GET", path: `${authorization}/subjectaccessreviews/x` },
      { name: "delete a review", method: "DELETE", path: `${authorization}/subjectaccessreviews/x` },
      post("a token of an account", "serviceaccounts/default/token", {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        spec: { expirationSeconds: 5 },
      }),
      post("a token of nobody", "serviceaccounts/none/token", {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        spec: {},
      }),
      post("a token for a pod that is not there", "serviceaccounts/default/token", {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        spec: { boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "none" } },
      }),
      post("a token for a thing", "serviceaccounts/default/token", {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        spec: { boundObjectRef: { kind: "ConfigMap", apiVersion: "v1", name: "x" } },
      }),
      { name: "get a token", method: "GET", path: "serviceaccounts/default/token" },
    ],
  },
];
