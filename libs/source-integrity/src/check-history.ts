import { InvalidArgumentError, LimitExceededError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import type { KeyRing } from "@tiphys/openpgp";
import type { GitPolicy } from "./policies.js";
import { parseSignedCommit, parseSignedTag, type SignedCommit } from "./signed-objects.js";
import { type Finding, type Verifier, verifierOf } from "./signers.js";

export interface HistoryInput {
  readonly policy: GitPolicy;
  /** Object of the annotated tag that is deployed, and the name of its ref without `refs/tags/`. */
  readonly tag?: { readonly id: string; readonly name: string };
  readonly commit: string;
  /** Public keys that are trusted. */
  readonly keys: KeyRing;
  readonly now: Date;
  /** A commit or tag by its id; undefined where the history here does not reach that far. */
  readonly read: (id: string) => Promise<{ readonly type: string; readonly data: Buffer } | undefined>;
}

/** Problems that are told; the newest come first. */
const TOLD = 10;
const SEAL = /argocd-gpg-seal:/i;

/**
 * What is wrong with the signatures that a policy asks for; empty when nothing is. Each is one line that names revision, author, what is wrong
 * and the key. Throws where that cannot be found out.
 */
export async function checkHistory(input: HistoryInput): Promise<string[]> {
  const { policy, tag, commit, read } = input;
  const verifier = verifierOf(policy, input.keys, input.now);
  const isStrict = (policy.gpg ?? policy.ssh)?.mode === "strict";
  const problems = new Map<string, string>();
  const note = (of: string, author: string, finding: Finding, isCommit: boolean, instead?: string) => {
    const words = instead ?? problemOf(finding);
    // What one key has signed is told once, of tags and of what nobody signed always.
    const key = isCommit && finding.keyId !== "" ? finding.keyId : of;
    if (words === undefined || problems.has(key) || problems.size >= TOLD) return;
    problems.set(key, `${verifier.name}: Failed verifying revision ${of} by '${author}': ${words}`);
  };
  if (tag) {
    const object = await read(tag.id);
    if (object?.type !== "tag") throw new InvalidArgumentError("revision", `no tag found: "${tag.name}"`);
    const signed = parseSignedTag(object.data);
    const finding = verifier.verify(signed);
    // The server says which tag stands for a name, and where it leads: only what is signed counts.
    const other =
      signed.name !== tag.name
        ? `the tag that is signed is named "${signed.name}"`
        : (await peeled(signed.target, read)) === commit
          ? undefined
          : "the tag that is signed is of another commit";
    note(
      tag.name,
      signed.tagger,
      finding,
      false,
      problemOf(finding) ?? (other && `${other} (key_id=${finding.keyId})`),
    );
    if (!isStrict) return [...problems.values()];
  }
  const commits = isStrict ? await history(commit, read, verifier) : [await commitOf(commit, read)];
  for (const each of commits) note(each.id, each.author, each.finding ?? verifier.verify(each), true);
  return [...problems.values()];
}

function problemOf({ verdict, keyId, allowed }: Finding): string | undefined {
  if (verdict !== "signed") return `${verdict} (key_id=${keyId})`;
  return allowed ? undefined : `signed with unallowed key (key_id=${keyId})`;
}

type Read = HistoryInput["read"];

async function peeled(id: string, read: Read): Promise<string> {
  const object = await read(id);
  return object?.type === "tag" ? peeled(parseSignedTag(object.data).target, read) : id;
}

interface Visited extends SignedCommit {
  readonly id: string;
  /** Known where it had to be looked at on the way. */
  finding?: Finding;
}

async function commitOf(id: string, read: Read): Promise<Visited> {
  const object = await read(id);
  if (object?.type !== "commit") {
    throw new InvalidArgumentError(
      "",
      `commit ${id} is not here, so signatures cannot be verified as far as sourceIntegrity asks for: set no depth in the repository Secret`,
    );
  }
  return { id, ...parseSignedCommit(object.data) };
}

/**
 * A commit and what led to it, as far back as the commits that a good signature has sealed (`Argocd-gpg-seal:` in the message), those
 * included. Walks from new to old, as git does: what is reached from a seal is out of it, whichever way else leads there.
 */
async function history(tip: string, read: Read, verifier: Verifier): Promise<Visited[]> {
  const seen = new Map<string, Visited>();
  const sealed = new Set<string>();
  const waiting: Visited[] = [];
  /** Of those that wait, how many are not behind a seal. */
  let open = 0;
  const visit = async (id: string) => {
    if (seen.has(id)) return;
    if (seen.size >= limits.gitVerifiedCommits) {
      throw new LimitExceededError(
        `more than ${limits.gitVerifiedCommits} commits would have to be verified: add a signed commit with an Argocd-gpg-seal: trailer`,
      );
    }
    const commit = await commitOf(id, read);
    seen.set(id, commit);
    if (!sealed.has(id)) open++;
    let at = waiting.length;
    while (at > 0 && (waiting[at - 1] as Visited).committedAt > commit.committedAt) at--;
    waiting.splice(at, 0, commit);
  };
  /** Marks what stands behind a seal, also what was seen before it was known. */
  const seal = (ids: readonly string[]) => {
    const todo = [...ids];
    for (let id = todo.pop(); id !== undefined; id = todo.pop()) {
      if (sealed.has(id)) continue;
      sealed.add(id);
      const commit = seen.get(id);
      if (!commit) continue;
      if (waiting.includes(commit)) open--;
      todo.push(...commit.parents);
    }
  };
  await visit(tip);
  while (open > 0) {
    const commit = waiting.pop() as Visited;
    if (!sealed.has(commit.id)) {
      open--;
      if (SEAL.test(commit.message)) {
        commit.finding = verifier.verify(commit);
        // A stranger's seal ends nothing.
        if (commit.finding.verdict === "signed" && commit.finding.allowed) {
          if (commit.id === tip) return [commit];
          seal([commit.id]);
        }
      }
    }
    if (sealed.has(commit.id)) seal(commit.parents);
    for (const parent of commit.parents) await visit(parent);
  }
  const inside = [...seen.values()].filter(({ id }) => !sealed.has(id));
  const borders = new Set(inside.flatMap(({ parents }) => parents).filter((id) => sealed.has(id)));
  for (const id of borders) inside.push(seen.get(id) ?? (await commitOf(id, read)));
  return inside.sort((a, b) => b.committedAt - a.committedAt);
}
