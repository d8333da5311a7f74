import { podTemplateHash } from "./index.js";

/** What kube-controller-manager 1.36.3 makes of these templates, without and with a collision count of 1. */
const cases = [
  {
    name: "a plain template",
    template: {
      metadata: { labels: { app: "web" } },
      spec: {
        containers: [
          {
            name: "web",
            image: "nginx:1",
            resources: {},
            terminationMessagePath: "/dev/termination-log",
            terminationMessagePolicy: "File",
            imagePullPolicy: "IfNotPresent",
          },
        ],
        restartPolicy: "Always",
        terminationGracePeriodSeconds: 30,
        dnsPolicy: "ClusterFirst",
        securityContext: {},
        schedulerName: "default-scheduler",
      },
    },
    want: ["56b55d7545", "5d4c7b955b"],
  },
  {
    name: "a template that uses most of what there is",
    template: {
      metadata: { labels: { b: "2", a: "1" }, annotations: { x: "ümlaut" } },
      spec: {
        volumes: [
          { name: "v", emptyDir: { sizeLimit: "1Gi" } },
          { name: "c", configMap: { name: "cm", defaultMode: 420, items: [{ key: "k", path: "p" }] } },
          {
            name: "p",
            projected: {
              sources: [
                { serviceAccountToken: { expirationSeconds: 3607, path: "token" } },
                {
                  downwardAPI: { items: [{ path: "l", fieldRef: { apiVersion: "v1", fieldPath: "metadata.labels" } }] },
                },
              ],
              defaultMode: 420,
            },
          },
        ],
        containers: [
          {
            name: "web",
            image: "nginx:1",
            ports: [{ name: "http", containerPort: 80, protocol: "TCP" }],
            env: [
              { name: "A", value: "b" },
              { name: "C", valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "metadata.name" } } },
            ],
            envFrom: [{ configMapRef: { name: "x" } }],
            resources: {
              limits: { cpu: "500m", memory: "128Mi" },
              requests: { cpu: "100m", memory: "64Mi", "ephemeral-storage": "1Ti", "example.com/gpu": "2" },
            },
            livenessProbe: {
              httpGet: { path: "/", port: "http", scheme: "HTTP" },
              timeoutSeconds: 1,
              periodSeconds: 10,
              successThreshold: 1,
              failureThreshold: 3,
            },
            readinessProbe: {
              tcpSocket: { port: 8080 },
              initialDelaySeconds: 5,
              timeoutSeconds: 1,
              periodSeconds: 10,
              successThreshold: 1,
              failureThreshold: 3,
            },
            securityContext: { runAsUser: 0, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } },
            lifecycle: { preStop: { exec: { command: ["sleep", "1"] } } },
          },
        ],
        initContainers: [{ name: "i", image: "busybox", restartPolicy: "Always", command: ["a", "b"], resources: {} }],
        restartPolicy: "Always",
        nodeSelector: { disk: "ssd" },
        affinity: {
          podAntiAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              {
                weight: 100,
                podAffinityTerm: {
                  labelSelector: { matchExpressions: [{ key: "app", operator: "In", values: ["web"] }] },
                  topologyKey: "kubernetes.io/hostname",
                },
              },
            ],
          },
        },
        tolerations: [{ key: "k", operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 }],
        topologySpreadConstraints: [
          {
            maxSkew: 1,
            topologyKey: "zone",
            whenUnsatisfiable: "DoNotSchedule",
            labelSelector: { matchLabels: { app: "web" } },
          },
        ],
        hostAliases: [{ ip: "1.2.3.4", hostnames: ["a"] }],
        terminationGracePeriodSeconds: 30,
        dnsPolicy: "ClusterFirst",
        securityContext: { fsGroup: 100, sysctls: [{ name: "a", value: "b" }] },
        schedulerName: "default-scheduler",
        priority: 5,
        overhead: { cpu: "250m" },
        hostNetwork: true,
        serviceAccountName: "sa",
        serviceAccount: "sa",
        imagePullSecrets: [{ name: "s" }],
        automountServiceAccountToken: false,
      },
    },
    want: ["55cbc8c477", "568ff56b44"],
  },
  {
    name: "quantities of every form and length",
    template: {
      metadata: {},
      spec: {
        containers: [
          {
            name: "c",
            image: "i",
            resources: {
              requests: {
                "a/1": "0",
                "a/2": "1",
                "a/3": "8",
                "a/4": "1Ki",
                "a/5": "8Ki",
                "a/6": "1Pi",
                "a/7": "1Ei",
                "a/8": "1e3",
                "a/9": "100k",
                "b/1": "1500m",
                "b/2": "100n",
                "b/3": "12345678901234567890",
                "b/4": "1Ti",
                "b/5": "1001m",
                "b/6": "10",
                "b/7": "1k",
                "b/8": "3Gi",
                "b/9": "100M",
                "c/1": "1025",
                "c/2": "123456789Mi",
                "c/3": "2E",
                "c/4": "500m",
                "c/5": "1E3",
              },
            },
          },
        ],
      },
    },
    want: ["f94c79f98", "6cbdfdf54c"],
  },
  { name: "an empty template", template: { spec: { containers: [] } }, want: ["85748b7f68", "b54bc767c"] },
];

it.each(cases)("$name has the hash that Kubernetes gives it", ({ template, want }) => {
  expect([podTemplateHash(template, undefined), podTemplateHash(template, 1)]).toEqual(want);
});
