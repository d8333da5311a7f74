import type { Group } from "../play.js";

const paths = [
  "/api",
  "/apis",
  "/api/v1",
  ...[
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
  ].flatMap((group) => [`/apis/${group}`, `/apis/${group}/v1`]),
  "/apis/autoscaling/v2",
  "/api/v2",
  "/apis/none.example.com",
  "/apis/apps/v9",
  "/nothing",
  "/healthz",
  "/livez",
  "/readyz",
];

const aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

export const discoveryGroups: readonly Group[] = [
  { name: "discovery", steps: paths.map((path) => ({ name: path, method: "GET", path })) },
  {
    name: "aggregated discovery",
    steps: ["/api", "/apis"].map((path) => ({ name: path, method: "GET", path, headers: { accept: aggregated } })),
  },
];
