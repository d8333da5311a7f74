import { messageOf } from "@tiphys/errors";
import { isNotFound, type KubeClient } from "@tiphys/kube";
import { type AppProject, groupVersionOf, type KubeObject, keyOf, type ResourceResult } from "@tiphys/resources";
import { objectSyncOptions, refusedOption, refusedResult, type SyncItem, type SyncOptions } from "@tiphys/sync";
import { applied } from "./apply.js";
import type { LiveState } from "./live-state.js";
import { type ClusterName, objectProblem } from "./spec-check.js";
import { FIELD_MANAGER } from "./tracking.js";

export interface PreflightInput {
  readonly cluster: ClusterName;
  readonly project: AppProject;
  readonly items: readonly SyncItem[];
  readonly hooks: readonly KubeObject[];
  readonly options: SyncOptions;
  readonly namespaced: ReadonlySet<string>;
}

const AT_ONCE = 8;

/**
 * Asks the server, without writing, whether it would take every manifest of a sync, so that one bad manifest changes
 * nothing. What depends on a namespace or a definition of the same sync cannot be asked yet.
 */
export async function preflight(
  { cluster, project, items, hooks, options }: PreflightInput,
  { client, live }: { client: KubeClient; live: LiveState },
  signal: AbortSignal,
): Promise<ResourceResult[]> {
  const wanted = items.filter((item) => item.desired);
  const created = new Set(
    wanted.filter(({ desired }) => desired?.kind === "Namespace").map(({ desired }) => desired?.metadata.name ?? ""),
  );
  const defined = new Set(
    wanted
      .filter(({ desired }) => desired?.kind === "CustomResourceDefinition")
      .map(({ desired }) => `${desired?.["spec"]?.group}/${desired?.["spec"]?.names?.kind}`),
  );
  const ask = async (object: KubeObject, there: KubeObject | undefined, dry: boolean): Promise<string | undefined> => {
    const own = objectSyncOptions(object);
    const refused = refusedOption(own);
    if (refused) return refused;
    const type = await live.typeOf(object.apiVersion, object.kind);
    if (!type) {
      const { group } = groupVersionOf(object.apiVersion);
      if (defined.has(`${group}/${object.kind}`)) return undefined;
      if ((own["SkipDryRunOnMissingResource"] ?? options["SkipDryRunOnMissingResource"]) === "true") return undefined;
      return `the server has no kind ${object.kind} in ${object.apiVersion}: install its CustomResourceDefinition`;
    }
    const problem = objectProblem(cluster, project, object, type.namespaced);
    if (problem) return problem;
    const option = (name: string) => own[name] ?? options[name];
    if (!dry || option("Validate") === "false" || option("Replace") === "true") return undefined;
    try {
      const body = applied(object, there, undefined, []);
      await client.patch(
        type,
        keyOf(body),
        { type: "apply", body },
        {
          fieldManager: FIELD_MANAGER,
          force: true,
          fieldValidation: "Strict",
          dryRun: true,
          signal,
        },
      );
      return undefined;
    } catch (error) {
      if (isNotFound(error) && created.has(object.metadata.namespace ?? "")) return undefined;
      return messageOf(error);
    }
  };
  const questions = [
    ...wanted.map(({ desired, live: there, outOfSync }) => ({
      object: desired as KubeObject,
      there,
      dry: outOfSync,
      phase: "Sync" as const,
    })),
    // A hook that exists will be made anew, and a Job cannot be changed in place.
    ...hooks.map((object) => ({ object, there: undefined, dry: false, phase: "Sync" as const })),
  ];
  const results: ResourceResult[] = [];
  for (let from = 0; from < questions.length; from += AT_ONCE) {
    await Promise.all(
      questions.slice(from, from + AT_ONCE).map(async ({ object, there, dry, phase }) => {
        const message = await ask(object, there, dry);
        if (message !== undefined) results.push(refusedResult(object, phase, message));
      }),
    );
  }
  return results.sort((a, b) => (a.kind + a.name < b.kind + b.name ? -1 : 1));
}
