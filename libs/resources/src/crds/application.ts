import type { KubeObject } from "../object.js";
import { any, arrayOf, bool, dateTime, int, mapOf, object, type SchemaNode, string, strings } from "./schema-nodes.js";

const nameValue = object({ name: string, value: string }, ["name", "value"]);
const kustomizePatch = object({
  path: string,
  patch: string,
  target: object({
    group: string,
    version: string,
    kind: string,
    name: string,
    namespace: string,
    labelSelector: string,
    annotationSelector: string,
  }),
  options: mapOf(bool),
});
const intOrString: SchemaNode = {
  "x-kubernetes-int-or-string": true,
  anyOf: [{ type: "integer" }, { type: "string" }],
};

const helm = object({
  valueFiles: strings,
  values: string,
  valuesObject: any,
  parameters: arrayOf(object({ name: string, value: string, forceString: bool })),
  fileParameters: arrayOf(object({ name: string, path: string })),
  releaseName: string,
  version: string,
  passCredentials: bool,
  ignoreMissingValueFiles: bool,
  skipCrds: bool,
  skipTests: bool,
  skipSchemaValidation: bool,
  namespace: string,
  kubeVersion: string,
  apiVersions: strings,
});
const kustomize = object({
  namePrefix: string,
  nameSuffix: string,
  images: strings,
  replicas: arrayOf(object({ name: string, count: intOrString }, ["name", "count"])),
  commonLabels: mapOf(string),
  forceCommonLabels: bool,
  labelWithoutSelector: bool,
  labelIncludeTemplates: bool,
  commonAnnotations: mapOf(string),
  commonAnnotationsEnvsubst: bool,
  forceCommonAnnotations: bool,
  namespace: string,
  patches: arrayOf(kustomizePatch),
  components: strings,
  ignoreMissingComponents: bool,
  version: string,
  kubeVersion: string,
  apiVersions: strings,
});
const jsonnetVariable = object({ name: string, value: string, code: bool }, ["name", "value"]);
const directory = object({
  recurse: bool,
  include: string,
  exclude: string,
  disableExtensionFilter: bool,
  jsonnet: object({ extVars: arrayOf(jsonnetVariable), tlas: arrayOf(jsonnetVariable), libs: strings }),
});
const plugin = object({
  name: string,
  env: arrayOf(nameValue),
  parameters: arrayOf(object({ name: string, string, map: mapOf(string), array: strings })),
});
const source = object(
  {
    repoURL: string,
    path: string,
    targetRevision: string,
    chart: string,
    ref: string,
    name: string,
    tagPrefix: string,
    helm,
    kustomize,
    directory,
    plugin,
  },
  ["repoURL"],
);
const destination = object({ server: string, name: string, namespace: string });
const ignoreDifferences = arrayOf(
  object(
    {
      group: string,
      kind: string,
      name: string,
      namespace: string,
      jsonPointers: strings,
      jqPathExpressions: strings,
      managedFieldsManagers: strings,
    },
    ["kind"],
  ),
);
const retry = object({
  limit: int,
  backoff: object({ duration: string, factor: int, maxDuration: string }),
  refresh: bool,
});
const syncPolicy = object({
  automated: object({ prune: bool, selfHeal: bool, allowEmpty: bool, enabled: bool }),
  retry,
  syncOptions: strings,
  managedNamespaceMetadata: object({ labels: mapOf(string), annotations: mapOf(string) }),
});
const hydrator = object(
  {
    drySource: object({ repoURL: string, targetRevision: string, path: string, helm, kustomize, directory, plugin }, [
      "repoURL",
      "targetRevision",
      "path",
    ]),
    syncSource: object({ targetBranch: string, path: string, repoURL: string }, ["targetBranch", "path"]),
    hydrateTo: object({ targetBranch: string }, ["targetBranch"]),
  },
  ["drySource", "syncSource"],
);
const spec = object(
  {
    project: string,
    source,
    sources: arrayOf(source),
    destination,
    syncPolicy,
    ignoreDifferences,
    info: arrayOf(nameValue),
    revisionHistoryLimit: int,
    sourceHydrator: hydrator,
  },
  ["destination", "project"],
);
const initiatedBy = object({ username: string, automated: bool });
const syncResource = object({ group: string, kind: string, name: string, namespace: string, exclude: bool }, [
  "kind",
  "name",
]);
const operation = object({
  sync: object({
    revision: string,
    revisions: strings,
    prune: bool,
    dryRun: bool,
    syncStrategy: object({ apply: object({ force: bool }), hook: object({ force: bool }) }),
    resources: arrayOf(syncResource),
    source,
    sources: arrayOf(source),
    manifests: strings,
    syncOptions: strings,
    autoHealAttemptsCount: int,
  }),
  initiatedBy,
  info: arrayOf(nameValue),
  retry,
});
const health = object({ status: string, message: string, lastTransitionTime: dateTime });
const result = object(
  {
    group: string,
    version: string,
    kind: string,
    namespace: string,
    name: string,
    status: string,
    message: string,
    hookType: string,
    hookPhase: string,
    syncPhase: string,
    images: strings,
  },
  ["group", "kind", "name", "namespace", "version"],
);
const status = object({
  sync: object(
    {
      status: string,
      comparedTo: object({ source, sources: arrayOf(source), destination, ignoreDifferences }, ["destination"]),
      revision: string,
      revisions: strings,
    },
    ["status"],
  ),
  health,
  resources: arrayOf(
    object({
      group: string,
      version: string,
      kind: string,
      namespace: string,
      name: string,
      status: string,
      health,
      hook: bool,
      requiresPruning: bool,
      requiresDeletionConfirmation: bool,
      syncWave: int,
    }),
  ),
  history: arrayOf(
    object(
      {
        id: int,
        revision: string,
        revisions: strings,
        source,
        sources: arrayOf(source),
        deployedAt: dateTime,
        deployStartedAt: dateTime,
        initiatedBy,
      },
      ["deployedAt", "id"],
    ),
  ),
  conditions: arrayOf(object({ type: string, message: string, lastTransitionTime: dateTime }, ["message", "type"])),
  reconciledAt: dateTime,
  observedAt: dateTime,
  operationState: object(
    {
      operation,
      phase: string,
      message: string,
      syncResult: object(
        {
          revision: string,
          revisions: strings,
          source,
          sources: arrayOf(source),
          resources: arrayOf(result),
          managedNamespaceMetadata: object({ labels: mapOf(string), annotations: mapOf(string) }),
        },
        ["revision"],
      ),
      startedAt: dateTime,
      finishedAt: dateTime,
      retryCount: int,
    },
    ["operation", "phase", "startedAt"],
  ),
  sourceType: string,
  sourceTypes: strings,
  summary: object({ images: strings, externalURLs: strings }),
  resourceHealthSource: string,
  controllerNamespace: string,
  sourceHydrator: any,
});

/** CustomResourceDefinition of Argo CD's Application. Status is part of the object, as in Argo CD. */
export const applicationCrd: KubeObject = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: {
    name: "applications.argoproj.io",
    labels: { "app.kubernetes.io/name": "applications.argoproj.io", "app.kubernetes.io/part-of": "argocd" },
  },
  spec: {
    group: "argoproj.io",
    names: {
      kind: "Application",
      listKind: "ApplicationList",
      plural: "applications",
      singular: "application",
      shortNames: ["app", "apps"],
    },
    scope: "Namespaced",
    versions: [
      {
        name: "v1alpha1",
        served: true,
        storage: true,
        subresources: {},
        additionalPrinterColumns: [
          { name: "Sync Status", type: "string", jsonPath: ".status.sync.status" },
          { name: "Health Status", type: "string", jsonPath: ".status.health.status" },
          { name: "Revision", type: "string", jsonPath: ".status.sync.revision", priority: 10 },
          { name: "Project", type: "string", jsonPath: ".spec.project", priority: 10 },
        ],
        schema: {
          openAPIV3Schema: {
            type: "object",
            required: ["metadata", "spec"],
            properties: {
              apiVersion: { type: "string" },
              kind: { type: "string" },
              metadata: { type: "object" },
              spec,
              operation,
              status,
            },
          },
        },
      },
    ],
  },
};
