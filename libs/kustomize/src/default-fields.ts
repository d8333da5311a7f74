import type { FieldConfig, FieldSpec, NameReference } from "./field-specs.js";

/** Workloads whose pod template lies at `spec/template`. */
const TEMPLATED = ["Deployment", "ReplicaSet", "DaemonSet", "StatefulSet", "Job"];
const IN_TEMPLATE = "spec/template/";
const IN_CRON_JOB = "spec/jobTemplate/spec/template/";

const paths = (prefix: string, tails: readonly string[], kind: string, more: Partial<FieldSpec> = {}): FieldSpec[] =>
  tails.map((tail) => ({ path: prefix + tail, kind, ...more }));

const CONTAINER_LISTS = ["containers", "initContainers"];

/** Fields of a pod spec that name ConfigMaps or Secrets. */
const configFields = (what: "configMap" | "secret"): string[] => [
  what === "secret" ? "spec/volumes/secret/secretName" : "spec/volumes/configMap/name",
  ...CONTAINER_LISTS.flatMap((list) => [
    `spec/${list}/env/valueFrom/${what}KeyRef/name`,
    `spec/${list}/envFrom/${what}Ref/name`,
  ]),
  ...(what === "secret" ? ["spec/imagePullSecrets/name"] : []),
  `spec/volumes/projected/sources/${what}/name`,
];

const podFields = (tails: readonly string[]): FieldSpec[] => [
  ...paths("", tails, "Pod", { version: "v1" }),
  ...paths("template/", tails, "PodTemplate"),
  ...TEMPLATED.flatMap((kind) => paths(IN_TEMPLATE, tails, kind)),
  ...paths(IN_CRON_JOB, tails, "CronJob"),
];

/** Fields that are one of a pod spec, in all kinds that have one but ReplicaSet and PodTemplate. */
const podField = (tail: string): FieldSpec[] => [
  { path: `spec/${tail}`, kind: "Pod" },
  ...["StatefulSet", "Deployment", "ReplicationController", "Job", "DaemonSet"].map((kind) => ({
    path: `spec/template/spec/${tail}`,
    kind,
  })),
  { path: `spec/jobTemplate/spec/template/spec/${tail}`, kind: "CronJob" },
];

const RBAC = "rbac.authorization.k8s.io";
const ADMISSION = "admissionregistration.k8s.io";
const roleNames: FieldSpec[] = ["Role", "ClusterRole"].map((kind) => ({ path: "rules/resourceNames", kind }));

const nameReference: NameReference[] = [
  ...["Deployment", "ReplicationController", "ReplicaSet", "StatefulSet"].map((kind) => ({
    kind,
    fieldSpecs: [{ path: "spec/scaleTargetRef/name", kind: "HorizontalPodAutoscaler" }],
  })),
  {
    kind: "ConfigMap",
    version: "v1",
    fieldSpecs: [
      ...podFields(configFields("configMap")),
      { path: "spec/configSource/configMap", kind: "Node" },
      ...roleNames,
      { path: "metadata/annotations/nginx.ingress.kubernetes.io\\/fastcgi-params-configmap", kind: "Ingress" },
    ],
  },
  {
    kind: "Secret",
    version: "v1",
    fieldSpecs: [
      ...podFields(configFields("secret")),
      { path: "spec/tls/secretName", kind: "Ingress" },
      ...[
        "ingress.kubernetes.io\\/auth-secret",
        "nginx.ingress.kubernetes.io\\/auth-secret",
        "nginx.ingress.kubernetes.io\\/auth-tls-secret",
      ].map((key) => ({ path: `metadata/annotations/${key}`, kind: "Ingress" })),
      { path: "imagePullSecrets/name", kind: "ServiceAccount" },
      ...["secretName", "adminSecretName", "userSecretName", "secretRef"].map((key) => ({
        path: `parameters/${key}`,
        kind: "StorageClass",
      })),
      ...roleNames,
      {
        path: "spec/template/spec/containers/env/valueFrom/secretKeyRef/name",
        kind: "Service",
        group: "serving.knative.dev",
        version: "v1",
      },
      { path: "spec/azureFile/secretName", kind: "PersistentVolume" },
    ],
  },
  {
    kind: "Service",
    version: "v1",
    fieldSpecs: [
      { path: "spec/serviceName", kind: "StatefulSet", group: "apps" },
      ...[
        "spec/rules/http/paths/backend/serviceName",
        "spec/backend/serviceName",
        "spec/rules/http/paths/backend/service/name",
        "spec/defaultBackend/service/name",
      ].map((path) => ({ path, kind: "Ingress" })),
      { path: "spec/service/name", kind: "APIService", group: "apiregistration.k8s.io" },
      { path: "webhooks/clientConfig/service", kind: "ValidatingWebhookConfiguration", group: ADMISSION },
      { path: "webhooks/clientConfig/service", kind: "MutatingWebhookConfiguration", group: ADMISSION },
    ],
  },
  { kind: "Role", group: RBAC, fieldSpecs: [{ path: "roleRef/name", kind: "RoleBinding", group: RBAC }] },
  {
    kind: "ClusterRole",
    group: RBAC,
    fieldSpecs: ["RoleBinding", "ClusterRoleBinding"].map((kind) => ({ path: "roleRef/name", kind, group: RBAC })),
  },
  {
    kind: "ServiceAccount",
    version: "v1",
    fieldSpecs: [
      ...["RoleBinding", "ClusterRoleBinding"].map((kind) => ({ path: "subjects", kind, group: RBAC })),
      ...podField("serviceAccountName"),
    ],
  },
  { kind: "PersistentVolumeClaim", version: "v1", fieldSpecs: podField("volumes/persistentVolumeClaim/claimName") },
  {
    kind: "PersistentVolume",
    version: "v1",
    fieldSpecs: [
      { path: "spec/volumeName", kind: "PersistentVolumeClaim" },
      { path: "rules/resourceNames", kind: "ClusterRole" },
    ],
  },
  {
    kind: "StorageClass",
    version: "v1",
    group: "storage.k8s.io",
    fieldSpecs: [
      { path: "spec/storageClassName", kind: "PersistentVolume" },
      { path: "spec/storageClassName", kind: "PersistentVolumeClaim" },
      { path: "spec/volumeClaimTemplates/spec/storageClassName", kind: "StatefulSet" },
    ],
  },
  { kind: "PriorityClass", version: "v1", group: "scheduling.k8s.io", fieldSpecs: podField("priorityClassName") },
  {
    kind: "IngressClass",
    version: "v1",
    // The group is what the original says, so no IngressClass is ever found by it.
    group: "networking.k8s.io/v1",
    fieldSpecs: [{ path: "spec/ingressClassName", kind: "Ingress" }],
  },
  {
    kind: "ValidatingAdmissionPolicy",
    group: ADMISSION,
    fieldSpecs: [{ path: "spec/policyName", kind: "ValidatingAdmissionPolicyBinding", group: ADMISSION }],
  },
];

/** Where pods' metadata lies, with what the original asks of group and version. */
const metadataOf = (field: "labels" | "annotations"): FieldSpec[] => {
  const create = true;
  const template = `spec/template/metadata/${field}`;
  return [
    { path: `metadata/${field}`, create },
    { path: template, create, version: "v1", kind: "ReplicationController" },
    ...["Deployment", "ReplicaSet", "DaemonSet"].map((kind) => ({ path: template, create, kind })),
    field === "labels"
      ? { path: template, create, group: "apps", kind: "StatefulSet" }
      : { path: template, create, kind: "StatefulSet" },
    ...(field === "labels"
      ? [{ path: "spec/volumeClaimTemplates[]/metadata/labels", create, group: "apps", kind: "StatefulSet" }]
      : []),
    { path: template, create, group: "batch", kind: "Job" },
    { path: `spec/jobTemplate/metadata/${field}`, create, group: "batch", kind: "CronJob" },
    { path: `spec/jobTemplate/spec/template/metadata/${field}`, create, group: "batch", kind: "CronJob" },
  ];
};

const AFFINITIES = ["podAffinity", "podAntiAffinity"].flatMap((affinity) => [
  `affinity/${affinity}/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels`,
  `affinity/${affinity}/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels`,
]);

const selectors: FieldSpec[] = [
  { path: "spec/selector", create: true, version: "v1", kind: "Service" },
  { path: "spec/selector", create: true, version: "v1", kind: "ReplicationController" },
  ...["Deployment", "ReplicaSet", "DaemonSet"].map((kind) => ({
    path: "spec/selector/matchLabels",
    create: true,
    kind,
  })),
  { path: "spec/selector/matchLabels", create: true, group: "apps", kind: "StatefulSet" },
  ...["Deployment", "StatefulSet"].flatMap((kind) =>
    paths("spec/template/spec/", [...AFFINITIES, "topologySpreadConstraints/labelSelector/matchLabels"], kind, {
      group: "apps",
    }),
  ),
  { path: "spec/selector/matchLabels", group: "batch", kind: "Job" },
  { path: "spec/jobTemplate/spec/selector/matchLabels", group: "batch", kind: "CronJob" },
  { path: "spec/selector/matchLabels", group: "policy", kind: "PodDisruptionBudget" },
  ...[
    "spec/podSelector/matchLabels",
    "spec/ingress/from/podSelector/matchLabels",
    "spec/egress/to/podSelector/matchLabels",
  ].map((path) => ({ path, group: "networking.k8s.io", kind: "NetworkPolicy" })),
];

const VAR_TAILS = CONTAINER_LISTS.flatMap((list) =>
  ["args", "command", "env/value", "volumeMounts/mountPath"].map((tail) => `spec/${list}/${tail}`),
);

const varReference: FieldSpec[] = [
  ...paths(IN_CRON_JOB, [...VAR_TAILS, "volumes/nfs/server"], "CronJob"),
  ...TEMPLATED.flatMap((kind) => paths(IN_TEMPLATE, VAR_TAILS, kind)),
  ...TEMPLATED.filter((kind) => kind !== "StatefulSet").map((kind) => ({
    path: "spec/template/spec/volumes/nfs/server",
    kind,
  })),
  ...paths("", [...VAR_TAILS, "spec/volumes/nfs/server"], "Pod"),
  { path: "spec/template/metadata/annotations", kind: "Deployment" },
  ...paths("spec/", ["rules/host", "tls/hosts", "tls/secretName"], "Ingress"),
  ...paths("spec/ports/", ["port", "targetPort"], "Service"),
  { path: "spec/volumeClaimTemplates/spec/nfs/server", kind: "StatefulSet" },
  { path: "spec/nfs/server", kind: "PersistentVolume" },
  { path: "metadata/labels" },
  { path: "metadata/annotations" },
];

/** The fields that each transformer works on where no configuration says more. */
export const defaultFields: FieldConfig = {
  namePrefix: [{ path: "metadata/name" }],
  nameSuffix: [{ path: "metadata/name" }],
  namespace: [
    { path: "metadata/name", kind: "Namespace", create: true },
    { path: "spec/service/namespace", group: "apiregistration.k8s.io", kind: "APIService", create: true },
    {
      path: "spec/conversion/webhook/clientConfig/service/namespace",
      group: "apiextensions.k8s.io",
      kind: "CustomResourceDefinition",
    },
  ],
  commonLabels: [...selectors, ...metadataOf("labels")],
  labels: [],
  templateLabels: metadataOf("labels"),
  commonAnnotations: metadataOf("annotations"),
  nameReference,
  varReference,
  images: ["spec/", "spec/template/spec/"].flatMap((prefix) =>
    ["containers[]/image", "initContainers[]/image", "volumes[]/image/reference"].map((tail) => ({
      path: prefix + tail,
      create: true,
    })),
  ),
  replicas: ["Deployment", "ReplicationController", "ReplicaSet", "StatefulSet"].map((kind) => ({
    path: "spec/replicas",
    create: true,
    kind,
  })),
};
