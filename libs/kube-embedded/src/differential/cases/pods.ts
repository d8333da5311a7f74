import type { Group, Step } from "../play.js";

type Members = Readonly<Record<string, unknown>>;

/** Tried without storing, so that nothing runs and every case stands alone. */
const tried = (name: string, spec: Members, metadata: Members = {}): Step => ({
  name,
  method: "POST",
  path: "pods?dryRun=All",
  body: { apiVersion: "v1", kind: "Pod", metadata: { name: "p", ...metadata }, spec },
});

/** No token, so that the volume of it, whose name is made up, is not there. */
const plain = { automountServiceAccountToken: false };
const pod = (more: Members): Members => ({ ...plain, containers: [{ name: "c", image: "i" }], ...more });
const container = (more: Members): Members => ({ ...plain, containers: [{ name: "c", image: "i", ...more }] });
const volume = (source: Members): Members => pod({ volumes: [{ name: "v", ...source }] });
const long = (size: number): string => "a".repeat(size);

const specs: Readonly<Record<string, Members>> = {
  "no containers": { containers: [] },
  "no spec at all": {},
  "container without name and image": { containers: [{}] },
  "bad container name": { containers: [{ name: "A_b", image: "i" }] },
  "two containers of one name": {
    containers: [
      { name: "c", image: "i" },
      { name: "c", image: "i" },
    ],
  },
  "image with spaces": container({ image: " i " }),
  "init container of a container's name": pod({ initContainers: [{ name: "c", image: "i" }] }),
  "init container with probes": pod({
    initContainers: [
      {
        name: "i",
        image: "i",
        livenessProbe: { exec: { command: ["x"] } },
        lifecycle: { preStop: { exec: { command: ["x"] } } },
      },
    ],
  }),
  "init container that restarts": pod({ initContainers: [{ name: "i", image: "i", restartPolicy: "Sometimes" }] }),
  sidecar: pod({
    initContainers: [{ name: "i", image: "i", restartPolicy: "Always", startupProbe: { tcpSocket: { port: 1 } } }],
  }),
  "ephemeral containers at creation": pod({
    ephemeralContainers: [{ name: "e", image: "i", ports: [{ containerPort: 1 }] }],
  }),
  "restart policy": pod({ restartPolicy: "Maybe" }),
  "dns policy": pod({ dnsPolicy: "Maybe" }),
  "dns none without servers": pod({ dnsPolicy: "None" }),
  "dns none with an empty config": pod({ dnsPolicy: "None", dnsConfig: {} }),
  "dns config": pod({
    dnsConfig: {
      nameservers: ["1.1.1.1", "x", "3.3.3.3", "4.4.4.4"],
      searches: ["A_.b", "."],
      options: [{ value: "x" }],
    },
  }),
  ports: container({
    ports: [
      { containerPort: 0 },
      { containerPort: 70000, name: "toolongportname1" },
      { containerPort: 1, name: "a", protocol: "ICMP" },
      { containerPort: 2, name: "a", hostPort: 99999 },
      { containerPort: 3, name: "1-" },
    ],
  }),
  "host ports twice": container({
    ports: [
      { containerPort: 1, hostPort: 5 },
      { containerPort: 2, hostPort: 5 },
    ],
  }),
  "host network with other ports": pod({
    hostNetwork: true,
    containers: [{ name: "c", image: "i", ports: [{ containerPort: 1, hostPort: 2 }] }],
  }),
  env: container({
    env: [
      { value: "x" },
      { name: "a=b" },
      { name: "a", valueFrom: {} },
      { name: "b", value: "x", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
      { name: "c", valueFrom: { fieldRef: { fieldPath: "metadata.name" }, secretKeyRef: { name: "s", key: "k" } } },
      { name: "d", valueFrom: { fieldRef: { fieldPath: "spec.what" } } },
      { name: "e", valueFrom: { fieldRef: { fieldPath: "metadata.labels" } } },
      { name: "f", valueFrom: { fieldRef: { fieldPath: "metadata.labels['a b']" } } },
      { name: "g", valueFrom: { fieldRef: {} } },
      { name: "h", valueFrom: { configMapKeyRef: { name: "A_", key: "a/b" } } },
      { name: "i", valueFrom: { secretKeyRef: { key: "" } } },
      { name: "j", valueFrom: { resourceFieldRef: { resource: "limits.gpu" } } },
      { name: "k", valueFrom: { resourceFieldRef: { resource: "limits.cpu", divisor: "2" } } },
      { name: "l", valueFrom: { resourceFieldRef: { resource: "limits.memory", divisor: "3" } } },
      { name: "m", valueFrom: { fieldRef: { fieldPath: "status.podIP", apiVersion: "v2" } } },
      { name: "n", valueFrom: { fieldRef: { fieldPath: "metadata.annotations['x/y']" } } },
    ],
  }),
  envFrom: container({
    envFrom: [{}, { configMapRef: {}, secretRef: { name: "A_" } }, { prefix: "a=", configMapRef: { name: "m" } }],
  }),
  "mounts of nothing": container({
    volumeMounts: [{ name: "n", mountPath: "/a" }, { name: "n", mountPath: "/a" }, {}],
  }),
  "mount paths": {
    ...container({
      volumeMounts: [
        { name: "v", mountPath: "/a", subPath: "/abs" },
        { name: "v", mountPath: "/b", subPath: "a/../b", subPathExpr: "x" },
        { name: "v", mountPath: "/c", mountPropagation: "Bidirectional" },
        { name: "v", mountPath: "/d", mountPropagation: "Up" },
        { name: "v", mountPath: "/e", recursiveReadOnly: "Enabled" },
        { name: "v", mountPath: "/f", recursiveReadOnly: "Maybe" },
      ],
    }),
    volumes: [{ name: "v", emptyDir: {} }],
  },
  devices: {
    ...container({
      volumeDevices: [{ name: "v", devicePath: "/x" }, { name: "v", devicePath: "../y" }, {}],
      volumeMounts: [{ name: "v", mountPath: "/x" }],
    }),
    volumes: [{ name: "v", emptyDir: {} }],
  },
  "probe without handler": container({ livenessProbe: {} }),
  "probe with two handlers": container({ readinessProbe: { exec: { command: ["x"] }, tcpSocket: { port: 80 } } }),
  "probe numbers": container({
    livenessProbe: {
      httpGet: { port: 0, path: "x", scheme: "FTP", httpHeaders: [{ name: "a b", value: "c" }] },
      initialDelaySeconds: -1,
      timeoutSeconds: -2,
      periodSeconds: -3,
      successThreshold: 2,
      failureThreshold: -4,
      terminationGracePeriodSeconds: 0,
    },
  }),
  "readiness probe with a grace period": container({
    readinessProbe: { grpc: { port: 0 }, terminationGracePeriodSeconds: 5 },
  }),
  "startup probe by name": container({ startupProbe: { tcpSocket: { port: "Not A Port" } } }),
  lifecycle: container({ lifecycle: { postStart: {}, preStop: { sleep: { seconds: 100 } }, stopSignal: "SIGTERM" } }),
  "stop signal": pod({
    os: { name: "linux" },
    containers: [{ name: "c", image: "i", lifecycle: { stopSignal: "SIGNOPE" } }],
  }),
  policies: container({ imagePullPolicy: "Perhaps", terminationMessagePolicy: "Mail" }),
  resources: container({
    resources: {
      limits: { cpu: "1", memory: "-1", gpu: "1", "example.com/gpu": "1.5", "hugepages-2Mi": "2Mi" },
      requests: { cpu: "2", "example.com/gpu": "2", "example.com/other": "1", "a b": "1" },
    },
  }),
  "huge pages alone": container({ resources: { limits: { "hugepages-2Mi": "2Mi" } } }),
  "resource claims": pod({
    resourceClaims: [
      { name: "a" },
      { name: "a", resourceClaimName: "x", resourceClaimTemplateName: "y" },
      { name: "B_" },
    ],
    containers: [{ name: "c", image: "i", resources: { claims: [{ name: "z" }, { name: "z" }, {}] } }],
  }),
  "resize policy": pod({
    restartPolicy: "Never",
    containers: [
      {
        name: "c",
        image: "i",
        resizePolicy: [
          { resourceName: "cpu", restartPolicy: "RestartContainer" },
          { resourceName: "cpu", restartPolicy: "No" },
          { resourceName: "gpu", restartPolicy: "NotRequired" },
        ],
      },
    ],
  }),
  "restart rules": container({ restartPolicyRules: [{ action: "Explode" }] }),
  "restart rules with codes": container({
    restartPolicy: "Sometimes",
    restartPolicyRules: [{ action: "Restart", exitCodes: { operator: "Near", values: [1] } }],
  }),
  "volume without source": volume({}),
  "volume without name": pod({
    volumes: [{ emptyDir: {} }, { name: "A_", emptyDir: {} }, { name: "x", emptyDir: {} }, { name: "x", emptyDir: {} }],
  }),
  "volume of two kinds": volume({ emptyDir: {}, hostPath: { path: "/x" }, secret: { secretName: "s" } }),
  "empty dir": volume({ emptyDir: { sizeLimit: "-1" } }),
  "host path": volume({ hostPath: { path: "/a/../b", type: "Hole" } }),
  "host path without path": volume({ hostPath: {} }),
  secret: volume({
    secret: {
      defaultMode: 1000,
      items: [
        { key: "", path: "../x" },
        { key: "k", path: "/abs", mode: 600 },
      ],
    },
  }),
  "config map": volume({ configMap: { items: [{ key: "k", path: "..x" }] } }),
  claim: volume({ persistentVolumeClaim: {} }),
  nfs: volume({ nfs: { path: "rel" } }),
  iscsi: volume({
    iscsi: { targetPortal: "x", iqn: "bad", lun: 300, chapAuthSession: true, initiatorName: "iqn.bad" },
  }),
  fc: volume({ fc: {} }),
  "fc both": volume({ fc: { targetWWNs: ["a"], wwids: ["b"] } }),
  flocker: volume({ flocker: {} }),
  rbd: volume({ rbd: { monitors: [], image: "" } }),
  cephfs: volume({ cephfs: { monitors: [] } }),
  csi: volume({ csi: { driver: "A_b", nodePublishSecretRef: {} } }),
  "csi without driver": volume({ csi: { driver: "" } }),
  "git repo": volume({ gitRepo: { repository: "", directory: "/x" } }),
  glusterfs: volume({ glusterfs: { endpoints: "", path: "" } }),
  "azure file": volume({ azureFile: { secretName: "", shareName: "" } }),
  ephemeral: volume({ ephemeral: { volumeClaimTemplate: { spec: { accessModes: ["Sometimes"], resources: {} } } } }),
  "ephemeral without template": volume({ ephemeral: {} }),
  image: volume({ image: { reference: "", pullPolicy: "Perhaps" } }),
  "downward api": volume({
    downwardAPI: {
      defaultMode: -1,
      items: [
        { path: "" },
        { path: "/x", fieldRef: { fieldPath: "spec.nodeName" } },
        { path: "a", resourceFieldRef: { resource: "limits.cpu" } },
        { path: "b" },
      ],
    },
  }),
  projected: volume({
    projected: {
      sources: [
        { secret: { items: [{ key: "a", path: "x" }] }, configMap: { name: "m", items: [{ key: "a", path: "x" }] } },
        { serviceAccountToken: { path: "", expirationSeconds: 5 } },
        { clusterTrustBundle: { path: "" } },
      ],
    },
  }),
  "security context of the pod": pod({
    hostPID: true,
    shareProcessNamespace: true,
    securityContext: {
      fsGroup: -1,
      runAsUser: -2,
      runAsGroup: -3,
      supplementalGroups: [-4, 5],
      sysctls: [
        { name: "", value: "1" },
        { name: "BAD", value: "1" },
        { name: "net.a", value: "1" },
        { name: "net.a", value: "2" },
      ],
      fsGroupChangePolicy: "Never",
      seccompProfile: { type: "Localhost" },
      appArmorProfile: { type: "Localhost" },
      supplementalGroupsPolicy: "All",
      seLinuxChangePolicy: "Never",
    },
  }),
  "sysctls of the host": pod({
    hostNetwork: true,
    hostIPC: true,
    securityContext: {
      sysctls: [
        { name: "net.x", value: "1" },
        { name: "kernel.shmmax", value: "1" },
      ],
    },
  }),
  "security context of a container": container({
    securityContext: {
      runAsUser: -1,
      runAsGroup: -1,
      procMount: "Open",
      privileged: true,
      allowPrivilegeEscalation: false,
      capabilities: { add: ["CAP_SYS_ADMIN"] },
      seccompProfile: { type: "Other", localhostProfile: "x" },
      appArmorProfile: { type: "RuntimeDefault", localhostProfile: "x" },
    },
  }),
  "unmasked proc": container({ securityContext: { procMount: "Unmasked" } }),
  "seccomp profile outside": container({
    securityContext: { seccompProfile: { type: "Localhost", localhostProfile: "/etc/x" } },
  }),
  "host users": pod({ hostUsers: false, hostPID: true, hostIPC: true }),
  "unknown os": pod({ os: { name: "plan9" } }),
  "windows with linux options": pod({
    os: { name: "windows" },
    hostPID: true,
    securityContext: { runAsUser: 1 },
    containers: [{ name: "c", image: "i", securityContext: { privileged: true, capabilities: {} } }],
  }),
  "linux with windows options": pod({
    os: { name: "linux" },
    securityContext: { windowsOptions: { runAsUserName: "x" } },
  }),
  "node selector": pod({ nodeSelector: { "a b": "c d" } }),
  "node affinity": pod({
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [
            {
              matchExpressions: [
                { key: "a", operator: "In" },
                { key: "b", operator: "Exists", values: ["x"] },
                { key: "c", operator: "Gt", values: [] },
                { key: "d d", operator: "Like" },
                { key: "e", operator: "In", values: ["f f"] },
              ],
              matchFields: [
                { key: "metadata.uid", operator: "Exists" },
                { key: "metadata.name", operator: "In", values: ["a", "b"] },
              ],
            },
          ],
        },
        preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 0, preference: {} }],
      },
    },
  }),
  "node affinity without terms": pod({
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } },
  }),
  "pod affinity": pod({
    affinity: {
      podAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { topologyKey: "", labelSelector: { matchExpressions: [{ key: "a", operator: "In" }] } },
          { topologyKey: "a b", namespaces: ["A_"], matchLabelKeys: ["x"] },
        ],
      },
      podAntiAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          {
            weight: 101,
            podAffinityTerm: {
              topologyKey: "z",
              labelSelector: {},
              matchLabelKeys: ["x", "y y"],
              mismatchLabelKeys: ["x"],
            },
          },
        ],
      },
    },
  }),
  spread: pod({
    topologySpreadConstraints: [
      { maxSkew: 0, topologyKey: "", whenUnsatisfiable: "Cry" },
      {
        maxSkew: 1,
        topologyKey: "z",
        whenUnsatisfiable: "ScheduleAnyway",
        minDomains: 0,
        nodeAffinityPolicy: "Maybe",
        matchLabelKeys: ["a"],
      },
      {
        maxSkew: 1,
        topologyKey: "z",
        whenUnsatisfiable: "ScheduleAnyway",
        labelSelector: { matchLabels: { "a b": "c" } },
      },
    ],
  }),
  tolerations: pod({
    tolerations: [
      { operator: "Equal", value: "x" },
      { key: "a b", operator: "Exists", value: "x" },
      { key: "a", operator: "Near" },
      { key: "a", effect: "Explode" },
      { key: "a", operator: "Exists", effect: "NoSchedule", tolerationSeconds: 5 },
      { key: "a", value: "b b" },
      { key: "a", operator: "Lt", value: "5" },
    ],
  }),
  "host aliases": pod({ hostAliases: [{ ip: "x", hostnames: ["A_"] }, { ip: "1.2.3.4" }] }),
  names: pod({
    hostname: "A_",
    subdomain: long(64),
    nodeName: "A_",
    serviceAccountName: "default",
    priorityClassName: "",
  }),
  "hostname override": pod({ hostnameOverride: long(65), setHostnameAsFQDN: true }),
  numbers: pod({ activeDeadlineSeconds: 0, terminationGracePeriodSeconds: 5 }),
  gates: pod({
    readinessGates: [{ conditionType: "a b" }],
    schedulingGates: [{ name: "a b" }, { name: "x" }, { name: "x" }],
  }),
  "gates and a node": pod({ nodeName: "n", schedulingGates: [{ name: "x" }] }),
};

const good: Readonly<Record<string, Members>> = {
  plain: pod({}),
  everything: pod({
    initContainers: [
      { name: "i", image: "i:1", env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }] },
    ],
    containers: [
      {
        name: "c",
        image: "i@sha256:00",
        ports: [{ containerPort: 80, name: "http" }],
        resources: { limits: { cpu: "0.5", memory: "64Mi" } },
        livenessProbe: { httpGet: { port: "http" } },
        readinessProbe: { grpc: { port: 5 } },
        lifecycle: { preStop: { httpGet: { port: 80 } } },
        volumeMounts: [{ name: "p", mountPath: "/p" }],
        securityContext: { runAsNonRoot: true },
      },
    ],
    volumes: [
      { name: "e" },
      {
        name: "p",
        projected: {
          sources: [
            { serviceAccountToken: { path: "t" } },
            { downwardAPI: { items: [{ path: "x", fieldRef: { fieldPath: "metadata.uid" } }] } },
          ],
        },
      },
      { name: "h", hostPath: { path: "/x" } },
      { name: "s", secret: { secretName: "s" } },
      {
        name: "eph",
        ephemeral: {
          volumeClaimTemplate: {
            spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
          },
        },
      },
      { name: "img", image: { reference: "x:1" } },
      { name: "iscsi", iscsi: { targetPortal: "x:3260", iqn: "iqn.2001-04.com.example:storage", lun: 0 } },
    ],
    tolerations: [{ key: "a", operator: "Exists" }],
    affinity: {
      podAntiAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          { weight: 1, podAffinityTerm: { topologyKey: "z", labelSelector: { matchLabels: { a: "b" } } } },
        ],
      },
    },
    topologySpreadConstraints: [
      { maxSkew: 1, topologyKey: "z", whenUnsatisfiable: "DoNotSchedule", labelSelector: {} },
    ],
    dnsConfig: { nameservers: ["1.1.1.1"], options: [{ name: "ndots", value: "2" }] },
    hostAliases: [{ ip: "1.2.3.4", hostnames: ["a.b"] }],
    terminationGracePeriodSeconds: 0,
  }),
  "host network": pod({ hostNetwork: true, containers: [{ name: "c", image: "i", ports: [{ containerPort: 7 }] }] }),
  "duplicates that are only warned of": pod({
    containers: [
      {
        name: "c",
        image: "i",
        env: [
          { name: "A", value: "1" },
          { name: "A", value: "2" },
        ],
        ports: [{ containerPort: 1 }, { containerPort: 1 }],
      },
    ],
    nodeSelector: { "beta.kubernetes.io/os": "linux" },
  }),
};

const split = (all: Readonly<Record<string, Members>>, size: number): Step[][] => {
  const steps = Object.entries(all).map(([name, spec]) => tried(name, spec));
  return Array.from({ length: Math.ceil(steps.length / size) }, (_, at) => steps.slice(at * size, (at + 1) * size));
};

const strategic = "application/strategic-merge-patch+json";
const changed = (name: string, body: Members): Step => ({
  name,
  method: "PATCH",
  path: "pods/u?dryRun=All",
  body,
  headers: { "content-type": strategic },
  without: ["status", "managedFields"],
});

export const podGroups: readonly Group[] = [
  ...split(specs, 12).map((steps, at) => ({ name: `bad pods ${at + 1}`, steps })),
  { name: "good pods", steps: Object.entries(good).map(([name, spec]) => tried(name, spec)) },
  {
    name: "pod names and labels",
    steps: [
      tried("bad name", pod({}), { name: "A_" }),
      tried("bad labels", pod({}), { labels: { "a b": "c d" } }),
      tried("bad annotation", pod({}), { annotations: { "a b": "c" } }),
      tried("no name", pod({}), { name: undefined }),
    ],
  },
  {
    name: "changes of a pod",
    steps: [
      {
        name: "create",
        method: "POST",
        path: "pods",
        body: {
          apiVersion: "v1",
          kind: "Pod",
          metadata: { name: "u" },
          spec: pod({
            schedulerName: "nobody",
            activeDeadlineSeconds: 100,
            tolerations: [{ key: "a", operator: "Exists" }],
          }),
        },
        without: ["status", "managedFields"],
      },
      changed("its image", { spec: { containers: [{ name: "c", image: "other" }] } }),
      changed("another container", {
        spec: {
          containers: [
            { name: "c", image: "i" },
            { name: "d", image: "i" },
          ],
        },
      }),
      changed("a shorter deadline", { spec: { activeDeadlineSeconds: 50 } }),
      changed("a longer deadline", { spec: { activeDeadlineSeconds: 200 } }),
      changed("no deadline", { spec: { activeDeadlineSeconds: null } }),
      changed("labels", { metadata: { labels: { a: "b" } } }),
      changed("an image with spaces", { spec: { containers: [{ name: "c", image: " x" }] } }),
      changed("a new gate", { spec: { schedulingGates: [{ name: "x" }] } }),
    ],
  },
];
