import { type Group, JSON_PATCH, MERGE, type Step } from "../play.js";

const send = (name: string, method: string, path: string, body?: unknown, headers?: Record<string, string>): Step => ({
  name,
  method,
  path,
  ...(body === undefined ? {} : { body }),
  ...(headers ? { headers } : {}),
});
const pod = (name: string, more: object = {}) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, labels: { p: name } },
  spec: { automountServiceAccountToken: false, containers: [{ name: "c", image: "i" }], ...more },
});
const eviction = (name: string, more: object = {}) => ({
  apiVersion: "policy/v1",
  kind: "Eviction",
  metadata: { name },
  ...more,
});
const binding = (name: string, target: object = { kind: "Node", name: "none" }) => ({
  apiVersion: "v1",
  kind: "Binding",
  metadata: { name },
  target,
});

const evictions: Group = {
  name: "evictions and bindings",
  steps: [
    ...["a", "b", "c", "d"].map((name) => send(`create ${name}`, "POST", "pods", pod(name))),
    send("evict as a dry run", "POST", "pods/a/eviction?dryRun=All", eviction("a")),
    send(
      "evict with a dry run in it",
      "POST",
      "pods/a/eviction",
      eviction("a", { deleteOptions: { dryRun: ["All"] } }),
    ),
    send("evict with another name", "POST", "pods/a/eviction", eviction("b")),
    send("evict without a name", "POST", "pods/a/eviction", { apiVersion: "policy/v1", kind: "Eviction" }),
    send("evict with another kind", "POST", "pods/a/eviction", pod("a")),
    send(
      "evict by another uid",
      "POST",
      "pods/a/eviction",
      eviction("a", { deleteOptions: { preconditions: { uid: "x" } } }),
    ),
    send("evict what is not there", "POST", "pods/none/eviction", eviction("none")),
    send("evict", "POST", "pods/a/eviction", eviction("a")),
    send("get what is evicted", "GET", "pods/a"),
    send("get an eviction", "GET", "pods/b/eviction"),
    send("bind without a target", "POST", "pods/b/binding", binding("b", {})),
    send("bind to a pod", "POST", "pods/b/binding", binding("b", { kind: "Pod", name: "x" })),
    send("bind as a dry run", "POST", "pods/b/binding?dryRun=All", binding("b")),
    send("bind what is not there", "POST", "pods/none/binding", binding("none")),
    send("bind with another name", "POST", "pods/b/binding", binding("c")),
    send("bind", "POST", "pods/b/binding", { ...binding("b"), metadata: { name: "b", annotations: { x: "y" } } }),
    send("bind again", "POST", "pods/b/binding", binding("b")),
    send("bind by the old path", "POST", "bindings", binding("c")),
    send("get what is bound", "GET", "pods/b"),
    send("delete softly", "DELETE", "pods/b"),
    send("delete again", "DELETE", "pods/b"),
    send("delete with less time", "DELETE", "pods/b?gracePeriodSeconds=5"),
    send("delete with more time", "DELETE", "pods/b?gracePeriodSeconds=50"),
    send("evict what is going", "POST", "pods/b/eviction", eviction("b")),
    send("delete at once", "DELETE", "pods/b?gracePeriodSeconds=0"),
    send("get what is gone", "GET", "pods/b"),
    send("delete what has no node", "DELETE", "pods/c"),
    send(
      "a status of a phase",
      "PATCH",
      "pods/d/status",
      { status: { phase: "Running", podIP: "10.9.9.9" } },
      { "content-type": MERGE },
    ),
    send("a status of a bad phase", "PATCH", "pods/d/status", { status: { phase: "Odd" } }, { "content-type": MERGE }),
    send("delete the collection as a dry run", "DELETE", "pods?dryRun=All&labelSelector=p%3Dd"),
    send("delete the collection by a bad selector", "DELETE", "pods?labelSelector=-"),
    send("delete the collection", "DELETE", "pods?labelSelector=p%3Dd"),
    send("the list afterwards", "GET", "pods"),
  ],
};

const map = (name: string, more: object = {}) => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name, ...more } });
const strictness: Group = {
  name: "field validation",
  steps: [
    send("create to change", "POST", "configmaps", { ...map("m"), data: { a: "1" } }),
    ...["Strict", "Warn", "Ignore", "Odd", ""].flatMap((mode) => {
      const query = `?dryRun=All&fieldValidation=${mode}`;
      const named = (what: string) => `${what}, ${mode || "nothing said"}`;
      const odd = { ...map("n", { odd: 1, labels: { a: "b" } }), nothing: { deep: 1 }, data: { a: "1" } };
      return [
        send(named("create"), "POST", `configmaps${query}`, odd),
        send(
          named("create from YAML"),
          "POST",
          `configmaps${query}`,
          "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: n, odd: 1}\nx: 1\ndata: {a: x}\ndata: {b: z}\n",
          { "content-type": "application/yaml" },
        ),
        send(named("create a pod"), "POST", `pods${query}`, {
          ...pod("n", { odd: 1, containers: [{ name: "c", image: "i", odd: 2, env: [{ name: "A", valu: "x" }] }] }),
          extra: 1,
        }),
        send(
          named("a duplicate"),
          "POST",
          `configmaps${query}`,
          '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"n","name":"n"},"data":{"a":"1","a":"2"}}',
        ),
        send(named("replace"), "PUT", `configmaps/m${query}`, { ...odd, metadata: { name: "m", odd: 1 } }),
        send(
          named("merge"),
          "PATCH",
          `configmaps/m${query}`,
          { odd: 1, metadata: { odd: 2 } },
          { "content-type": MERGE },
        ),
        send(
          named("strategic"),
          "PATCH",
          `configmaps/m${query}`,
          { odd: 1 },
          { "content-type": "application/strategic-merge-patch+json" },
        ),
        send(named("steps"), "PATCH", `configmaps/m${query}`, [{ op: "add", path: "/odd", value: 1, more: 2 }], {
          "content-type": JSON_PATCH,
        }),
        send(
          named("apply"),
          "PATCH",
          `configmaps/m${query}&fieldManager=x&force=true`,
          { ...map("m"), odd: 1 },
          { "content-type": "application/apply-patch+yaml" },
        ),
      ];
    }),
  ],
};

const ns = "/api/v1/namespaces/$RUN-going";
const going: Group = {
  name: "a namespace that is going",
  steps: [
    send("create", "POST", "/api/v1/namespaces", { metadata: { name: "$RUN-going", labels: { a: "b" } } }),
    send("create in it", "POST", `${ns}/configmaps`, { ...map("m", { finalizers: ["example.com/hold"] }) }),
    send("delete by another uid", "DELETE", ns, { preconditions: { uid: "x" } }),
    send("delete as a dry run", "DELETE", `${ns}?dryRun=All`),
    { ...send("delete", "DELETE", ns), without: ["conditions"] },
    send("create in it now", "POST", `${ns}/configmaps`, map("n")),
    send("create in it as a dry run", "POST", `${ns}/secrets?dryRun=All`, { metadata: { name: "n" } }),
    send("change what is in it", "PATCH", `${ns}/configmaps/m`, { data: { a: "1" } }, { "content-type": MERGE }),
    {
      ...send("label it", "PATCH", ns, { metadata: { labels: { c: "d" } } }, { "content-type": MERGE }),
      without: ["conditions"],
    },
    {
      ...send(
        "a new finalizer",
        "PATCH",
        ns,
        { metadata: { finalizers: ["example.com/x"] } },
        { "content-type": MERGE },
      ),
      without: ["conditions"],
    },
    { ...send("delete again", "DELETE", ns), without: ["conditions"] },
    send("finalize another", "PUT", `${ns}/finalize`, { metadata: { name: "other" } }),
    send(
      "let its content go",
      "PATCH",
      `${ns}/configmaps/m`,
      { metadata: { finalizers: [] } },
      { "content-type": MERGE },
    ),
    send("create in nothing", "POST", "/api/v1/namespaces/$RUN-none/configmaps", map("n")),
    send("list in nothing", "GET", "/api/v1/namespaces/$RUN-none/configmaps"),
    send("get in nothing", "GET", "/api/v1/namespaces/$RUN-none/configmaps/x"),
    send("delete default", "DELETE", "/api/v1/namespaces/default"),
    send("delete all", "DELETE", "/api/v1/namespaces"),
  ],
};

const meta = (more: object) => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "x", ...more } });
const identities: Group = {
  name: "names, revisions and owners",
  steps: [
    send("a uid at creation", "POST", "configmaps?dryRun=All", meta({ uid: "mine" })),
    send("a revision at creation", "POST", "configmaps?dryRun=All", meta({ resourceVersion: "5" })),
    send("revision 0 at creation", "POST", "configmaps?dryRun=All", meta({ resourceVersion: "0" })),
    send(
      "times at creation",
      "POST",
      "configmaps?dryRun=All",
      meta({
        creationTimestamp: "2020-01-01T00:00:00Z",
        deletionTimestamp: "2020-01-01T00:00:00Z",
        deletionGracePeriodSeconds: 5,
        generation: 7,
        selfLink: "/x",
      }),
    ),
    send("both names", "POST", "configmaps?dryRun=All", meta({ generateName: "y-" })),
    send(
      "owners twice",
      "POST",
      "configmaps?dryRun=All",
      meta({ ownerReferences: [1, 2].map(() => ({ apiVersion: "v1", kind: "K", name: "n", uid: "u" })) }),
    ),
    send(
      "an owner that blocks",
      "POST",
      "configmaps?dryRun=All",
      meta({
        ownerReferences: [
          { apiVersion: "v1", kind: "Pod", name: "n", uid: "u", blockOwnerDeletion: true, controller: true },
        ],
      }),
    ),
    send(
      "an owner with a bad version",
      "POST",
      "configmaps?dryRun=All",
      meta({ ownerReferences: [{ apiVersion: "a/b/c", kind: "Pod", name: "n", uid: "u" }] }),
    ),
    send("both finalizers", "POST", "configmaps?dryRun=All", meta({ finalizers: ["orphan", "foregroundDeletion"] })),
    send("a finalizer of the system", "POST", "configmaps?dryRun=All", meta({ finalizers: ["orphan"] })),
    send(
      "a long label",
      "POST",
      "configmaps?dryRun=All",
      meta({ labels: { a: "b".repeat(64), ["c".repeat(64)]: "d", "e/f/g": "h", "A_/b": "i" } }),
    ),
    send("a long prefix", "POST", "configmaps?dryRun=All", meta({ annotations: { [`${"a".repeat(254)}/b`]: "c" } })),
    send("create", "POST", "configmaps", meta({})),
    ...["Foreground", "Orphan", "Background"].map((policy) =>
      send(`delete as a dry run: ${policy}`, "DELETE", `configmaps/x?dryRun=All&propagationPolicy=${policy}`),
    ),
    send("delete in the foreground", "DELETE", "configmaps/x?propagationPolicy=Foreground&dryRun=All"),
    send("delete with options in both places", "DELETE", "configmaps/x?gracePeriodSeconds=1&dryRun=All", {
      kind: "DeleteOptions",
      apiVersion: "v1",
      gracePeriodSeconds: 2,
    }),
    send("delete with options of another version", "DELETE", "configmaps/x?dryRun=All", {
      kind: "DeleteOptions",
      apiVersion: "apps/v1",
    }),
    send("delete with an unknown option", "DELETE", "configmaps/x?dryRun=All", {
      kind: "DeleteOptions",
      apiVersion: "v1",
      odd: 1,
    }),
    send("delete with orphans", "DELETE", "configmaps/x?dryRun=All", { orphanDependents: true }),
    send("delete with a bad policy in the body", "DELETE", "configmaps/x?dryRun=All", { propagationPolicy: "Some" }),
    send("delete with both in the body", "DELETE", "configmaps/x?dryRun=All", {
      propagationPolicy: "Orphan",
      orphanDependents: true,
    }),
    send("delete with a dry run in the body", "DELETE", "configmaps/x", { dryRun: ["All"] }),
    send("delete with a bad dry run in the body", "DELETE", "configmaps/x", { dryRun: ["Some"] }),
    send(
      "delete ignoring errors of reading",
      "DELETE",
      "configmaps/x?dryRun=All&ignoreStoreReadErrorWithClusterBreakingPotential=true",
    ),
    send("delete the collection with options", "DELETE", "configmaps?dryRun=All&fieldSelector=metadata.name%3Dx", {
      propagationPolicy: "Background",
      gracePeriodSeconds: 0,
    }),
    send(
      "delete the collection with preconditions",
      "DELETE",
      "configmaps?dryRun=All&fieldSelector=metadata.name%3Dx",
      { preconditions: { uid: "x" } },
    ),
    send(
      "delete the collection with a limit",
      "DELETE",
      "configmaps?dryRun=All&limit=1&fieldSelector=metadata.name%3Dx",
    ),
  ],
};

export const lifeGroups: readonly Group[] = [evictions, strictness, going, identities];
