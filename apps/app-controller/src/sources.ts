import { deepEqual } from "@tiphys/canonical-json";
import type { Application, ApplicationSource, SyncOperationResult } from "@tiphys/resources";

/** The sources of an application or of one operation. */
export interface Sources {
  readonly list: readonly ApplicationSource[];
  /** `sources` was given, be it with one entry: status and history are then told by lists. */
  readonly several: boolean;
}

type Sourced = { readonly source?: ApplicationSource; readonly sources?: readonly ApplicationSource[] };

/** The sources that are given; `sources` outranks `source`. */
export function sourcesOf({ source, sources = [] }: Sourced): Sources {
  if (sources.length > 0) return { list: sources, several: true };
  return { list: source ? [source] : [], several: false };
}

/** The sources that a sync is of: its own, and else the application's. */
export const syncedSources = (app: Application, sync: Sourced | undefined): Sources => {
  const own = sourcesOf(sync ?? {});
  return own.list.length > 0 ? own : sourcesOf(app.spec);
};

/** As fields of a status. */
export const sourceFields = ({
  list,
  several,
}: Sources): { source?: ApplicationSource; sources?: ApplicationSource[] } =>
  several ? { sources: [...list] } : list[0] ? { source: list[0] } : {};

/** Revisions as one text, for messages and comparison. */
export const joined = (revisions: readonly string[]): string => revisions.join(", ");

interface Revised {
  readonly revision: string;
  readonly revisions?: readonly string[] | undefined;
}

/** As fields of a status: `revision`, or `revisions` of several sources. */
export const revisionFields = ({ revision, revisions }: Revised): { revision?: string; revisions?: string[] } =>
  revisions ? { revisions: [...revisions] } : { revision };

/** What an operation synced to, as one text. */
export const syncedRevision = (result: SyncOperationResult | undefined): string =>
  result?.revisions?.length ? joined(result.revisions) : (result?.revision ?? "");

/** Whether an operation was of exactly these sources. */
export const sameSources = (result: SyncOperationResult, sources: Sources): boolean =>
  deepEqual(sourceFields(sourcesOf(result)), sourceFields(sources));
