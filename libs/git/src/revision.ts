import { highestOf, isConstraint, isVersion } from "@tiphys/semver";

export const isCommitId = (text: string): boolean => /^[0-9a-f]{40}$/i.test(text);
export const isShortId = (text: string): boolean => /^[0-9a-f]{7,39}$/i.test(text);

/** What `ls-remote` answered. */
export interface RemoteRefs {
  /** Full ref name → commit; annotated tags are peeled. */
  readonly refs: ReadonlyMap<string, string>;
  /** Full name of each annotated tag → the tag's own object. */
  readonly tags: ReadonlyMap<string, string>;
  /** Commit of HEAD, if the repository has one. */
  readonly head?: string;
}

export function parseLsRemote(output: string): RemoteRefs {
  const refs = new Map<string, string>();
  const tags = new Map<string, string>();
  let head: string | undefined;
  for (const line of output.split("\n")) {
    const tab = line.indexOf("\t");
    if (tab < 0 || line.startsWith("ref:")) continue;
    const id = line.slice(0, tab);
    const name = line.slice(tab + 1);
    if (name === "HEAD") head = id;
    else if (name.endsWith("^{}")) {
      const tag = name.slice(0, -3);
      const object = refs.get(tag);
      if (object) tags.set(tag, object);
      refs.set(tag, id);
    } else refs.set(name, id);
  }
  return { refs, tags, ...(head ? { head } : {}) };
}

/** What a revision is among the refs. */
export interface NamedRevision {
  /** The commit; for a commit id that is no ref, the id itself. */
  readonly commit: string;
  /** Full name of the branch or tag that was meant, if it was one. */
  readonly ref?: string;
  /** The object of that tag, where it is an annotated one. */
  readonly tag?: string;
}

const TAGS = "refs/tags/";

/**
 * The revision that is meant after constraints are resolved: of the tags that begin with `tagPrefix`, the one with the
 * highest version that fits `^1.2`; a plain version gets the prefix. Anything else is meant as it is written.
 */
export function withoutConstraint({ refs }: RemoteRefs, revision: string, tagPrefix = ""): string {
  if (isVersion(revision)) return tagPrefix + revision;
  if (!isConstraint(revision)) return revision;
  const names: string[] = [];
  for (const ref of refs.keys()) {
    if (ref.startsWith(TAGS + tagPrefix)) names.push(ref.slice(TAGS.length + tagPrefix.length));
  }
  const best = highestOf(names, revision);
  return best === undefined ? revision : tagPrefix + best;
}

/**
 * What `revision` names among the refs, in git's own order: of a tag and a branch with one name it is the tag. Undefined when it is none
 * of them, as a short commit id.
 */
export function resolveAmong(remote: RemoteRefs, revision: string, tagPrefix?: string): NamedRevision | undefined {
  if (isCommitId(revision)) return { commit: revision.toLowerCase() };
  const { refs, tags, head } = remote;
  const wanted = revision === "" ? "HEAD" : withoutConstraint(remote, revision, tagPrefix);
  if (wanted === "HEAD") return head === undefined ? undefined : { commit: head };
  const candidates = [wanted, `refs/${wanted}`, `${TAGS}${wanted}`, `refs/heads/${wanted}`];
  if (wanted.startsWith("origin/")) candidates.push(`refs/heads/${wanted.slice("origin/".length)}`);
  const ref = candidates.find((name) => refs.has(name));
  const commit = ref === undefined ? undefined : refs.get(ref);
  if (ref === undefined || commit === undefined) return undefined;
  const tag = tags.get(ref);
  return { commit, ref, ...(tag ? { tag } : {}) };
}
