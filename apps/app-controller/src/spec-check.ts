import { matchGlob } from "@tiphys/diff";
import type { Application, ApplicationSource, AppProject, GroupKind, KubeObject } from "@tiphys/resources";
import { groupVersionOf } from "@tiphys/resources";
import { integrityProblem } from "@tiphys/source-integrity";
import { parseSyncOptions, refusedOption } from "@tiphys/sync";
import type { FoundCluster } from "./clusters.js";
import { sourcesOf } from "./sources.js";

export interface SpecInput {
  readonly app: Application;
  /** The cluster that `spec.destination` names. */
  readonly cluster: FoundCluster;
  readonly project: AppProject | undefined;
}

const projectName = (app: Application): string => app.spec.project || "default";

const REF = /^[a-zA-Z0-9_-]+$/;

const sourceProblem = (source: ApplicationSource, field: string): string | undefined => {
  if (!source.repoURL) return `${field}.repoURL is required`;
  if (source.ref && source.tagPrefix) return `${field}.tagPrefix of a source with a ref is not implemented yet`;
  // What a chart is without one changes by itself, and a registry has no HEAD.
  if (source.chart && !source.targetRevision)
    return `${field}.targetRevision is required if the manifest source is a helm chart`;
  if (source.ref && source.chart) return `${field}: a chart cannot be a ref of other sources`;
  if (source.ref && !REF.test(source.ref))
    return `${field}.ref ${source.ref} cannot contain any special characters except '_' and '-'`;
  return undefined;
};

/** What is wrong with the sources; the first that is found. */
function sourcesProblem(app: Application): string | undefined {
  const { list, several } = sourcesOf(app.spec);
  if (list.length === 0) return "spec.source is required";
  for (const [index, source] of list.entries()) {
    const problem = sourceProblem(source, several ? `spec.sources[${index}]` : "spec.source");
    if (problem) return problem;
  }
  const refs = list.map(({ ref }) => ref).filter((ref) => ref);
  if (new Set(refs).size < refs.length) return "spec.sources: multiple sources had the same `ref` key";
  return undefined;
}

/** What makes a spec unusable. Ordered: the first reason found is the one shown. */
const checks: ReadonlyArray<(input: SpecInput) => string | undefined> = [
  ({ app, project }) =>
    project ? undefined : `Application referencing project ${projectName(app)} which does not exist`,
  ({ app }) => (app.spec.sourceHydrator ? "spec.sourceHydrator is not implemented yet" : undefined),
  ({ app }) => sourcesProblem(app),
  ({ app: { spec } }) =>
    spec.destination.server && spec.destination.name
      ? "spec.destination: give server or name, not both"
      : !spec.destination.server && !spec.destination.name
        ? "Destination server missing from app spec"
        : undefined,
  ({ cluster }) => (cluster.ok ? undefined : cluster.problem),
  ({ app }) => {
    const refused = refusedOption(parseSyncOptions(app.spec.syncPolicy?.syncOptions));
    return refused ? `spec.syncPolicy.syncOptions: ${refused}` : undefined;
  },
  ({ app }) => {
    const options = parseSyncOptions(app.spec.syncPolicy?.syncOptions);
    const rules = app.spec.ignoreDifferences ?? [];
    if (rules.some((rule) => rule.jqPathExpressions?.length)) {
      return "spec.ignoreDifferences: jqPathExpressions is not implemented yet";
    }
    return options["RespectIgnoreDifferences"] === "true" && rules.some((rule) => rule.managedFieldsManagers?.length)
      ? "spec.ignoreDifferences: managedFieldsManagers with RespectIgnoreDifferences is not implemented yet"
      : undefined;
  },
  ({ app, project }) => {
    if (!project) return undefined;
    const refused = sourcesOf(app.spec).list.find(({ repoURL }) => !sourcePermitted(project, repoURL));
    return refused && `application repo ${refused.repoURL} is not permitted in project '${projectName(app)}'`;
  },
  ({ app, project, cluster }) =>
    project && cluster.ok && !destinationPermitted(cluster, project, app.spec.destination.namespace ?? "")
      ? `application destination server '${app.spec.destination.server ?? app.spec.destination.name}' and namespace '${app.spec.destination.namespace ?? ""}' do not match any of the allowed destinations in project '${projectName(app)}'`
      : undefined,
  ({ project }) => {
    if (!project) return undefined;
    const fields = ["syncWindows", "destinationServiceAccounts"] as const;
    const used =
      fields.find((field) => (project.spec[field]?.length ?? 0) > 0) ??
      (["permitOnlyProjectScopedClusters"] as const).find((field) => project.spec[field]);
    const problem = used ? `spec.${used} is not implemented yet` : integrityProblem(project.spec);
    return problem && `project '${project.metadata.name}': ${problem}`;
  },
];

/** Whether applications of a project may use a repository. */
export const sourcePermitted = (project: AppProject, url: string): boolean =>
  permitted(project.spec.sourceRepos, (pattern) => matchGlob(pattern, url, pattern === "*" ? "" : "/"));

/** Some pattern permits and none that begins with `!` denies. */
function permitted(patterns: readonly string[] | undefined, matches: (pattern: string) => boolean): boolean {
  const list = patterns ?? [];
  if (list.some((pattern) => pattern.startsWith("!") && matches(pattern.slice(1)))) return false;
  return list.some((pattern) => !pattern.startsWith("!") && matches(pattern));
}

/** Address and name of a cluster; projects permit either. */
export interface ClusterName {
  readonly server: string;
  readonly name: string;
}

function destinationPermitted({ server, name }: ClusterName, project: AppProject, namespace: string): boolean {
  const fits = (pattern: string | undefined, value: string) => pattern !== undefined && matchGlob(pattern, value);
  let allowed = false;
  for (const entry of project.spec.destinations ?? []) {
    const denies = [entry.server, entry.name, entry.namespace].some((text) => text?.startsWith("!"));
    const plain = (text: string | undefined) => text?.replace(/^!/, "");
    const cluster = entry.server ? fits(plain(entry.server), server) : fits(plain(entry.name), name);
    const space = fits(plain(entry.namespace), namespace);
    if (denies && cluster && space) return false;
    if (!denies && cluster && space) allowed = true;
  }
  return allowed;
}

/** Why this spec cannot be compared, or undefined when it can. */
export function specProblem(input: SpecInput): string | undefined {
  for (const check of checks) {
    const problem = check(input);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

const listed = (list: readonly GroupKind[] | undefined, object: KubeObject): boolean => {
  const { group } = groupVersionOf(object.apiVersion);
  return (list ?? []).some(
    (entry) =>
      matchGlob(entry.group, group) &&
      matchGlob(entry.kind, object.kind) &&
      (!entry.name || matchGlob(entry.name, object.metadata.name)),
  );
};

/** Why the project does not let an object be applied, or undefined when it does. */
export function objectProblem(
  cluster: ClusterName,
  project: AppProject,
  object: KubeObject,
  namespaced: boolean,
): string | undefined {
  const { spec } = project;
  const kind = `${groupVersionOf(object.apiVersion).group}:${object.kind}`;
  const allowed = namespaced
    ? (spec.namespaceResourceWhitelist === undefined || listed(spec.namespaceResourceWhitelist, object)) &&
      !listed(spec.namespaceResourceBlacklist, object)
    : listed(spec.clusterResourceWhitelist, object) && !listed(spec.clusterResourceBlacklist, object);
  if (!allowed) return `resource ${kind} is not permitted in project ${project.metadata.name}`;
  if (namespaced && !destinationPermitted(cluster, project, object.metadata.namespace ?? "")) {
    return `namespace ${object.metadata.namespace ?? ""} is not permitted in project '${project.metadata.name}'`;
  }
  return undefined;
}
