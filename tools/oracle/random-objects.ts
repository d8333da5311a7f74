// Kubernetes objects by chance, whose names and references come from small sets so that they meet.
import { oneOf } from "@tiphys/testing";

export type Json = Record<string, unknown>;

/** Choices that a seed makes. */
export class Dice {
  constructor(private readonly next: () => number) {}
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }
  chance(share: number): boolean {
    return this.next() < share;
  }
  pick<T>(items: readonly T[]): T {
    return oneOf(this.next, items);
  }
  some<T>(items: readonly T[], share: number): T[] {
    return items.filter(() => this.chance(share));
  }
  times<T>(least: number, most: number, make: (index: number) => T): T[] {
    return Array.from({ length: least + this.below(most - least + 1) }, (_, index) => make(index));
  }
  /** `make()` under `key`, or nothing. */
  maybe(share: number, key: string, make: () => unknown): Json {
    return this.chance(share) ? { [key]: make() } : {};
  }
}

export const names = ["web", "db", "settings", "keys", "runner", "front"];
export const namespaces = ["one", "two", "default"];
const images = [
  "nginx",
  "nginx:1.25",
  "registry.example:5000/team/app:v2",
  "busybox@sha256:0123456789012345678901234567890123456789012345678901234567890123",
  "app:1.0@sha256:0123456789012345678901234567890123456789012345678901234567890123",
  "docker.io/library/redis:7-alpine",
];
const texts = [
  "a",
  "1",
  "true",
  "yes",
  "0x1F",
  "1e3",
  "2020-01-02",
  "",
  "$(HOST)",
  "$$(HOST)/$(OTHER)",
  "web",
  "web.one.svc",
  "a:b:c",
  "x: y",
  "#no",
  "multi\nline\n",
  "é😀",
  " lead",
  "trail ",
  "null",
  "~",
  "012",
  "1_000",
  "{{ x }}",
  "*",
];

export const anyText = (dice: Dice): string => dice.pick(texts);
export const labels = (dice: Dice): Json =>
  Object.fromEntries(
    dice
      .some(["app", "tier", "example.com/part", "on"], 0.4)
      .map((key) => [key, dice.pick(["web", "db", "1", "true", "a-b"])]),
  );

const metadata = (dice: Dice, name: string, isNamespaced = true): Json => ({
  name,
  ...(isNamespaced ? dice.maybe(0.25, "namespace", () => dice.pick(namespaces)) : {}),
  ...dice.maybe(0.4, "labels", () => labels(dice)),
  ...dice.maybe(0.25, "annotations", () =>
    Object.fromEntries(
      dice
        .some(
          ["note", "example.com/when", "config.kubernetes.io/index", "nginx.ingress.kubernetes.io/auth-secret", "x"],
          0.3,
        )
        .map((key) => [key, dice.pick(texts)]),
    ),
  ),
});

const container = (dice: Dice, name: string): Json => ({
  name,
  ...dice.maybe(0.95, "image", () => dice.pick(images)),
  ...dice.maybe(0.4, "env", () =>
    dice.times(0, 3, (index) => {
      const reference = dice.pick(["configMapKeyRef", "secretKeyRef"]);
      return dice.chance(0.6)
        ? { name: dice.pick(["A", "B", "HOST", `E${index}`]), value: dice.pick(texts) }
        : { name: `R${index}`, valueFrom: { [reference]: { name: dice.pick(names), key: "a" } } };
    }),
  ),
  ...dice.maybe(0.25, "envFrom", () => [{ [dice.pick(["configMapRef", "secretRef"])]: { name: dice.pick(names) } }]),
  ...dice.maybe(0.3, "args", () => dice.times(0, 3, () => dice.pick(texts))),
  ...dice.maybe(0.4, "ports", () =>
    dice.times(1, 3, () => ({
      containerPort: dice.pick([80, 443, 53]),
      ...dice.maybe(0.4, "protocol", () => dice.pick(["TCP", "UDP"])),
    })),
  ),
  ...dice.maybe(0.2, "resources", () => ({ limits: { cpu: dice.pick([1, "500m", 0.5]), memory: "1Gi" } })),
  ...dice.maybe(0.3, "volumeMounts", () =>
    dice.times(1, 2, (index) => ({ name: `v${index}`, mountPath: dice.pick(["/a", "/b"]) })),
  ),
});

const volume = (dice: Dice, name: string): Json => ({
  name,
  ...dice.pick<() => Json>([
    () => ({ configMap: { name: dice.pick(names), ...dice.maybe(0.3, "defaultMode", () => 420) } }),
    () => ({ secret: { secretName: dice.pick(names) } }),
    () => ({ persistentVolumeClaim: { claimName: dice.pick(names) } }),
    () => ({ emptyDir: {} }),
    () => ({
      projected: { sources: [{ configMap: { name: dice.pick(names) } }, { secret: { name: dice.pick(names) } }] },
    }),
  ])(),
});

const podSpec = (dice: Dice): Json => ({
  ...dice.maybe(0.4, "serviceAccountName", () => dice.pick(names)),
  containers: dice.times(1, 3, (index) => container(dice, dice.pick(["main", "side", `c${index}`]))),
  ...dice.maybe(0.2, "initContainers", () => [container(dice, "init")]),
  ...dice.maybe(0.4, "volumes", () => dice.times(1, 3, (index) => volume(dice, `v${index}`))),
  ...dice.maybe(0.2, "imagePullSecrets", () => [{ name: dice.pick(names) }]),
  ...dice.maybe(0.15, "tolerations", () => [{ key: "a", operator: "Exists" }]),
  ...dice.maybe(0.2, "nodeSelector", () => ({ disk: dice.pick(texts) })),
  ...dice.maybe(0.15, "affinity", () => ({
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { topologyKey: "host", labelSelector: { matchLabels: labels(dice) } },
      ],
    },
  })),
  ...dice.maybe(0.1, "topologySpreadConstraints", () => [
    { maxSkew: 1, topologyKey: "zone", labelSelector: { matchLabels: labels(dice) } },
  ]),
});

const template = (dice: Dice): Json => ({
  metadata: { ...dice.maybe(0.8, "labels", () => labels(dice)) },
  spec: podSpec(dice),
});
const workload = (dice: Dice, more: Json = {}): Json => ({
  ...dice.maybe(0.6, "replicas", () => dice.below(4)),
  ...dice.maybe(0.8, "selector", () => ({ matchLabels: labels(dice) })),
  template: template(dice),
  ...more,
});

const subject = (dice: Dice): Json => ({
  kind: dice.pick(["ServiceAccount", "ServiceAccount", "User"]),
  name: dice.pick([...names, "default"]),
  ...dice.maybe(0.4, "namespace", () => dice.pick(namespaces)),
});
const roleRef = (dice: Dice, kind: string): Json => ({
  apiGroup: "rbac.authorization.k8s.io",
  kind,
  name: dice.pick(names),
});
const rules = (dice: Dice): Json[] => [
  {
    apiGroups: [""],
    resources: [dice.pick(["secrets", "configmaps", "pods"])],
    verbs: ["get"],
    ...dice.maybe(0.4, "resourceNames", () => dice.times(1, 2, () => dice.pick(names))),
  },
];

type Maker = (dice: Dice, name: string) => Json;
const object =
  (apiVersion: string, kind: string, body: (dice: Dice) => Json, isNamespaced = true): Maker =>
  (dice, name) => ({
    apiVersion,
    kind,
    metadata: metadata(dice, name, isNamespaced),
    ...body(dice),
  });

const makers: readonly Maker[] = [
  object("apps/v1", "Deployment", (dice) => ({ spec: workload(dice) })),
  object("apps/v1", "Deployment", (dice) => ({
    spec: workload(
      dice,
      dice.maybe(0.2, "strategy", () => ({ type: "Recreate" })),
    ),
  })),
  object("apps/v1", "StatefulSet", (dice) => ({
    spec: workload(dice, {
      serviceName: dice.pick(names),
      ...dice.maybe(0.4, "volumeClaimTemplates", () => [
        {
          metadata: { name: "data", ...dice.maybe(0.4, "labels", () => labels(dice)) },
          spec: { storageClassName: dice.pick(names) },
        },
      ]),
    }),
  })),
  object("apps/v1", "DaemonSet", (dice) => ({ spec: workload(dice) })),
  object("batch/v1", "Job", (dice) => ({ spec: { template: template(dice) } })),
  object("batch/v1", "CronJob", (dice) => ({
    spec: { schedule: "* * * * *", jobTemplate: { spec: { template: template(dice) } } },
  })),
  object("v1", "Pod", (dice) => ({ spec: podSpec(dice) })),
  object("v1", "Service", (dice) => ({
    spec: {
      ...dice.maybe(0.8, "selector", () => labels(dice)),
      ports: dice.times(1, 3, (index) => ({
        port: dice.pick([80, 443, 53]),
        ...dice.maybe(0.6, "name", () => `p${index}`),
        ...dice.maybe(0.3, "protocol", () => dice.pick(["TCP", "UDP"])),
      })),
    },
  })),
  object("v1", "ConfigMap", (dice) => ({
    data: Object.fromEntries(dice.some(["a", "b", "web.conf", "1"], 0.5).map((key) => [key, dice.pick(texts)])),
  })),
  object("v1", "Secret", (dice) => ({
    type: "Opaque",
    ...dice.maybe(0.5, "stringData", () => ({ a: dice.pick(texts) })),
    ...dice.maybe(0.5, "data", () => ({ b: "YQ==" })),
  })),
  object("v1", "ServiceAccount", (dice) => ({
    ...dice.maybe(0.4, "imagePullSecrets", () => [{ name: dice.pick(names) }]),
    ...dice.maybe(0.3, "secrets", () => [{ name: dice.pick(names) }]),
  })),
  object("rbac.authorization.k8s.io/v1", "Role", (dice) => ({ rules: rules(dice) })),
  object("rbac.authorization.k8s.io/v1", "RoleBinding", (dice) => ({
    roleRef: roleRef(dice, dice.pick(["Role", "ClusterRole"])),
    subjects: dice.times(0, 2, () => subject(dice)),
  })),
  object(
    "rbac.authorization.k8s.io/v1",
    "ClusterRole",
    (dice) => ({
      rules: rules(dice),
      ...dice.maybe(0.2, "aggregationRule", () => ({ clusterRoleSelectors: [{ matchLabels: labels(dice) }] })),
    }),
    false,
  ),
  object(
    "rbac.authorization.k8s.io/v1",
    "ClusterRoleBinding",
    (dice) => ({ roleRef: roleRef(dice, "ClusterRole"), subjects: dice.times(1, 2, () => subject(dice)) }),
    false,
  ),
  object("networking.k8s.io/v1", "Ingress", (dice) => ({
    spec: {
      ...dice.maybe(0.4, "tls", () => [{ hosts: ["a.example"], secretName: dice.pick(names) }]),
      rules: [
        {
          host: dice.pick(["a.example", "$(HOST)"]),
          http: {
            paths: [
              { path: "/", pathType: "Prefix", backend: { service: { name: dice.pick(names), port: { number: 80 } } } },
            ],
          },
        },
      ],
    },
  })),
  object("autoscaling/v2", "HorizontalPodAutoscaler", (dice) => ({
    spec: {
      scaleTargetRef: { apiVersion: "apps/v1", kind: dice.pick(["Deployment", "StatefulSet"]), name: dice.pick(names) },
      maxReplicas: 3,
    },
  })),
  object("policy/v1", "PodDisruptionBudget", (dice) => ({
    spec: { minAvailable: dice.pick([1, "50%"]), selector: { matchLabels: labels(dice) } },
  })),
  object("networking.k8s.io/v1", "NetworkPolicy", (dice) => ({
    spec: {
      podSelector: { matchLabels: labels(dice) },
      ingress: [{ from: [{ podSelector: { matchLabels: labels(dice) } }, { namespaceSelector: {} }] }],
    },
  })),
  object("v1", "PersistentVolumeClaim", (dice) => ({
    spec: {
      storageClassName: dice.pick(names),
      ...dice.maybe(0.3, "volumeName", () => dice.pick(names)),
      resources: { requests: { storage: "1Gi" } },
    },
  })),
  object("storage.k8s.io/v1", "StorageClass", () => ({ provisioner: "none" }), false),
  object("v1", "Namespace", () => ({}), false),
  object(
    "admissionregistration.k8s.io/v1",
    "ValidatingWebhookConfiguration",
    (dice) => ({
      webhooks: dice.times(1, 2, (index) => ({
        name: `w${index}.example.com`,
        clientConfig: { service: { name: dice.pick(names), namespace: dice.pick(namespaces) } },
      })),
    }),
    false,
  ),
  object(
    "apiregistration.k8s.io/v1",
    "APIService",
    (dice) => ({
      spec: { service: { name: dice.pick(names), namespace: dice.pick(namespaces) }, group: "g", version: "v1" },
    }),
    false,
  ),
  object(
    "apiextensions.k8s.io/v1",
    "CustomResourceDefinition",
    () => ({
      spec: { group: "example.com", names: { kind: "Thing", plural: "things" }, scope: "Namespaced", versions: [] },
    }),
    false,
  ),
  object("example.com/v1", "Thing", (dice) => ({
    spec: {
      list: dice.times(0, 3, () => dice.pick(texts)),
      ref: { name: dice.pick(names) },
      image: dice.pick(images),
      items: dice.times(0, 3, (index) => ({ name: dice.pick(names), n: index })),
      template: template(dice),
    },
  })),
];

/** One object of a kind by chance. */
export const anyObject = (dice: Dice): Json => dice.pick(makers)(dice, dice.pick(names));
