import type { Informer } from "@tiphys/kube";
import type { AppProject, KubeObject } from "@tiphys/resources";
import type { Logger, Metrics } from "@tiphys/telemetry";

/**
 * Names roles of projects, which grant nothing yet: once in the log, and as the metric
 * `tiphys_project_roles_without_effect`. Answers how to stop.
 */
export function reportProjectRoles(
  projects: Informer,
  namespace: string,
  { log, metrics }: { log: Logger; metrics: Metrics },
): () => void {
  const gauge = metrics.gauge("tiphys_project_roles_without_effect", "Roles of projects that grant nothing", [
    "project",
    "role",
  ]);
  const told = new Map<string, ReadonlySet<string>>();
  const look = (object: KubeObject, gone: boolean) => {
    if (object.metadata.namespace !== namespace) return;
    const project = object.metadata.name;
    const before = told.get(project) ?? new Set<string>();
    const now = new Set(gone ? [] : ((object as AppProject).spec?.roles ?? []).map(({ name }) => String(name)));
    told.set(project, now);
    for (const role of before) if (!now.has(role)) gauge.remove({ project, role });
    for (const role of now) {
      gauge.set(1, { project, role });
      if (!before.has(role))
        log.warn("role grants nothing: roles of projects are not implemented yet, see docs/compatibility.md", {
          project,
          role,
        });
    }
  };
  for (const project of projects.list(namespace)) look(project, false);
  return projects.onChange(({ type, object }) => look(object, type === "deleted"));
}
