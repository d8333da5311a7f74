import type { KubeObject } from "./object.js";

// Who the suite's services are on a cluster and what each may do there. This table is the only source: `npm run generate`
// writes it to deploy/rbac, and the standalone's bootstrap applies the same objects.

/** Services that speak to the cluster with an account of their own; the account is `tiphys-<name>`. */
export const serviceNames = [
  "api-server",
  "repo-server",
  "app-controller",
  "workflow-controller",
  "rollouts-controller",
  "events-gateway",
  "demo",
] as const;
export type AccountName = (typeof serviceNames)[number];

/** One line of the table. */
export interface Grant {
  /** "" is the core group. */
  readonly group: string;
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  /** In the suite's own namespace only. */
  readonly own?: true;
  /** Why it is granted although the demo does not use all of it. */
  readonly beyondDemo?: string;
}

const ARGO = "argoproj.io";
const READ = ["list", "watch"] as const;
const on = (
  group: string,
  resources: readonly string[],
  verbs: readonly string[],
  more: Partial<Grant> = {},
): Grant => ({
  group,
  resources,
  verbs,
  ...more,
});
const NAMES_REASON = "names of Services are resolved by the dialer of a process of its own";
/** What the dialer looks at to find where a Service is. */
const clusterNames: readonly Grant[] = [
  on("", ["services", "pods"], READ, { beyondDemo: NAMES_REASON }),
  on("discovery.k8s.io", ["endpointslices"], READ, { beyondDemo: NAMES_REASON }),
];
const EVENTS = on("", ["events"], ["create", "patch"], { beyondDemo: "repeated events are patched" });

export const serviceGrants: Readonly<Record<AccountName, readonly Grant[]>> = {
  "api-server": [
    ...clusterNames,
    on("", ["secrets"], ["create", "get", "patch"], { own: true }),
    on(
      ARGO,
      [
        "applications",
        "appprojects",
        "workflows",
        "workflowtemplates",
        "clusterworkflowtemplates",
        "rollouts",
        "analysisruns",
        "analysistemplates",
        "clusteranalysistemplates",
        "eventbus",
        "eventsources",
        "sensors",
      ],
      ["get", "list", "watch", "create", "patch", "delete"],
      { beyondDemo: "users read and change these through the public port" },
    ),
    on(ARGO, ["rollouts/status"], ["patch"], { beyondDemo: "promote, abort and retry of users" }),
    on("apps", ["replicasets"], ["list"], { beyondDemo: "undo looks for earlier revisions" }),
    on("", ["pods"], ["list"], { beyondDemo: "logs of workflows that users ask for" }),
    on("", ["pods/log"], ["get"], { beyondDemo: "logs of workflows that users ask for" }),
  ],
  "repo-server": [...clusterNames, on("", ["secrets", "configmaps"], READ, { own: true })],
  // Argo CD's controller has the same: an Application may hold objects of any kind, roles among them.
  "app-controller": [on("*", ["*"], ["*"], { beyondDemo: "Applications hold objects of any kind" })],
  "workflow-controller": [
    ...clusterNames,
    on(ARGO, ["workflows"], ["get", "list", "watch", "patch", "delete"], {
      beyondDemo: "deleted when their time to live has passed",
    }),
    on(ARGO, ["workflowtemplates", "clusterworkflowtemplates"], READ),
    on(ARGO, ["workflowtaskresults"], ["get", "list", "watch", "create", "patch", "delete"], {
      beyondDemo: "a report that comes twice is patched; results go with their workflow",
    }),
    on("", ["pods"], ["get", "list", "watch", "create", "patch", "delete"], { beyondDemo: "podGC, shutdown, retries" }),
    on("", ["pods/log"], ["get"]),
    on("", ["configmaps"], ["create"], { beyondDemo: "files of the executor for pods of images" }),
  ],
  "rollouts-controller": [
    ...clusterNames,
    EVENTS,
    on(ARGO, ["rollouts"], ["get", "list", "watch", "patch"]),
    on(ARGO, ["rollouts/status"], ["patch"]),
    on(ARGO, ["analysisruns"], ["get", "list", "watch", "create", "patch", "delete"], {
      beyondDemo: "runs beyond the history are deleted",
    }),
    on(ARGO, ["experiments"], ["get", "list", "watch", "patch"], {
      beyondDemo: "experiments are told that they do not run",
    }),
    on(ARGO, ["analysistemplates", "clusteranalysistemplates"], READ),
    on("apps", ["replicasets"], ["get", "list", "watch", "create", "patch", "delete"], {
      beyondDemo: "sets beyond the history are deleted",
    }),
    on("", ["pods"], ["list", "watch"]),
    on("", ["pods/eviction"], ["create"], { beyondDemo: "restarts" }),
    on("", ["services"], ["get", "list", "watch", "patch"], { beyondDemo: "read again after a conflict" }),
    on("networking.k8s.io", ["ingresses"], ["list", "watch", "create", "patch"]),
    on("batch", ["jobs"], ["get", "list", "watch", "create", "delete"], { beyondDemo: "metrics of the job provider" }),
    on("", ["secrets"], ["get"], { beyondDemo: "arguments of analyses from Secrets" }),
  ],
  "events-gateway": [
    ...clusterNames,
    on(ARGO, ["eventsources", "sensors", "eventbus"], ["get", "list", "watch", "patch"], {
      beyondDemo: "read again after a conflict",
    }),
    on(ARGO, ["eventsources/status", "sensors/status", "eventbus/status"], ["patch"]),
    on("", ["secrets", "configmaps"], READ),
    on(ARGO, ["workflows"], ["create", "get", "patch", "delete"], { beyondDemo: "operations of k8s triggers" }),
    on("", ["configmaps", "pods"], ["create", "get", "patch", "delete"], { beyondDemo: "operations of k8s triggers" }),
    on("batch", ["jobs", "cronjobs"], ["create", "get", "patch", "delete"], {
      beyondDemo: "operations of k8s triggers",
    }),
    on("apps", ["deployments"], ["create", "get", "patch", "delete"], { beyondDemo: "operations of k8s triggers" }),
    on(ARGO, ["rollouts", "applications"], ["create", "get", "patch", "delete"], {
      beyondDemo: "operations of k8s triggers",
    }),
  ],
  demo: [
    on("", ["namespaces"], ["create"]),
    on("", ["secrets"], ["create", "patch"]),
    on("", ["configmaps", "pods"], READ),
    on("apps", ["replicasets"], READ),
    on(ARGO, ["applications", "workflows", "rollouts", "analysisruns"], READ),
    on(ARGO, ["applications", "eventsources", "sensors", "workflowtemplates"], ["create", "patch"]),
  ],
};

const RBAC = "rbac.authorization.k8s.io";
const rulesOf = (grants: readonly Grant[]) =>
  grants.map(({ group, resources, verbs }) => ({ apiGroups: [group], resources: [...resources], verbs: [...verbs] }));

/** Name of a service's account, and of its roles and bindings. */
export const accountName = (service: AccountName): string => `tiphys-${service}`;

/** The account, roles and bindings of one service whose home is `namespace`, in the order in which they are applied. */
export function rolesOfService(service: AccountName, namespace: string): KubeObject[] {
  const name = accountName(service);
  const metadata = { name, labels: { "app.kubernetes.io/part-of": "tiphys" } };
  const grants = serviceGrants[service];
  const pair = (kind: "Role" | "ClusterRole", of: readonly Grant[]): KubeObject[] => {
    if (of.length === 0) return [];
    const placed = kind === "Role" ? { ...metadata, namespace } : metadata;
    return [
      { apiVersion: `${RBAC}/v1`, kind, metadata: placed, rules: rulesOf(of) },
      {
        apiVersion: `${RBAC}/v1`,
        kind: `${kind}Binding`,
        metadata: placed,
        roleRef: { apiGroup: RBAC, kind, name },
        subjects: [{ kind: "ServiceAccount", name, namespace }],
      },
    ];
  };
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { ...metadata, namespace } },
    ...pair(
      "ClusterRole",
      grants.filter(({ own }) => !own),
    ),
    ...pair(
      "Role",
      grants.filter(({ own }) => own),
    ),
  ];
}

/** What every service needs, `demo` among them. */
export const serviceRoles = (namespace: string): KubeObject[] =>
  serviceNames.flatMap((service) => rolesOfService(service, namespace));
