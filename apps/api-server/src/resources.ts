import { InvalidArgumentError } from "@tiphys/errors";
import { type ResourceType, types } from "@tiphys/resources";

/** The four areas and the kinds of each that the API serves, by plural name. */
export const served: Readonly<Record<string, { type: ResourceType; area: Area }>> = {
  applications: { type: types.applications, area: "delivery" },
  appprojects: { type: types.appProjects, area: "delivery" },
  workflows: { type: types.workflows, area: "workflows" },
  workflowtemplates: { type: types.workflowTemplates, area: "workflows" },
  clusterworkflowtemplates: { type: types.clusterWorkflowTemplates, area: "workflows" },
  rollouts: { type: types.rollouts, area: "rollouts" },
  analysisruns: { type: types.analysisRuns, area: "rollouts" },
  analysistemplates: { type: types.analysisTemplates, area: "rollouts" },
  clusteranalysistemplates: { type: types.clusterAnalysisTemplates, area: "rollouts" },
  eventbus: { type: types.eventBuses, area: "events" },
  eventsources: { type: types.eventSources, area: "events" },
  sensors: { type: types.sensors, area: "events" },
};

export type Area = "delivery" | "workflows" | "rollouts" | "events";

/** The kind behind a plural name; InvalidArgument lists what there is. */
export function servedResource(resource: string): { type: ResourceType; area: Area } {
  const found = Object.hasOwn(served, resource) ? served[resource] : undefined;
  if (!found) {
    throw new InvalidArgumentError(
      "resource",
      `"${resource}" is not served here; one of ${Object.keys(served).join(", ")}`,
    );
  }
  return found;
}

/** The kind of an object that a user sends; only ours, so that the API is no way around the cluster's own rules. */
export function servedKind(apiVersion: unknown, kind: unknown): { type: ResourceType; area: Area } {
  for (const entry of Object.values(served)) {
    if (entry.type.kind === kind && `${entry.type.group}/${entry.type.version}` === apiVersion) return entry;
  }
  throw new InvalidArgumentError("kind", `${String(apiVersion)} ${String(kind)} is not served here`);
}
