import type { Application, ApplicationCondition, AppProject, KubeObject } from "@tiphys/resources";

export interface WarningInput {
  readonly app: Application;
  readonly project: AppProject | undefined;
  /** The destination namespace, when it exists. */
  readonly namespace: KubeObject | undefined;
  /** What is wanted, with its annotations. */
  readonly desired: readonly KubeObject[];
  /** What rendering the sources says. */
  readonly ofSources?: readonly ApplicationCondition[];
  readonly controlNamespace: string;
}

const COMPARE_OPTIONS = "argocd.argoproj.io/compare-options";
const refusedCompareOptions = ["ServerSideDiff", "IncludeMutationWebhook"] as const;

const lacks = (have: Readonly<Record<string, string>> | undefined, want: Readonly<Record<string, string>> = {}) =>
  Object.entries(want).some(([key, value]) => have?.[key] !== value);

const compareOption = (object: KubeObject): string | undefined => {
  const options = (object.metadata.annotations?.[COMPARE_OPTIONS] ?? "").split(",").map((each) => each.trim());
  return refusedCompareOptions.find((name) => options.some((each) => each === name || each === `${name}=true`));
};

/** Fields that people set and that change nothing yet, though the application as a whole can be compared and synced. */
const checks: ReadonlyArray<(input: WarningInput) => ApplicationCondition | undefined> = [
  ({ project }) =>
    project?.spec.orphanedResources
      ? {
          type: "OrphanedResourceWarning",
          message: `project '${project.metadata.name}': spec.orphanedResources is not implemented yet`,
        }
      : undefined,
  ({ project, controlNamespace }) =>
    project?.spec.sourceNamespaces?.length
      ? {
          type: "NotImplementedWarning",
          message: `project '${project.metadata.name}': spec.sourceNamespaces is not implemented yet: Applications are read from namespace ${controlNamespace} only`,
        }
      : undefined,
  ({ app, namespace }) => {
    const wanted = app.spec.syncPolicy?.managedNamespaceMetadata;
    if (!wanted || !namespace) return undefined;
    const { labels, annotations } = namespace.metadata;
    return lacks(labels, wanted.labels) || lacks(annotations, wanted.annotations)
      ? {
          type: "NotImplementedWarning",
          message: `spec.syncPolicy.managedNamespaceMetadata is not implemented yet for a namespace that exists: ${namespace.metadata.name} is left as it is`,
        }
      : undefined;
  },
  ({ app }) => {
    const subscribed = subscriptions(app);
    return subscribed === ""
      ? undefined
      : {
          type: "NotImplementedWarning",
          message: `notifications are not implemented yet: nothing is sent for ${subscribed}`,
        };
  },
  ({ app, desired }) => {
    for (const object of [app, ...desired]) {
      const option = compareOption(object);
      if (option === undefined) continue;
      return {
        type: "NotImplementedWarning",
        message: `${object.kind} ${object.metadata.name}: compare option ${option} in ${COMPARE_OPTIONS} is not implemented yet`,
      };
    }
    return undefined;
  },
];

const subscriptions = (app: Application): string =>
  Object.keys(app.metadata.annotations ?? {})
    .filter((key) => key.startsWith("notifications.argoproj.io/subscribe."))
    .sort()
    .join(", ");

/** Conditions that name what is set without effect. */
export function warningsOf(input: WarningInput): ApplicationCondition[] {
  const ofSources = new Map((input.ofSources ?? []).map((each) => [`${each.type} ${each.message}`, each]));
  return [
    ...checks.map((check) => check(input)).filter((condition) => condition !== undefined),
    ...[...ofSources.values()].map(({ type, message }) => ({ type, message })),
  ];
}
