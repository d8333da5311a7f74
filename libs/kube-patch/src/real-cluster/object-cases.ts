const labels = { app: "web" };
const container = { name: "web", image: "nginx:1" };
const template = (spec: object = {}) => ({ metadata: { labels }, spec: { containers: [container], ...spec } });
const pod = (spec: object) => ({ apiVersion: "v1", kind: "Pod", spec: { containers: [container], ...spec } });
const web = (extra: object) => pod({ containers: [{ ...container, ...extra }] });
const deployment = (spec: object) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  spec: { selector: { matchLabels: labels }, template: template(), ...spec },
});
const workload = (kind: string, spec: object = {}) => ({
  apiVersion: "apps/v1",
  kind,
  spec: { selector: { matchLabels: labels }, template: template(), ...spec },
});
const job = (spec: object) => ({
  apiVersion: "batch/v1",
  kind: "Job",
  spec: { template: { spec: { containers: [container], restartPolicy: "Never" } }, ...spec },
});
const service = (spec: object) => ({ apiVersion: "v1", kind: "Service", spec: { ports: [{ port: 80 }], ...spec } });
const rbac = "rbac.authorization.k8s.io/v1";

/** Objects that a real server takes: their defaults have to be the same. */
export const goodObjects: readonly object[] = [
  web({
    ports: [{ containerPort: 80 }],
    env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
    livenessProbe: { httpGet: { port: 80 } },
    readinessProbe: { exec: { command: ["true"] }, periodSeconds: 3 },
    resources: { limits: { cpu: "0.5", memory: "1024Mi" }, requests: { cpu: 0.25 } },
    lifecycle: { preStop: { httpGet: { port: "web", path: "/x" } } },
  }),
  pod({
    serviceAccountName: "default",
    automountServiceAccountToken: false,
    hostNetwork: true,
    containers: [{ name: "a", image: "localhost:5000/x", ports: [{ containerPort: 8080 }] }],
    initContainers: [{ name: "i", image: "x@sha256:0123456789012345678901234567890123456789012345678901234567890123" }],
    volumes: [
      { name: "a" },
      { name: "b", secret: { secretName: "s" } },
      { name: "c", configMap: { name: "c" } },
      { name: "d", projected: { sources: [{ serviceAccountToken: { path: "t" } }] } },
      { name: "e", hostPath: { path: "/tmp" } },
      { name: "f", downwardAPI: { items: [{ path: "p", fieldRef: { fieldPath: "metadata.labels" } }] } },
    ],
  }),
  deployment({}),
  pod({ terminationGracePeriodSeconds: -1 }),
  deployment({ strategy: { type: "Recreate" }, replicas: 0 }),
  deployment({ strategy: { rollingUpdate: { maxSurge: 2 } }, template: template({ serviceAccount: "x" }) }),
  workload("ReplicaSet"),
  workload("DaemonSet"),
  workload("StatefulSet", {
    serviceName: "x",
    volumeClaimTemplates: [
      {
        metadata: { name: "d" },
        spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
      },
    ],
  }),
  job({}),
  job({ parallelism: 2 }),
  job({ completionMode: "Indexed", completions: 3, backoffLimitPerIndex: 1 }),
  {
    apiVersion: "batch/v1",
    kind: "CronJob",
    spec: {
      schedule: "*/5 * * * *",
      jobTemplate: { spec: { template: { spec: { containers: [container], restartPolicy: "OnFailure" } } } },
    },
  },
  service({ selector: labels }),
  service({ type: "NodePort", ports: [{ port: 80, targetPort: "web", name: "a", nodePort: 30999 }] }),
  service({ clusterIP: "None", sessionAffinity: "ClientIP" }),
  service({ type: "ExternalName", externalName: "example.com", ports: [] }),
  { apiVersion: "v1", kind: "Secret", stringData: { a: "b" }, data: { c: "ZA==" } },
  {
    apiVersion: "v1",
    kind: "ConfigMap",
    data: { a: "b" },
    binaryData: { b: "AAE=" },
    metadata: { labels: {}, annotations: { a: "" } },
  },
  { apiVersion: "v1", kind: "ServiceAccount" },
  { apiVersion: rbac, kind: "Role", rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }] },
  {
    apiVersion: rbac,
    kind: "RoleBinding",
    roleRef: { kind: "ClusterRole", name: "x" },
    subjects: [
      { kind: "User", name: "u" },
      { kind: "ServiceAccount", name: "s", namespace: "n" },
    ],
  },
  {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    spec: {
      rules: [
        {
          host: "a.b",
          http: {
            paths: [{ path: "/", pathType: "Prefix", backend: { service: { name: "x", port: { number: 80 } } } }],
          },
        },
      ],
    },
  },
  {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    spec: { podSelector: {}, ingress: [{ ports: [{ port: 80 }] }] },
  },
  {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    addressType: "IPv4",
    endpoints: [{ addresses: ["10.0.0.1"] }],
    ports: [{ port: 80 }],
  },
  {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    spec: { holderIdentity: "me", leaseDurationSeconds: 15, renewTime: "2026-01-01T00:00:00.000000Z" },
  },
  {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1.5Gi" } } },
  },
  {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    spec: { minAvailable: 1, selector: { matchLabels: labels } },
  },
];

/** Objects that a real server refuses, with the same causes and the same message. */
export const badObjects: readonly object[] = [
  { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "Not_Good" } },
  { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "" } },
  { apiVersion: "v1", kind: "ConfigMap", metadata: { labels: { "a b": "c d" } } },
  { apiVersion: "v1", kind: "ConfigMap", metadata: { annotations: { "a/b/c": "x" } } },
  { apiVersion: "v1", kind: "ConfigMap", metadata: { finalizers: ["nope"] } },
  {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { ownerReferences: [{ apiVersion: "v1", kind: "Pod", name: "", uid: "" }] },
  },
  { apiVersion: "v1", kind: "ConfigMap", data: { "a/b": "c" } },
  { apiVersion: "v1", kind: "Secret", type: "kubernetes.io/tls", data: { "tls.crt": "" } },
  { apiVersion: "v1", kind: "Secret", data: { a: "%%%" } },
  pod({ containers: [] }),
  pod({ containers: [{ name: "A_b", image: "" }, { image: "x" }, container, container] }),
  pod({ restartPolicy: "Sometimes", dnsPolicy: "x" }),
  web({
    ports: [{ containerPort: 0 }, { containerPort: 70000, name: "Bad_Name" }, { containerPort: 1, protocol: "X" }],
  }),
  web({
    env: [
      { name: "" },
      { name: "A=B" },
      { name: "C", valueFrom: {} },
      { name: "D", valueFrom: { configMapKeyRef: {} } },
    ],
  }),
  web({ volumeMounts: [{ name: "nope", mountPath: "" }] }),
  web({ livenessProbe: { periodSeconds: -1 }, imagePullPolicy: "Maybe" }),
  web({ resources: { limits: { cpu: "1" }, requests: { cpu: "2" } } }),
  web({ resources: { limits: { cpu: "abc" } } }),
  pod({ volumes: [{ name: "a" }, { name: "a" }, { name: "" }, { name: "b", emptyDir: {}, hostPath: { path: "/x" } }] }),
  deployment({ selector: undefined }),
  deployment({ selector: {} }),
  deployment({ selector: { matchLabels: { app: "other" } } }),
  deployment({ template: undefined }),
  deployment({ replicas: -1, minReadySeconds: -2 }),
  deployment({ strategy: { type: "Other" } }),
  deployment({ strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } }),
  deployment({ template: template({ restartPolicy: "Never" }) }),
  workload("StatefulSet", { podManagementPolicy: "x" }),
  workload("DaemonSet", {
    selector: {
      matchExpressions: [
        { key: "a", operator: "In" },
        { key: "b", operator: "X" },
      ],
    },
  }),
  job({ template: { spec: { containers: [container] } } }),
  job({ backoffLimit: -1, completionMode: "Indexed" }),
  {
    apiVersion: "batch/v1",
    kind: "CronJob",
    spec: {
      schedule: "* *",
      jobTemplate: { spec: { template: { spec: { containers: [container], restartPolicy: "Never" } } } },
    },
  },
  service({ ports: [] }),
  service({ ports: [{ port: 0 }, { port: 80, name: "x" }] }),
  service({
    ports: [
      { port: 80, name: "a" },
      { port: 80, name: "a" },
    ],
  }),
  service({ type: "Odd" }),
  service({ type: "ExternalName" }),
  { apiVersion: rbac, kind: "Role", rules: [{ apiGroups: [""], resources: ["pods"] }, { verbs: ["get"] }] },
  {
    apiVersion: rbac,
    kind: "RoleBinding",
    roleRef: { kind: "X", name: "" },
    subjects: [
      { kind: "Z", name: "" },
      { kind: "ServiceAccount", name: "a" },
    ],
  },
  { apiVersion: "networking.k8s.io/v1", kind: "Ingress", spec: {} },
  {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    spec: {
      rules: [
        { http: { paths: [{ path: "x", pathType: "Prefix", backend: {} }, { backend: { service: { name: "" } } }] } },
      ],
    },
  },
  {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    addressType: "IPv4",
    endpoints: [{ addresses: [] }, { addresses: ["127.0.0.1"] }],
  },
  { apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", addressType: "X", endpoints: [] },
  { apiVersion: "coordination.k8s.io/v1", kind: "Lease", spec: { leaseDurationSeconds: 0 } },
  { apiVersion: "coordination.k8s.io/v1", kind: "Lease", spec: { renewTime: "x" } },
  { apiVersion: "policy/v1", kind: "PodDisruptionBudget", spec: { maxUnavailable: 1, minAvailable: "x" } },
];

/** Objects with fields that their kinds do not have, under strict field validation. */
export const unknownFields: readonly object[] = [
  deployment({ replicaz: 1, template: template({ containers: [{ ...container, imag: "x" }] }) }),
  { apiVersion: "v1", kind: "ConfigMap", dta: {}, metadata: { label: {} } },
];
