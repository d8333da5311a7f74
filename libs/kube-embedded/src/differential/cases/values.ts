import { APPLY, type Group, type Step } from "../play.js";

type Members = Readonly<Record<string, unknown>>;

const container = (more: Members = {}): Members => ({
  automountServiceAccountToken: false,
  containers: [{ name: "c", image: "i", ...more }],
});
const volume = (source: Members): Members => ({ ...container(), volumes: [{ name: "v", ...source }] });
const post = (name: string, path: string, body: Members): Step => ({
  name,
  method: "POST",
  path: `${path}?dryRun=All&fieldManager=m`,
  body,
});
const pod = (name: string, spec: Members, metadata: Members = {}): Step =>
  post(name, "pods", { apiVersion: "v1", kind: "Pod", metadata: { name: "p", ...metadata }, spec });
const typed = (kind: string, apiVersion: string, more: Members): Members => ({
  apiVersion,
  kind,
  metadata: { name: "$RUN-v" },
  ...more,
});
const workload = (name: string, kind: string, spec: Members, more: Members = {}, metadata: Members = {}): Step => {
  const selector = kind === "Job" ? {} : { selector: { matchLabels: { a: "b" } } };
  const group = kind === "Job" ? "batch" : "apps";
  return post(name, `${group}/v1/${kind.toLowerCase()}s`, {
    ...typed(kind, `${group}/v1`, {
      spec: { ...selector, template: { metadata: { labels: { a: "b" } }, spec }, ...more },
    }),
    metadata: { name: "w", ...metadata },
  });
};
const env = (valueFrom: Members): Members => ({ env: [{ name: "a", valueFrom }] });

/** Values of wrong types inside structs that Go builds into others: the message names those. */
const wrongTypes: Group = {
  name: "wrong types in built-in structs",
  steps: [
    pod("a volume's source", volume({ hostPath: 5 })),
    pod("a member of a volume's source", volume({ hostPath: { path: 5 } })),
    pod("a member of its list", volume({ configMap: { items: [{ key: 5 }] } })),
    pod("the name of a map", volume({ configMap: { name: 5 } })),
    pod("the name of a projected secret", volume({ projected: { sources: [{ secret: { name: 5 } }] } })),
    pod("a probe's handler", container({ livenessProbe: { httpGet: 5 } })),
    pod("a member of a probe's handler", container({ livenessProbe: { httpGet: { path: 5 } } })),
    pod("a probe's own member", container({ livenessProbe: { periodSeconds: "x" } })),
    pod("the name of a referenced map", container(env({ configMapKeyRef: { name: 5 } }))),
    pod("the key in a referenced map", container(env({ configMapKeyRef: { key: 5 } }))),
    pod("the name of a secret of variables", container({ envFrom: [{ secretRef: { name: 5 } }] })),
    pod("an amount that is an object", container({ resources: { limits: { cpu: {} } } })),
    pod("an amount that is a list", container({ resources: { limits: { cpu: [] } } })),
    pod("an amount that is true", container({ resources: { limits: { cpu: true } } })),
    pod("amounts that are a number", container({ resources: { limits: 5 } })),
    post(
      "a volume's source of a PersistentVolume",
      "/api/v1/persistentvolumes",
      typed("PersistentVolume", "v1", { spec: { nfs: 5 } }),
    ),
    post(
      "a member of it",
      "/api/v1/persistentvolumes",
      typed("PersistentVolume", "v1", { spec: { nfs: { path: 5 } } }),
    ),
    post(
      "a webhook's rule",
      "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
      typed("ValidatingWebhookConfiguration", "admissionregistration.k8s.io/v1", {
        webhooks: [{ rules: [{ apiGroups: 5 }] }],
      }),
    ),
    post("bytes that are a number", "secrets", typed("Secret", "v1", { data: { a: 5 } })),
    post("bytes that are a list of texts", "secrets", typed("Secret", "v1", { data: { a: ["x"] } })),
    post("bytes that are an object", "secrets", typed("Secret", "v1", { data: { a: { b: null } } })),
    post("bytes that are numbers", "configmaps", typed("ConfigMap", "v1", { binaryData: { a: [5, 255] } })),
    post("bytes that are large numbers", "configmaps", typed("ConfigMap", "v1", { binaryData: { a: [5, 256] } })),
  ],
};

const apply = (name: string, path: string, body: Members): Step => ({
  name,
  method: "PATCH",
  path: `${path}?dryRun=All&fieldManager=m`,
  headers: { "content-type": APPLY },
  body,
});
const deployment = (name: string, spec: Members, metadata: Members = {}): Step =>
  apply(name, "apps/v1/deployments/d", {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "d", ...metadata },
    spec: { selector: { matchLabels: { a: "b" } }, template: { metadata: { labels: { a: "b" } }, spec } },
  });

/** What a schema takes and its type does not, applied by the server; and identities that cannot be. */
const applied: Group = {
  name: "applied values",
  steps: [
    deployment("an amount that is none", container({ resources: { limits: { cpu: "abc" } } })),
    deployment("a fraction of a second", { ...container(), terminationGracePeriodSeconds: 1.5 }),
    deployment("a fraction of a port", container({ ports: [{ containerPort: 1.5 }] })),
    deployment("a time that is none", container(), { creationTimestamp: "now" }),
    deployment("a port that is an object", container({ livenessProbe: { httpGet: { port: {} } } })),
    deployment("a label that is an object of null", container(), { labels: { a: { b: null } } }),
    deployment("a label that is a list", container(), { labels: { a: ["x", 1, true, null] } }),
    deployment("a namespace that is an object", container(), { namespace: { b: null } }),
    apply("bytes that are none", "secrets/s", typed("Secret", "v1", { metadata: { name: "s" }, data: { a: "%%" } })),
    apply("a uid where nothing is", "configmaps/s", typed("ConfigMap", "v1", { metadata: { name: "s", uid: "abc" } })),
    apply(
      "what exported objects have",
      "configmaps/s",
      typed("ConfigMap", "v1", {
        metadata: { name: "s", selfLink: "abc", generation: 7, creationTimestamp: "2020-01-01T00:00:00Z" },
      }),
    ),
    apply(
      "a namespace of what has none",
      "/apis/rbac.authorization.k8s.io/v1/clusterroles/$RUN-v",
      typed("ClusterRole", "rbac.authorization.k8s.io/v1", { metadata: { name: "$RUN-v", namespace: "x" } }),
    ),
  ],
};

const role = (name: string, more: Members, metadata: Members = {}): Step =>
  post(name, "/apis/rbac.authorization.k8s.io/v1/clusterroles", {
    ...typed("ClusterRole", "rbac.authorization.k8s.io/v1", more),
    metadata: { name: "$RUN-v", ...metadata },
  });
const APPARMOR = "container.apparmor.security.beta.kubernetes.io/c";

/** Defaults and warnings of objects as public manifests have them. */
const manifests: Group = {
  name: "objects as manifests have them",
  steps: [
    role("an empty list of rules", { rules: [] }),
    role("no rules", {}),
    role("null instead of rules", { rules: null }),
    role("a namespace of what has none", { rules: [] }, { namespace: "x" }),
    pod("the host's network", { ...container({ ports: [{ containerPort: 80 }] }), hostNetwork: true }),
    workload("the host's network in a template", "DaemonSet", {
      ...container({ ports: [{ containerPort: 80 }] }),
      hostNetwork: true,
    }),
    workload("a share of an amount", "Deployment", container(env({ resourceFieldRef: { resource: "limits.cpu" } }))),
    pod("a share of an amount in a pod", container(env({ resourceFieldRef: { resource: "limits.cpu" } }))),
    pod(
      "a share of an amount in a file",
      volume({
        downwardAPI: { items: [{ path: "a", resourceFieldRef: { containerName: "c", resource: "limits.cpu" } }] },
      }),
    ),
    workload("an image that is no name", "Deployment", container({ image: "<YOUR-CONTAINER>" })),
    workload("an image with capitals", "Deployment", container({ image: "Registry/Name" })),
    workload("an image of a registry with capitals", "Deployment", container({ image: "Registry.example/name" })),
    workload("an image with a port", "Deployment", container({ image: "localhost:5000/name" })),
    workload("an image with two tags", "Deployment", container({ image: "a:b:c" })),
    pod("a name with a dot", container(), { name: "a.b" }),
    ...["Deployment", "ReplicaSet", "DaemonSet", "StatefulSet"].map((kind) =>
      workload(`a ${kind} with a dot`, kind, container(), {}, { name: "a.b" }),
    ),
    post("a CronJob with a dot", "batch/v1/cronjobs", {
      apiVersion: "batch/v1",
      kind: "CronJob",
      metadata: { name: "a.b" },
      spec: {
        schedule: "* * * * *",
        jobTemplate: { spec: { template: { spec: { ...container(), restartPolicy: "Never" } } } },
      },
    }),
    post("a ReplicationController with a dot", "replicationcontrollers", {
      apiVersion: "v1",
      kind: "ReplicationController",
      metadata: { name: "a.b" },
      spec: { selector: { a: "b" }, template: { metadata: { labels: { a: "b" } }, spec: container() } },
    }),
    workload("a Job with a dot", "Job", { ...container(), restartPolicy: "Never" }, {}, { name: "a.b" }),
    pod("a profile by its old name", container(), { annotations: { [APPARMOR]: "runtime/default" } }),
    pod("a local profile by its old name", container(), { annotations: { [APPARMOR]: "localhost/x" } }),
    pod("no profile by its old name", container(), { annotations: { [APPARMOR]: "unconfined" } }),
    pod("a profile by another old name", container(), { annotations: { [APPARMOR]: "what" } }),
    pod("a profile of a container", container({ securityContext: { appArmorProfile: { type: "Unconfined" } } })),
    pod("a profile of a pod", { ...container(), securityContext: { appArmorProfile: { type: "RuntimeDefault" } } }),
    pod("a profile in both forms", container({ securityContext: { appArmorProfile: { type: "Unconfined" } } }), {
      annotations: { [APPARMOR]: "runtime/default" },
    }),
    pod("azureDisk", volume({ azureDisk: { diskName: "a", diskURI: "https://a/b" } })),
    pod("azureDisk of another form", volume({ azureDisk: { diskName: "a", diskURI: "b", kind: "Managed" } })),
    pod("azureDisk of an unknown kind", volume({ azureDisk: { diskName: "a", kind: "Odd", cachingMode: "Odd" } })),
    pod("scaleIO", volume({ scaleIO: { gateway: "g", system: "s", secretRef: { name: "n" }, volumeName: "v" } })),
    workload("a strategy with its type alone", "StatefulSet", container(), {
      serviceName: "s",
      updateStrategy: { type: "RollingUpdate" },
    }),
    workload("a strategy on request", "StatefulSet", container(), {
      serviceName: "s",
      updateStrategy: { type: "OnDelete" },
    }),
    workload("a strategy with half of it", "StatefulSet", container(), {
      serviceName: "s",
      updateStrategy: { rollingUpdate: {} },
    }),
    workload("an empty strategy", "StatefulSet", container(), { serviceName: "s", updateStrategy: {} }),
    post(
      "a PersistentVolume of a kind that is gone",
      "/api/v1/persistentvolumes",
      typed("PersistentVolume", "v1", {
        spec: {
          capacity: { storage: "1Gi" },
          accessModes: ["ReadWriteOnce"],
          storageos: { volumeName: "a", volumeNamespace: "b" },
        },
      }),
    ),
  ],
};

/** Jobs whose labels or selectors are there before the server makes its own. */
const jobs: Group = {
  name: "jobs with labels",
  steps: [
    workload(
      "a uid of another",
      "Job",
      { ...container(), restartPolicy: "Never" },
      {
        template: {
          metadata: { labels: { "controller-uid": "x", "job-name": "w" } },
          spec: { ...container(), restartPolicy: "Never" },
        },
      },
    ),
    workload(
      "a name of another",
      "Job",
      { ...container(), restartPolicy: "Never" },
      { template: { metadata: { labels: { "job-name": "x" } }, spec: { ...container(), restartPolicy: "Never" } } },
    ),
    workload(
      "a newer name of another",
      "Job",
      { ...container(), restartPolicy: "Never" },
      {
        template: {
          metadata: { labels: { "batch.kubernetes.io/job-name": "x" } },
          spec: { ...container(), restartPolicy: "Never" },
        },
      },
    ),
    workload(
      "a selector",
      "Job",
      { ...container(), restartPolicy: "Never" },
      { selector: { matchLabels: { a: "b" } } },
    ),
    workload(
      "a selector by uid",
      "Job",
      { ...container(), restartPolicy: "Never" },
      { selector: { matchLabels: { "batch.kubernetes.io/controller-uid": "x" } } },
    ),
    workload(
      "a manual selector",
      "Job",
      { ...container(), restartPolicy: "Never" },
      { manualSelector: true, selector: { matchLabels: { a: "b" } } },
    ),
    workload("labels of its own", "Job", { ...container(), restartPolicy: "Never" }, {}, { labels: { x: "y" } }),
    workload(
      "the labels of its template",
      "Job",
      { ...container(), restartPolicy: "Never" },
      {},
      { labels: { a: "b" } },
    ),
    workload("no labels", "Job", { ...container(), restartPolicy: "Never" }),
    workload("no labels anywhere", "Job", {}, { template: { spec: { ...container(), restartPolicy: "Never" } } }),
  ],
};

export const valueGroups: readonly Group[] = [wrongTypes, applied, manifests, jobs];
