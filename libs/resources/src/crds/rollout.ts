import { analysisArgs, dryRun, measurementRetention, runMetadata, templateRefs } from "./analysis-schema.js";
import {
  ageColumn,
  anyObject,
  anyValue,
  crd,
  flag,
  int32,
  int64,
  intOrString,
  list,
  object,
  text,
  texts,
  time,
} from "./argo-schema.js";

const labelSelector = object({
  matchLabels: texts,
  matchExpressions: list(object({ key: text, operator: text, values: list(text) }, ["key", "operator"])),
});

/** Pod templates are passed on to ReplicaSets as they are; the API server that gets those checks them. */
const podTemplate = object({
  metadata: object({ labels: texts, annotations: texts }),
  spec: { ...anyObject },
});

const analysisFields = {
  templates: templateRefs,
  args: analysisArgs,
  dryRun,
  measurementRetention,
  analysisRunMetadata: runMetadata,
};
const analysis = object(analysisFields);
const metadata = object({ labels: texts, annotations: texts });
const antiAffinity = object({
  preferredDuringSchedulingIgnoredDuringExecution: object({ weight: int32 }, ["weight"]),
  requiredDuringSchedulingIgnoredDuringExecution: { type: "object" },
});
const nameWithRoutes = object({
  name: text,
  routes: list(text),
  tcpRoutes: list(anyObject),
  tlsRoutes: list(anyObject),
});
const stringMatch = object({ exact: text, prefix: text, regex: text });

const trafficRouting = object({
  alb: object(
    {
      annotationPrefix: text,
      ingress: text,
      ingresses: list(text),
      rootService: text,
      servicePort: int32,
      stickinessConfig: object({ durationSeconds: int64, enabled: flag }),
    },
    ["servicePort"],
  ),
  ambassador: object({ mappings: list(text) }, ["mappings"]),
  apisix: object({ route: object({ name: text, rules: list(text) }, ["name"]) }),
  appMesh: anyObject,
  istio: object({
    destinationRule: object({
      additionalSubsetNames: list(text),
      canarySubsetName: text,
      name: text,
      stableSubsetName: text,
    }),
    virtualService: nameWithRoutes,
    virtualServices: list(nameWithRoutes),
  }),
  managedRoutes: list(object({ name: text }, ["name"])),
  maxTrafficWeight: int32,
  nginx: object({
    additionalIngressAnnotations: texts,
    annotationPrefix: text,
    canaryIngressAnnotations: texts,
    stableIngress: text,
    stableIngresses: list(text),
  }),
  plugins: anyObject,
  smi: object({ rootService: text, trafficSplitName: text }),
  traefik: object({ weightedTraefikServiceName: text }, ["weightedTraefikServiceName"]),
});

const experimentStep = object({
  analyses: list(anyObject),
  analysisRunMetadata: runMetadata,
  dryRun,
  duration: text,
  scaleDownDelaySeconds: int32,
  templates: list(
    object(
      {
        metadata,
        name: text,
        replicas: int32,
        selector: labelSelector,
        service: object({ name: text }),
        specRef: text,
        weight: int32,
      },
      ["name", "specRef"],
    ),
  ),
});

const step = object({
  analysis,
  experiment: experimentStep,
  pause: object({ duration: intOrString }),
  plugin: object({ name: text, config: anyValue }, ["name"]),
  setCanaryScale: object({ matchTrafficWeight: flag, replicas: int32, weight: int32 }),
  setHeaderRoute: object({
    name: text,
    match: list(object({ headerName: text, headerValue: stringMatch }, ["headerName", "headerValue"])),
  }),
  setMirrorRoute: object(
    {
      name: text,
      match: list(
        object({
          headers: { type: "object", additionalProperties: stringMatch },
          method: stringMatch,
          path: stringMatch,
        }),
      ),
      percentage: int32,
    },
    ["name"],
  ),
  setWeight: int32,
});

const canary = object({
  abortScaleDownDelaySeconds: int32,
  analysis: object({ ...analysisFields, startingStep: int32 }),
  antiAffinity,
  canaryMetadata: metadata,
  canaryService: text,
  dynamicStableScale: flag,
  maxSurge: intOrString,
  maxUnavailable: intOrString,
  minPodsPerReplicaSet: int32,
  pingPong: object({ pingService: text, pongService: text }, ["pingService", "pongService"]),
  replicaProgressThreshold: object({ type: text, value: intOrString }, ["type", "value"]),
  scaleDownDelayRevisionLimit: int32,
  scaleDownDelaySeconds: int32,
  stableMetadata: metadata,
  stableService: text,
  steps: list(step),
  trafficRouting,
});

const blueGreen = object(
  {
    abortScaleDownDelaySeconds: int32,
    activeMetadata: metadata,
    activeService: text,
    antiAffinity,
    autoPromotionEnabled: flag,
    autoPromotionSeconds: int32,
    maxUnavailable: intOrString,
    postPromotionAnalysis: analysis,
    prePromotionAnalysis: analysis,
    previewMetadata: metadata,
    previewReplicaCount: int32,
    previewService: text,
    scaleDownDelayRevisionLimit: int32,
    scaleDownDelaySeconds: int32,
  },
  ["activeService"],
);

const spec = object({
  analysis: object({ successfulRunHistoryLimit: int32, unsuccessfulRunHistoryLimit: int32 }),
  minReadySeconds: int32,
  paused: flag,
  progressDeadlineAbort: flag,
  progressDeadlineSeconds: int32,
  replicas: int32,
  restartAt: time,
  revisionHistoryLimit: int32,
  rollbackWindow: object({ revisions: int32 }),
  selector: {
    ...labelSelector,
    "x-kubernetes-validations": [{ rule: "self == oldSelf", message: "selector is immutable" }],
  },
  strategy: object({ blueGreen, canary }),
  template: podTemplate,
  workloadRef: object({ apiVersion: text, kind: text, name: text, scaleDown: text }),
});

const runStatus = object({ name: text, status: text, message: text }, ["name", "status"]);
const destination = object({ weight: int32, serviceName: text, podTemplateHash: text }, ["weight"]);

const status = object({
  HPAReplicas: int32,
  abort: flag,
  abortedAt: time,
  alb: anyObject,
  albs: list(anyObject),
  availableReplicas: int32,
  blueGreen: object({
    activeSelector: text,
    postPromotionAnalysisRunStatus: runStatus,
    prePromotionAnalysisRunStatus: runStatus,
    previewSelector: text,
    scaleUpPreviewCheckPoint: flag,
  }),
  canary: object({
    currentBackgroundAnalysisRunStatus: runStatus,
    currentExperiment: text,
    currentStepAnalysisRunStatus: runStatus,
    stablePingPong: text,
    stepPluginStatuses: list(anyObject),
    weights: object({
      additional: list(destination),
      canary: destination,
      stable: destination,
      verified: flag,
    }),
  }),
  collisionCount: int32,
  conditions: list(
    object(
      {
        type: text,
        status: text,
        reason: text,
        message: text,
        lastTransitionTime: time,
        lastUpdateTime: time,
      },
      ["type", "status"],
    ),
  ),
  controllerPause: flag,
  currentPodHash: text,
  currentStepHash: text,
  currentStepIndex: int32,
  duration: anyObject,
  message: text,
  observedGeneration: text,
  pauseConditions: list(object({ reason: text, startTime: time }, ["reason", "startTime"])),
  phase: text,
  promoteFull: flag,
  readyReplicas: int32,
  replicas: int32,
  restartedAt: time,
  selector: text,
  stableRS: text,
  updatedReplicas: int32,
  workloadObservedGeneration: text,
});

const column = (name: string, jsonPath: string, description: string) => ({
  name,
  jsonPath,
  description,
  type: "integer",
});

export const rolloutCrd = crd({
  kind: "Rollout",
  plural: "rollouts",
  singular: "rollout",
  shortNames: ["ro"],
  subresources: {
    status: {},
    scale: {
      specReplicasPath: ".spec.replicas",
      statusReplicasPath: ".status.HPAReplicas",
      labelSelectorPath: ".status.selector",
    },
  },
  columns: [
    column("Desired", ".spec.replicas", "Pods wanted"),
    column("Current", ".status.replicas", "Pods of all revisions"),
    column("Up-to-date", ".status.updatedReplicas", "Pods of the newest revision"),
    column("Available", ".status.availableReplicas", "Pods that serve"),
    ageColumn,
  ],
  properties: { spec, status },
  required: ["spec"],
});
