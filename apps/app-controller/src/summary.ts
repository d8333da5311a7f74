import type {
  ApplicationCondition,
  ApplicationStatus,
  OperationState,
  ResourceStatus,
  RevisionHistory,
} from "@tiphys/resources";
import { saysIntegrityProblem } from "@tiphys/source-integrity";
import { type Comparison, imagesOf } from "./compare.js";
import { externalUrlsOf } from "./external-urls.js";
import { rfc3339 } from "./operation.js";
import { revisionFields, sourceFields, sourcesOf } from "./sources.js";
import type { ApplicationState } from "./state.js";

const HISTORY_DEFAULT = 10;

/** The whole status of an application as this pass sees it. */
export function summarize(
  state: ApplicationState,
  comparison: Comparison,
  operationState: OperationState | undefined,
  syncError: string | undefined,
  now: Date,
): ApplicationStatus {
  const { app, target } = state;
  const before = app.status ?? {};
  const { destination, ignoreDifferences } = app.spec;
  const healthBefore = before.health;
  const health = state.unreachable === undefined ? comparison.health : "Unknown";
  const images = imagesOf(comparison.items);
  const externalURLs = externalUrlsOf(
    app,
    comparison.items.flatMap(({ live }) => live ?? []),
  );
  const { conditions: _, operationState: __, resourceHealthSource: ___, sourceType, sourceTypes, ...kept } = before;
  const typesBefore = { ...(sourceType ? { sourceType } : {}), ...(sourceTypes ? { sourceTypes } : {}) };
  const conditions = conditionsOf(state, comparison, syncError, now);
  return {
    ...kept,
    sync: {
      status: comparison.sync,
      comparedTo: {
        ...sourceFields(sourcesOf(app.spec)),
        destination,
        ...(ignoreDifferences ? { ignoreDifferences } : {}),
      },
      ...(target.ok
        ? revisionFields(target)
        : before.sync?.revisions
          ? { revisions: before.sync.revisions }
          : before.sync?.revision
            ? { revision: before.sync.revision }
            : {}),
    },
    health: {
      status: health,
      lastTransitionTime:
        healthBefore?.status === health && healthBefore.lastTransitionTime
          ? healthBefore.lastTransitionTime
          : rfc3339(now),
    },
    // Without a comparison the last known resources stay, so that what they name is still watched.
    resources: target.ok
      ? comparison.resources.map((resource) => (state.healthInResources ? resource : withoutHealth(resource)))
      : (before.resources ?? []),
    ...(state.healthInResources ? {} : { resourceHealthSource: "appTree" }),
    ...(conditions.length > 0 ? { conditions } : {}),
    ...(state.specProblem === undefined ? { reconciledAt: rfc3339(target.resolvedAt) } : {}),
    ...(target.ok
      ? target.sourceTypes
        ? { sourceTypes: [...target.sourceTypes] }
        : { sourceType: target.sourceType }
      : typesBefore),
    summary: { ...(externalURLs.length > 0 ? { externalURLs } : {}), ...(images.length > 0 ? { images } : {}) },
    controllerNamespace: state.controlNamespace,
    ...(operationState ? { operationState } : {}),
  };
}

const withoutHealth = ({ health: _, ...resource }: ResourceStatus): ResourceStatus => resource;

function conditionsOf(
  state: ApplicationState,
  comparison: Comparison,
  syncError: string | undefined,
  now: Date,
): ApplicationCondition[] {
  const { app, target, specProblem } = state;
  const found: ApplicationCondition[] = [];
  if (specProblem !== undefined) found.push({ type: "InvalidSpecError", message: specProblem });
  else if (!target.ok)
    found.push({
      type: "ComparisonError",
      // What is wrong with signatures is told as it is: programs look for it.
      message: saysIntegrityProblem(target.message) ? target.message : `Failed to load target state: ${target.message}`,
    });
  else {
    for (const id of target.repeated) {
      found.push({
        type: "RepeatedResourceWarning",
        message: `Resource ${id} appeared 2 or more times among application resources.`,
      });
    }
    for (const [id, other] of [...comparison.shared].sort()) {
      found.push({
        type: "SharedResourceWarning",
        message: `${id} is part of applications ${[app.metadata.name, other].sort().join(" and ")}`,
      });
    }
  }
  found.push(...state.warnings);
  if (syncError !== undefined) found.push({ type: "SyncError", message: syncError });
  return found.map((condition) => {
    const same = app.status?.conditions?.find(
      (each) => each.type === condition.type && each.message === condition.message,
    );
    return { ...condition, lastTransitionTime: same?.lastTransitionTime ?? rfc3339(now) };
  });
}

/** The history with the operation that has just succeeded; unchanged for dry runs and selective syncs. */
export function historyWith(
  history: readonly RevisionHistory[],
  ended: OperationState,
  limit: number | undefined,
): RevisionHistory[] {
  const { sync, initiatedBy } = ended.operation;
  if (ended.phase !== "Succeeded" || sync?.dryRun || sync?.resources?.length) return [...history];
  const last = history.at(-1);
  const entry: RevisionHistory = {
    id: last ? last.id + 1 : 0,
    ...revisionFields(ended.syncResult ?? { revision: "" }),
    ...sourceFields(sourcesOf(ended.syncResult ?? {})),
    deployStartedAt: ended.startedAt,
    deployedAt: ended.finishedAt ?? ended.startedAt,
    ...(initiatedBy ? { initiatedBy } : {}),
  };
  const most = limit ?? HISTORY_DEFAULT;
  return most <= 0 ? [] : [...history, entry].slice(-most);
}
