import { APPLY, type Group, MERGE, STRATEGIC, type Step } from "../play.js";

const typed = { apiVersion: "apps/v1", kind: "Deployment" };
const container = (name: string, more: object = {}) => ({ name, image: "i", ...more });
const full = (more: object = {}, metadata: object = {}) => ({
  ...typed,
  metadata: { name: "d", ...metadata },
  spec: {
    selector: { matchLabels: { a: "b" } },
    template: { metadata: { labels: { a: "b" } }, spec: { containers: [container("c")] } },
    ...more,
  },
});
const at = "apps/v1/deployments/d";
const only = { without: ["status", "deployment.kubernetes.io/revision"] };
const apply = (name: string, body: unknown, query: string, path = at): Step => ({
  name,
  method: "PATCH",
  path: `${path}${query}`,
  headers: { "content-type": APPLY },
  body,
  ...only,
});
const send = (name: string, method: string, body: unknown, query = "", type = "application/json", path = at): Step => ({
  name,
  method,
  path: `${path}${query}`,
  headers: { "content-type": type },
  body,
  ...only,
});
const by = (manager: string, force = false) => `?fieldManager=${manager}${force ? "&force=true" : ""}`;
const env = (...names: string[]) => ({
  containers: [container("c", { env: names.map((name) => ({ name, value: name })) })],
});
const pod = (spec: object) => ({ ...typed, metadata: { name: "d" }, spec: { template: { spec } } });

const ownership: Group = {
  name: "server-side apply",
  steps: [
    apply("as a dry run", full(), `${by("one")}&dryRun=All`),
    apply("create", full({ replicas: 1 }), by("one")),
    apply("again", full({ replicas: 1 }), by("one")),
    apply("the same by another", full({ replicas: 1 }), by("two")),
    apply("another value", full({ replicas: 2 }), by("two")),
    apply("another value by force", full({ replicas: 2 }), by("two", true)),
    apply("without what was taken", full(), by("one")),
    apply("a label", full({}, { labels: { l: "1" }, annotations: { n: "1" } }), by("one")),
    apply("no label", full(), by("one")),
    apply("a second container", pod({ containers: [container("x")] }), by("three")),
    apply("only a part of a container", pod({ containers: [{ name: "c", imagePullPolicy: "Never" }] }), by("three")),
    apply("variables", pod(env("A", "B")), by("four")),
    apply("fewer variables", pod(env("B")), by("four")),
    apply(
      "variables of another",
      pod({ containers: [{ name: "c", env: [{ name: "B", value: "other" }] }] }),
      by("five"),
    ),
    apply(
      "ports",
      pod({ containers: [{ name: "c", ports: [{ containerPort: 80 }, { containerPort: 80, protocol: "UDP" }] }] }),
      by("six"),
    ),
    apply(
      "ports twice",
      pod({ containers: [{ name: "c", ports: [{ containerPort: 81 }, { containerPort: 81 }] }] }),
      by("six"),
    ),
    apply("a container without a name", pod({ containers: [{ image: "i" }] }), by("six")),
    apply("null", { ...typed, metadata: { name: "d" }, spec: { replicas: null } }, by("seven")),
    apply("an empty map", { ...typed, metadata: { name: "d" }, spec: { template: {} } }, by("seven")),
    apply("a selector", full({ selector: { matchLabels: { a: "c" } } }), by("eight", true)),
    apply("a status", { ...typed, metadata: { name: "d" }, status: { replicas: 5 } }, by("nine")),
    apply("nothing", { ...typed, metadata: { name: "d" } }, by("two")),
    apply("nothing, again", { ...typed, metadata: { name: "d" } }, by("two")),
    apply("a revision that is old", full({}, { resourceVersion: "1" }), by("one")),
    apply("a revision that is none", full({}, { resourceVersion: "x" }), by("one")),
    apply("a finalizer", { ...typed, metadata: { name: "d", finalizers: ["example.com/a"] } }, by("ten")),
    apply("another finalizer", { ...typed, metadata: { name: "d", finalizers: ["example.com/b"] } }, by("eleven")),
    apply("no finalizer", { ...typed, metadata: { name: "d" } }, by("ten")),
    apply("managed fields", { ...typed, metadata: { name: "d", managedFields: [] } }, by("one")),
    apply("an empty manager", full(), "?fieldManager="),
    apply("a long manager", full(), by("x".repeat(129))),
    apply("a manager that cannot be printed", full(), "?fieldManager=%01"),
    apply(
      "at a revision that is none, not there",
      { ...typed, metadata: { name: "none", resourceVersion: "5" } },
      by("one"),
      "apps/v1/deployments/none",
    ),
    apply(
      "what is not enough to create",
      { ...typed, metadata: { name: "none" } },
      by("one"),
      "apps/v1/deployments/none",
    ),
    send("update", "PUT", full({ replicas: 7 }), "?fieldManager=updater"),
    send("update without a change", "PUT", full({ replicas: 7 }), "?fieldManager=other"),
    send("patch what is applied", "PATCH", { spec: { replicas: 8 } }, "?fieldManager=patcher", MERGE),
    send(
      "patch strategically",
      "PATCH",
      pod({ containers: [{ name: "c", image: "j" }] }),
      "?fieldManager=patcher",
      STRATEGIC,
    ),
    apply("after the patch", full({ replicas: 1 }), by("one")),
    apply(
      "the status through its path",
      { ...typed, metadata: { name: "d" }, status: { observedGeneration: 3 } },
      by("status"),
      `${at}/status`,
    ),
    apply("the spec through the status", full({ replicas: 9 }), by("status", true), `${at}/status`),
    apply("the status by the same manager", full({ replicas: 8 }), by("status", true)),
    send(
      "a manager of its own",
      "PATCH",
      {
        metadata: {
          managedFields: [
            {
              manager: "made-up",
              operation: "Update",
              apiVersion: "apps/v1",
              fieldsType: "FieldsV1",
              fieldsV1: { "f:spec": { "f:replicas": {} } },
            },
          ],
        },
      },
      "",
      MERGE,
    ),
    send(
      "managers of a wrong form",
      "PATCH",
      {
        metadata: {
          managedFields: [
            {
              manager: "x",
              operation: "Eat",
              apiVersion: "apps/v1",
              fieldsType: "FieldsV1",
              fieldsV1: { "f:spec": {} },
            },
          ],
        },
      },
      "",
      MERGE,
    ),
    send(
      "managers of a wrong type",
      "PATCH",
      {
        metadata: {
          managedFields: [
            { manager: "x", operation: "Update", apiVersion: "apps/v1", fieldsType: "FieldsV2", fieldsV1: {} },
          ],
        },
      },
      "",
      MERGE,
    ),
    send("no managers", "PATCH", { metadata: { managedFields: [] } }, "", MERGE),
    send("managers dropped", "PATCH", { metadata: { managedFields: [{}] } }, "", MERGE),
    send("a patch afterwards", "PATCH", { metadata: { labels: { z: "z" } } }, "", MERGE),
    apply("an apply afterwards", full({ replicas: 3 }), by("one")),
    { name: "get", method: "GET", path: at, ...only },
  ],
};

const last = "kubectl.kubernetes.io/last-applied-configuration";
const map = (data: object, annotations?: object) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "m", ...(annotations ? { annotations } : {}) },
  data,
});
const mapAt = "configmaps/m";
const migration: Group = {
  name: "from client-side to server-side apply",
  steps: [
    send(
      "create as kubectl would",
      "POST",
      map({ a: "1", b: "2" }, { [last]: JSON.stringify(map({ a: "1", b: "2" })) }),
      "?fieldManager=kubectl-client-side-apply",
      "application/json",
      "configmaps",
    ),
    apply("apply as kubectl does", map({ a: "1" }, { [last]: JSON.stringify(map({ a: "1" })) }), by("kubectl"), mapAt),
    apply("apply without the annotation", map({ a: "1" }), by("kubectl"), mapAt),
    send("by hand", "PATCH", { data: { c: "3" } }, "?fieldManager=kubectl-edit", MERGE, mapAt),
    apply("take it", map({ a: "1", c: "4" }), by("kubectl"), mapAt),
    apply("take it by force", map({ a: "1", c: "4" }), by("kubectl", true), mapAt),
    send(
      "update as kubectl would",
      "PATCH",
      { data: { a: "5" }, metadata: { annotations: { [last]: JSON.stringify(map({ a: "5" })) } } },
      "?fieldManager=kubectl-client-side-apply",
      STRATEGIC,
      mapAt,
    ),
    apply("apply again", map({ a: "5" }), by("kubectl", true), mapAt),
    { name: "get", method: "GET", path: mapAt },
  ],
};

/** Owners stand in the order of their times, which are whole seconds: a second passes before each step. */
const spread = ({ name, steps }: Group): Group => ({
  name,
  steps: steps.flatMap((step) => [
    {
      name: `wait before ${step.name}`,
      method: "GET",
      path: "secrets?watch=true&timeoutSeconds=1",
      uncompared: "only lets a second pass",
    },
    step,
  ]),
});

export const applyGroups: readonly Group[] = [spread(ownership), spread(migration)];
