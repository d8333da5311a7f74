/** One request of a case. `body` is merged over apiVersion, kind, name and namespace where it is a whole object. */
export interface Step {
  readonly op: "create" | "replace" | "apply" | "merge" | "strategic" | "json";
  readonly manager: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly body: unknown;
  readonly force?: boolean;
  readonly subresource?: string;
}

type Given = Omit<Step, "apiVersion" | "kind">;
const on = (apiVersion: string, kind: string, steps: readonly Given[]): Step[] =>
  steps.map((step) => ({ apiVersion, kind, ...step }));

const pod = (containers: unknown, more: object = {}) => ({
  metadata: { labels: { app: "web" } },
  spec: { containers, ...more },
});
const deployment = (spec: object, containers: unknown = [{ name: "web", image: "nginx:1" }]) => ({
  spec: { replicas: 0, selector: { matchLabels: { app: "web" } }, template: pod(containers), ...spec },
});

const ingress = (host: string) => ({
  rules: [
    {
      host,
      http: { paths: [{ path: "/", pathType: "Prefix", backend: { service: { name: "web", port: { number: 80 } } } }] },
    },
  ],
});

/** Sequences of writes whose every answer has to be the same on a real API server and with this library. */
export const writeCases: readonly { name: string; steps: readonly Step[] }[] = [
  {
    name: "a manager owns what it created, another what it changed",
    steps: on("v1", "ConfigMap", [
      { op: "create", manager: "one", body: { metadata: { labels: { a: "1" } }, data: { a: "1", b: "2" } } },
      { op: "merge", manager: "two", body: { data: { b: "3", c: "4" } } },
      { op: "merge", manager: "two", body: { data: { a: null } } },
      { op: "merge", manager: "three", body: { data: { b: "3" } } },
      { op: "merge", manager: "three", body: { metadata: { annotations: { x: "y" }, finalizers: ["example.com/a"] } } },
      { op: "merge", manager: "three", body: { metadata: { labels: null, finalizers: null } } },
    ]),
  },
  {
    name: "apply creates, gives up, and reports conflicts",
    steps: on("v1", "ConfigMap", [
      { op: "apply", manager: "one", body: { metadata: { labels: { a: "1" } }, data: { a: "1", b: "2", c: "3" } } },
      { op: "apply", manager: "one", body: { data: { a: "1", b: "2" } } },
      { op: "apply", manager: "two", body: { data: { a: "1", d: "4" } } },
      { op: "apply", manager: "two", body: { data: { a: "5", b: "6", d: "4" } } },
      { op: "apply", manager: "two", force: true, body: { data: { a: "5", d: "4" } } },
      { op: "apply", manager: "one", body: { data: { b: "2" } } },
      { op: "apply", manager: "two", body: { data: {} } },
      { op: "merge", manager: "cli", body: { data: { b: "9" } } },
      { op: "apply", manager: "one", body: { data: { b: "2" } } },
      { op: "apply", manager: "one", body: {} },
    ]),
  },
  {
    name: "client-side created deployment is taken over by apply",
    steps: on("apps/v1", "Deployment", [
      {
        op: "create",
        manager: "kubectl-client-side-apply",
        body: deployment({}, [{ name: "web", image: "nginx:1", ports: [{ containerPort: 80 }] }]),
      },
      { op: "apply", manager: "argo", body: deployment({ replicas: 1 }) },
      { op: "apply", manager: "argo", body: deployment({}) },
      {
        op: "apply",
        manager: "argo",
        body: deployment({}, [
          { name: "web", image: "nginx:2", env: [{ name: "A", value: "1" }] },
          { name: "side", image: "busybox" },
        ]),
      },
      {
        op: "apply",
        manager: "argo",
        force: true,
        body: deployment({}, [
          {
            name: "web",
            image: "nginx:2",
            env: [{ name: "A", value: "1" }],
            ports: [{ containerPort: 80 }, { containerPort: 443, name: "tls" }],
          },
          { name: "side", image: "busybox:1", resources: { limits: { cpu: "0.5" } } },
        ]),
      },
      { op: "apply", manager: "argo", body: deployment({}, [{ name: "web", image: "nginx:2" }]) },
      { op: "apply", manager: "argo", body: deployment({}, [{ name: "web", image: "nginx:2" }]) },
    ]),
  },
  {
    name: "apply creates a deployment and walks its strategy",
    steps: on("apps/v1", "Deployment", [
      { op: "apply", manager: "argo", body: deployment({ strategy: { rollingUpdate: { maxSurge: 1 } } }) },
      {
        op: "strategic",
        manager: "patcher",
        body: { spec: { strategy: { $retainKeys: ["type"], type: "Recreate" } } },
      },
      { op: "apply", manager: "argo", force: true, body: deployment({ strategy: { type: "RollingUpdate" } }) },
      { op: "apply", manager: "argo", body: deployment({}) },
      { op: "merge", manager: "scaler", body: { spec: { minReadySeconds: 3 } } },
      { op: "apply", manager: "argo", body: deployment({ minReadySeconds: 5 }) },
    ]),
  },
  {
    name: "list items keep their order under several appliers",
    steps: on("apps/v1", "Deployment", [
      {
        op: "apply",
        manager: "one",
        body: deployment({}, [
          { name: "a", image: "i:1" },
          { name: "b", image: "i:1" },
          { name: "c", image: "i:1" },
        ]),
      },
      {
        op: "apply",
        manager: "two",
        force: true,
        body: deployment({}, [
          { name: "c", image: "i:1" },
          { name: "x", image: "i:1" },
          { name: "a", image: "i:1" },
        ]),
      },
      { op: "apply", manager: "two", body: deployment({}, [{ name: "x", image: "i:1" }]) },
      {
        op: "apply",
        manager: "one",
        body: deployment({}, [
          { name: "c", image: "i:1" },
          { name: "a", image: "i:1" },
        ]),
      },
    ]),
  },
  {
    name: "strategic merge patches merge lists by key and follow directives",
    steps: on("apps/v1", "Deployment", [
      {
        op: "create",
        manager: "cli",
        body: deployment({}, [
          {
            name: "a",
            image: "i:1",
            env: [
              { name: "X", value: "1" },
              { name: "Y", value: "2" },
            ],
            args: ["1", "2"],
          },
          { name: "b", image: "i:1" },
        ]),
      },
      {
        op: "strategic",
        manager: "p",
        body: {
          spec: {
            template: {
              spec: {
                containers: [
                  { name: "n", image: "i:1" },
                  { name: "a", args: ["3"] },
                ],
              },
            },
          },
        },
      },
      {
        op: "strategic",
        manager: "p",
        body: {
          spec: {
            template: {
              spec: {
                containers: [
                  { name: "n", $patch: "delete" },
                  {
                    name: "a",
                    env: [
                      { name: "Z", value: "3" },
                      { name: "X", $patch: "delete" },
                    ],
                  },
                ],
              },
            },
          },
        },
      },
      {
        op: "strategic",
        manager: "p",
        body: {
          spec: {
            template: {
              spec: {
                "$setElementOrder/containers": [{ name: "b" }, { name: "a" }],
                containers: [{ name: "a", image: "i:2" }],
              },
            },
          },
        },
      },
      { op: "strategic", manager: "p", body: { metadata: { finalizers: ["example.com/a", "example.com/b"] } } },
      {
        op: "strategic",
        manager: "p",
        body: { metadata: { "$deleteFromPrimitiveList/finalizers": ["example.com/a"] } },
      },
      {
        op: "strategic",
        manager: "p",
        body: {
          metadata: {
            finalizers: ["example.com/c"],
            "$setElementOrder/finalizers": ["example.com/c", "example.com/b"],
          },
        },
      },
      { op: "strategic", manager: "p", body: { metadata: { finalizers: null } } },
      {
        op: "strategic",
        manager: "p",
        body: {
          spec: {
            template: { metadata: { annotations: { a: "b" } }, spec: { volumes: [{ name: "v", emptyDir: {} }] } },
          },
        },
      },
      {
        op: "strategic",
        manager: "p",
        body: {
          spec: {
            template: {
              spec: { volumes: [{ name: "v", configMap: { name: "x" }, $retainKeys: ["name", "configMap"] }] },
            },
          },
        },
      },
      {
        op: "strategic",
        manager: "p",
        body: { spec: { template: { spec: { containers: [{ $patch: "replace" }, { name: "only", image: "i:9" }] } } } },
      },
      { op: "strategic", manager: "p", body: { spec: { template: { spec: { containers: [{ image: "i:9" }] } } } } },
    ]),
  },
  {
    name: "JSON patches change, move, copy and test",
    steps: on("v1", "ConfigMap", [
      { op: "create", manager: "cli", body: { data: { a: "1", b_c: "2" } } },
      {
        op: "json",
        manager: "p",
        body: [
          { op: "add", path: "/data/x", value: "y" },
          { op: "replace", path: "/data/b_c", value: "3" },
        ],
      },
      {
        op: "json",
        manager: "p",
        body: [
          { op: "move", from: "/data/x", path: "/data/z" },
          { op: "copy", from: "/data/a", path: "/data/aa" },
        ],
      },
      {
        op: "json",
        manager: "p",
        body: [
          { op: "test", path: "/data/a", value: "1" },
          { op: "remove", path: "/data/a" },
        ],
      },
      {
        op: "json",
        manager: "p",
        body: [
          { op: "add", path: "/metadata/labels", value: { q: "r", "x.io/y": "1" } },
          { op: "replace", path: "/metadata/labels/x.io~1y", value: "2" },
        ],
      },
    ]),
  },
  {
    name: "replacing takes over what changes and drops what is left out",
    steps: on("v1", "ConfigMap", [
      { op: "create", manager: "one", body: { data: { a: "1", b: "2" } } },
      { op: "replace", manager: "two", body: { data: { a: "2" } } },
      { op: "replace", manager: "one", body: { data: { a: "2" } } },
      { op: "replace", manager: "one", body: { metadata: { labels: { l: "1" } }, data: { a: "2" }, immutable: false } },
    ]),
  },
  {
    name: "services have ports keyed by port and protocol",
    steps: on("v1", "Service", [
      {
        op: "create",
        manager: "cli",
        body: { spec: { selector: { app: "web" }, ports: [{ name: "http", port: 80 }] } },
      },
      {
        op: "apply",
        manager: "argo",
        body: {
          spec: {
            ports: [
              { name: "http", port: 80, targetPort: 8080 },
              { name: "dns", port: 53, protocol: "UDP" },
            ],
          },
        },
      },
      {
        op: "apply",
        manager: "argo",
        force: true,
        body: {
          spec: {
            selector: { app: "web" },
            ports: [
              { name: "http", port: 80, targetPort: 8080 },
              { name: "dns", port: 53, protocol: "UDP" },
            ],
          },
        },
      },
      {
        op: "apply",
        manager: "argo",
        body: { spec: { selector: { app: "web2" }, ports: [{ name: "http", port: 80, targetPort: "web" }] } },
      },
    ]),
  },
  {
    name: "roles and bindings are atomic lists",
    steps: [
      ...on("rbac.authorization.k8s.io/v1", "Role", [
        { op: "create", manager: "cli", body: { rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }] } },
        {
          op: "apply",
          manager: "argo",
          body: { rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get", "list"] }] },
        },
        {
          op: "apply",
          manager: "argo",
          force: true,
          body: { rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get", "list"] }] },
        },
      ]),
    ],
  },
  {
    name: "a configuration with unknown fields, or one item twice, is refused",
    steps: on("apps/v1", "Deployment", [
      {
        op: "apply",
        manager: "argo",
        body: {
          spec: { selector: { matchLabels: { a: "b" } }, template: pod([{ name: "a", imagee: "x" }]) },
        },
      },
      {
        op: "apply",
        manager: "argo",
        body: deployment({}, [
          { name: "a", image: "i" },
          { name: "a", image: "j" },
        ]),
      },
      { op: "apply", manager: "argo", body: deployment({ replicas: "x" }) },
      { op: "apply", manager: "argo", body: deployment({ replicaz: 1 }) },
      { op: "apply", manager: "argo", body: deployment({ paused: "x" }) },
      { op: "apply", manager: "argo", body: deployment({ replicas: true }) },
      { op: "apply", manager: "argo", body: deployment({ replicas: [1] }) },
      { op: "apply", manager: "argo", body: deployment({ selector: { matchLabels: 3 } }) },
      { op: "apply", manager: "argo", body: deployment({ template: [] }) },
      { op: "apply", manager: "argo", body: deployment({}, { name: "a" }) },
      { op: "apply", manager: "argo", body: deployment({}, [{ name: "a", image: 5 }]) },
      { op: "apply", manager: "argo", body: deployment({}, [{ name: "a", image: { a: 1 } }]) },
      { op: "create", manager: "cli", body: deployment({ replicas: "x" }) },
      { op: "create", manager: "cli", body: deployment({ replicas: 1.5 }) },
      { op: "create", manager: "cli", body: deployment({ template: [] }) },
    ]),
  },
  {
    name: "status is owned apart",
    steps: on("networking.k8s.io/v1", "Ingress", [
      {
        op: "apply",
        manager: "argo",
        body: { spec: ingress("a.example"), status: { loadBalancer: { ingress: [{ ip: "1.2.3.4" }] } } },
      },
      {
        op: "merge",
        manager: "ctl",
        subresource: "status",
        body: { status: { loadBalancer: { ingress: [{ ip: "1.2.3.4" }] } } },
      },
      {
        op: "apply",
        manager: "ctl2",
        subresource: "status",
        body: { status: { loadBalancer: { ingress: [{ ip: "1.2.3.4" }] } } },
      },
      {
        op: "apply",
        manager: "ctl2",
        subresource: "status",
        body: { status: { loadBalancer: { ingress: [{ ip: "1.2.3.5" }] } } },
      },
      { op: "apply", manager: "argo", body: { spec: ingress("b.example") } },
    ]),
  },
  {
    name: "failing JSON patches say which path is missing",
    steps: on("v1", "ConfigMap", [
      { op: "create", manager: "cli", body: { data: { a: "1" } } },
      { op: "json", manager: "p", body: [{ op: "remove", path: "/data/x" }] },
      { op: "json", manager: "p", body: [{ op: "replace", path: "/data/x", value: "1" }] },
      { op: "json", manager: "p", body: [{ op: "replace", path: "/nope/x", value: "1" }] },
      { op: "json", manager: "p", body: [{ op: "add", path: "/nope/x", value: "1" }] },
      { op: "json", manager: "p", body: [{ op: "test", path: "/data/a", value: "2" }] },
      { op: "json", manager: "p", body: [{ op: "test", path: "/data/q", value: "2" }] },
    ]),
  },
  {
    name: "conflicts of several managers are all named",
    steps: on("apps/v1", "Deployment", [
      { op: "create", manager: "one", body: deployment({ paused: true }) },
      { op: "merge", manager: "two", body: { spec: { minReadySeconds: 3, revisionHistoryLimit: 4 } } },
      {
        op: "apply",
        manager: "three",
        force: true,
        body: { metadata: { labels: { l: "3" } }, spec: { progressDeadlineSeconds: 60 } },
      },
      {
        op: "apply",
        manager: "argo",
        body: {
          metadata: { labels: { l: "4" } },
          ...deployment({ paused: true, minReadySeconds: 9, revisionHistoryLimit: 9, progressDeadlineSeconds: 90 }, [
            { name: "web", image: "nginx:9" },
          ]),
        },
      },
      {
        op: "apply",
        manager: "argo",
        force: true,
        body: {
          metadata: { labels: { l: "4" } },
          ...deployment({ paused: true, minReadySeconds: 9, revisionHistoryLimit: 9, progressDeadlineSeconds: 90 }, [
            { name: "web", image: "nginx:9" },
          ]),
        },
      },
    ]),
  },
];
