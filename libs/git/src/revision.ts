import { UnimplementedError } from "@tiphys/errors";

export const isCommitId = (text: string): boolean => /^[0-9a-f]{40}$/i.test(text);
const isShortId = (text: string): boolean => /^[0-9a-f]{7,39}$/i.test(text);

/** What `ls-remote` answered. */
export interface RemoteRefs {
  /** Full ref name → commit; annotated tags are peeled. */
  readonly refs: ReadonlyMap<string, string>;
  /** Commit of HEAD, if the repository has one. */
  readonly head?: string;
}

export function parseLsRemote(output: string): RemoteRefs {
  const refs = new Map<string, string>();
  let head: string | undefined;
  for (const line of output.split("\n")) {
    const tab = line.indexOf("\t");
    if (tab < 0 || line.startsWith("ref:")) continue;
    const id = line.slice(0, tab);
    const name = line.slice(tab + 1);
    if (name === "HEAD") head = id;
    else if (name.endsWith("^{}")) refs.set(name.slice(0, -3), id);
    else refs.set(name, id);
  }
  return { refs, ...(head ? { head } : {}) };
}

/** The commit that `revision` names among the refs; undefined when it is none of them. */
export function resolveAmong(remote: RemoteRefs, revision: string): string | undefined {
  if (revision === "" || revision === "HEAD") return remote.head;
  if (isCommitId(revision)) return revision.toLowerCase();
  const { refs } = remote;
  const named =
    refs.get(revision) ??
    refs.get(`refs/${revision}`) ??
    refs.get(`refs/heads/${revision}`) ??
    refs.get(`refs/tags/${revision}`) ??
    (revision.startsWith("origin/") ? refs.get(`refs/heads/${revision.slice("origin/".length)}`) : undefined);
  if (named) return named;
  if (isShortId(revision)) return undefined;
  if (/^[~^<>=*]|\.[x*](\.|$)|\s/.test(revision))
    throw new UnimplementedError(`semver constraint "${revision}" in targetRevision`);
  return undefined;
}
