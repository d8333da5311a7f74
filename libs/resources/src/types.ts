import type { ResourceType } from "./object.js";

const type = (
  group: string,
  version: string,
  resource: string,
  kind: string,
  namespaced = true,
): Readonly<ResourceType> => Object.freeze({ group, version, resource, kind, namespaced });

/** The kinds our own code names. Others are found by discovery. */
export const types = {
  namespaces: type("", "v1", "namespaces", "Namespace", false),
  nodes: type("", "v1", "nodes", "Node", false),
  pods: type("", "v1", "pods", "Pod"),
  services: type("", "v1", "services", "Service"),
  serviceAccounts: type("", "v1", "serviceaccounts", "ServiceAccount"),
  configMaps: type("", "v1", "configmaps", "ConfigMap"),
  secrets: type("", "v1", "secrets", "Secret"),
  events: type("", "v1", "events", "Event"),
  endpointSlices: type("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice"),
  deployments: type("apps", "v1", "deployments", "Deployment"),
  replicaSets: type("apps", "v1", "replicasets", "ReplicaSet"),
  jobs: type("batch", "v1", "jobs", "Job"),
  leases: type("coordination.k8s.io", "v1", "leases", "Lease"),
  ingresses: type("networking.k8s.io", "v1", "ingresses", "Ingress"),
  customResourceDefinitions: type(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    false,
  ),
  applications: type("argoproj.io", "v1alpha1", "applications", "Application"),
  appProjects: type("argoproj.io", "v1alpha1", "appprojects", "AppProject"),
  workflows: type("argoproj.io", "v1alpha1", "workflows", "Workflow"),
  workflowTemplates: type("argoproj.io", "v1alpha1", "workflowtemplates", "WorkflowTemplate"),
  clusterWorkflowTemplates: type(
    "argoproj.io",
    "v1alpha1",
    "clusterworkflowtemplates",
    "ClusterWorkflowTemplate",
    false,
  ),
  workflowTaskResults: type("argoproj.io", "v1alpha1", "workflowtaskresults", "WorkflowTaskResult"),
  rollouts: type("argoproj.io", "v1alpha1", "rollouts", "Rollout"),
  analysisTemplates: type("argoproj.io", "v1alpha1", "analysistemplates", "AnalysisTemplate"),
  clusterAnalysisTemplates: type(
    "argoproj.io",
    "v1alpha1",
    "clusteranalysistemplates",
    "ClusterAnalysisTemplate",
    false,
  ),
  analysisRuns: type("argoproj.io", "v1alpha1", "analysisruns", "AnalysisRun"),
  eventBuses: type("argoproj.io", "v1alpha1", "eventbus", "EventBus"),
  eventSources: type("argoproj.io", "v1alpha1", "eventsources", "EventSource"),
  sensors: type("argoproj.io", "v1alpha1", "sensors", "Sensor"),
} as const;
