import {
  AccessIndex,
  type Attributes,
  aggregatedRules,
  bootstrapPolicy,
  escalationProblem,
  impersonate,
  type PolicyRule,
  reconciled,
  refusal,
  ruleAllows,
  splitUsername,
} from "./index.js";

const pods = (verb: string, more: object = {}): Attributes => ({ verb, group: "", resource: "pods", ...more });
const rule = (more: Partial<PolicyRule> = {}): PolicyRule => ({
  verbs: ["get"],
  apiGroups: [""],
  resources: ["pods"],
  ...more,
});

it.each([
  { why: "a rule names verb, group and resource", given: rule(), asked: pods("get"), want: true },
  { why: "another verb is not meant", given: rule(), asked: pods("list"), want: false },
  { why: "another group is not meant", given: rule(), asked: pods("get", { group: "metrics.k8s.io" }), want: false },
  {
    why: "a resource does not include its subresources",
    given: rule(),
    asked: pods("get", { subresource: "log" }),
    want: false,
  },
  {
    why: "a subresource is named with its resource",
    given: rule({ resources: ["pods/log"] }),
    asked: pods("get", { subresource: "log" }),
    want: true,
  },
  {
    why: "a star stands for any resource of a subresource",
    given: rule({ resources: ["*/log"] }),
    asked: pods("get", { subresource: "log" }),
    want: true,
  },
  { why: "but not for the resource itself", given: rule({ resources: ["*/log"] }), asked: pods("get"), want: false },
  {
    why: "a star alone stands for everything",
    given: rule({ resources: ["*"] }),
    asked: pods("get", { subresource: "log" }),
    want: true,
  },
  { why: "names limit a rule", given: rule({ resourceNames: ["a"] }), asked: pods("get", { name: "b" }), want: false },
  {
    why: "and a request without one is not limited to them",
    given: rule({ resourceNames: ["a"] }),
    asked: pods("get"),
    want: false,
  },
  {
    why: "URLs are matched exactly",
    given: { verbs: ["get"], nonResourceURLs: ["/a"] },
    asked: { verb: "get", path: "/a/b" },
    want: false,
  },
  {
    why: "or by their beginning",
    given: { verbs: ["get"], nonResourceURLs: ["/a/*"] },
    asked: { verb: "get", path: "/a/b" },
    want: true,
  },
  {
    why: "resources are no URLs",
    given: rule({ verbs: ["*"], resources: ["*"], apiGroups: ["*"] }),
    asked: { verb: "get", path: "/a" },
    want: false,
  },
])("$why", ({ given, asked, want }) => expect(ruleAllows(given, asked)).toBe(want));

describe("the index", () => {
  const index = new AccessIndex();
  index.setRole(undefined, "reader", [rule()]);
  index.setRole("shop", "writer", [rule({ verbs: ["create"] })]);
  index.setBinding("shop", "bot", {
    roleRef: { kind: "ClusterRole", name: "reader" },
    subjects: [{ kind: "ServiceAccount", name: "bot" }],
  });
  index.setBinding("shop", "writers", {
    roleRef: { kind: "Role", name: "writer" },
    subjects: [{ kind: "Group", name: "w" }],
  });
  const bot = { username: "system:serviceaccount:shop:bot", groups: ["w"] };

  it("follows bindings of users, groups and accounts in their namespace alone", () => {
    expect(index.authorize(bot, pods("get", { namespace: "shop" }))).toEqual({
      allowed: true,
      reason: 'RBAC: allowed by RoleBinding "bot/shop" of ClusterRole "reader" to ServiceAccount "bot/shop"',
    });
    expect(index.authorize(bot, pods("create", { namespace: "shop" })).allowed).toBe(true);
    expect(index.authorize(bot, pods("get", { namespace: "other" })).allowed).toBe(false);
    expect(index.authorize(bot, pods("get")).allowed).toBe(false);
  });
  it("says which role is missing", () => {
    index.setRole("shop", "writer", undefined);
    expect(index.authorize(bot, pods("create", { namespace: "shop" }))).toEqual({
      allowed: false,
      reason: 'RBAC: role.rbac.authorization.k8s.io "writer" not found',
    });
  });
  it("forgets a binding that is gone or has become another", () => {
    index.setBinding("shop", "bot", {
      roleRef: { kind: "ClusterRole", name: "reader" },
      subjects: [{ kind: "User", name: "eve" }],
    });
    expect(index.authorize(bot, pods("get", { namespace: "shop" })).allowed).toBe(false);
    expect(index.authorize({ username: "eve", groups: [] }, pods("get", { namespace: "shop" })).allowed).toBe(true);
    index.setBinding("shop", "bot", undefined);
    expect(index.authorize({ username: "eve", groups: [] }, pods("get", { namespace: "shop" })).allowed).toBe(false);
  });
});

it("lists what is missing, one line per resource, in order", () => {
  const held = [rule(), { verbs: ["get"], nonResourceURLs: ["/a*"] }];
  const wanted = [
    rule({ verbs: ["get", "list", "watch"], resources: ["pods", "secrets"] }),
    { verbs: ["get"], nonResourceURLs: ["/ab"] },
  ];
  expect(escalationProblem({ username: "u", groups: ["g", "h"] }, held, wanted)).toBe(
    `user "u" (groups=["g" "h"]) is attempting to grant RBAC permissions not currently held:
{APIGroups:[""], Resources:["pods"], Verbs:["list" "watch"]}
{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list" "watch"]}`,
  );
  expect(escalationProblem({ username: "u", groups: [] }, held, [rule()])).toBeUndefined();
});

it("names user, verb, resource and scope, without markup", () => {
  expect(refusal("a<b>", pods("get", { subresource: "log", namespace: "x" }), "why")).toBe(
    'User "a&lt;b&gt;" cannot get resource "pods/log" in API group "" in the namespace "x": why',
  );
  expect(refusal("u", { verb: "get", path: "/" })).toBe('User "u" cannot get path "/"');
});

describe("the bootstrap policy", () => {
  it("is whole and the same each time", () => {
    const policy = bootstrapPolicy();
    const named = (kind: string) =>
      policy.filter((object) => object.kind === kind).map(({ metadata }) => metadata.name);
    expect(named("ClusterRole")).toEqual(
      expect.arrayContaining([
        "admin",
        "cluster-admin",
        "edit",
        "system:basic-user",
        "system:discovery",
        "system:node",
        "view",
      ]),
    );
    expect(named("ClusterRoleBinding")).toContain("system:public-info-viewer");
    expect(bootstrapPolicy()).toEqual(policy);
  });
  it("comes back where it was taken away, and leaves additions and those that want to be left alone", () => {
    const wanted = bootstrapPolicy().find(({ metadata }) => metadata.name === "system:discovery")!;
    const extra = { verbs: ["get"], nonResourceURLs: ["/mine"] };
    expect(reconciled({ ...wanted, rules: [extra] }, wanted)?.["rules"]).toContainEqual(extra);
    expect(reconciled({ ...wanted, rules: [extra] }, wanted)?.["rules"].length).toBeGreaterThan(1);
    expect(reconciled({ ...wanted, rules: [...wanted["rules"], extra] }, wanted)).toBeUndefined();
    const alone = { ...wanted.metadata, annotations: { "rbac.authorization.kubernetes.io/autoupdate": "false" } };
    expect(reconciled({ ...wanted, metadata: alone, rules: [] }, wanted)).toBeUndefined();
  });
});

it("aggregates the rules of the roles that selectors choose, each once", () => {
  const role = (name: string, labels: Record<string, string>, rules: PolicyRule[]) => ({
    apiVersion: "v1",
    kind: "ClusterRole",
    metadata: { name, labels },
    rules,
  });
  const sum = { ...role("sum", { a: "1" }, []), aggregationRule: { clusterRoleSelectors: [{ a: "1" }, { b: "1" }] } };
  const roles = [
    role("z", { a: "1" }, [rule()]),
    sum,
    role("y", { a: "1", b: "1" }, [rule({ verbs: ["list"] })]),
    role("x", {}, [rule({ verbs: ["*"] })]),
  ];
  const matches = (selector: object, labels: Readonly<Record<string, string>> = {}) =>
    Object.entries(selector).every(([key, value]) => labels[key] === value);
  expect(aggregatedRules(sum, roles, matches)).toEqual([rule({ verbs: ["list"] }), rule()]);
  expect(aggregatedRules(roles[0]!, roles, matches)).toBeUndefined();
});

it.each([
  ["system:serviceaccount:shop:bot", { namespace: "shop", name: "bot" }],
  ["system:serviceaccount:shop:bot:x", undefined],
  ["system:serviceaccount:Shop:bot", undefined],
  ["jane", undefined],
])("knows the account %s", (username, want) => expect(splitUsername(username)).toEqual(want));

describe("impersonation", () => {
  const asked = { verb: "list", group: "", resource: "pods", namespace: "shop" };
  const allowing =
    (...verbs: string[]) =>
    (_: unknown, { verb }: Attributes) => ({ allowed: verbs.includes(verb), reason: "" });
  const me = { username: "me", groups: [] };
  it("asks for the narrow verbs first and tells the first refusal", () => {
    expect(impersonate(allowing(), me, { username: "jane", groups: [] }, asked)).toMatchObject({
      refused: { verb: "impersonate-on:user-info:list", resource: "pods" },
    });
  });
  it.each([
    { verbs: ["impersonate"], username: "jane", want: ["system:authenticated"] },
    { verbs: ["impersonate"], username: "system:node:n", want: ["system:authenticated"] },
    {
      verbs: ["impersonate-on:arbitrary-node:list", "impersonate:arbitrary-node"],
      username: "system:node:n",
      want: ["system:nodes", "system:authenticated"],
    },
    { verbs: ["impersonate"], username: "system:anonymous", want: ["system:unauthenticated"] },
    {
      verbs: ["impersonate"],
      username: "system:serviceaccount:a:b",
      want: ["system:serviceaccounts", "system:serviceaccounts:a", "system:authenticated"],
    },
  ])("$verbs makes $username a member of $want", ({ verbs, username, want }) => {
    expect(impersonate(allowing(...verbs), me, { username, groups: [] }, asked)).toEqual({
      user: { username, groups: want },
    });
  });
  it("does not let the narrow way lead to system:masters", () => {
    const decide = allowing("impersonate-on:user-info:list", "impersonate:user-info");
    const masters = { username: "jane", groups: ["system:masters"] };
    expect(impersonate(decide, me, masters, asked)).toMatchObject({
      reason: "impersonating the system:masters group is not allowed",
    });
  });
});
