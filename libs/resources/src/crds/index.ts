import type { KubeObject } from "../object.js";
import { analysisRunCrd } from "./analysisrun.js";
import { analysisTemplateCrd } from "./analysistemplate.js";
import { applicationCrd } from "./application.js";
import { appProjectCrd } from "./appproject.js";
import { clusterAnalysisTemplateCrd } from "./clusteranalysistemplate.js";
import { eventBusCrd } from "./eventbus.js";
import { eventSourceCrd } from "./eventsource.js";
import { experimentCrd } from "./experiment.js";
import { gatewayCrds } from "./gateway.js";
import { rolloutCrd } from "./rollout.js";
import { sensorCrd } from "./sensor.js";
import {
  clusterWorkflowTemplateCrd,
  cronWorkflowCrd,
  workflowArtifactGcTaskCrd,
  workflowCrd,
  workflowEventBindingCrd,
  workflowTaskResultCrd,
  workflowTaskSetCrd,
  workflowTemplateCrd,
} from "./workflow.js";

export { gatewayCrds };

/** Every custom resource we serve, as its CustomResourceDefinition; `npm run generate` writes them to deploy/crds. */
export const allCrds: readonly KubeObject[] = [
  applicationCrd,
  appProjectCrd,
  workflowCrd,
  workflowTemplateCrd,
  clusterWorkflowTemplateCrd,
  cronWorkflowCrd,
  workflowEventBindingCrd,
  workflowTaskSetCrd,
  workflowTaskResultCrd,
  workflowArtifactGcTaskCrd,
  rolloutCrd,
  analysisTemplateCrd,
  clusterAnalysisTemplateCrd,
  analysisRunCrd,
  experimentCrd,
  eventBusCrd,
  eventSourceCrd,
  sensorCrd,
  ...gatewayCrds,
];
