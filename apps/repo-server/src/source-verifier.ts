import { digest } from "@tiphys/canonical-json";
import type { Clock } from "@tiphys/clock";
import type { NamedRevision, Repository } from "@tiphys/git";
import type { KeyRing } from "@tiphys/openpgp";
import { checkHistory, policyFor, type SourceIntegrity, SourceIntegrityError } from "@tiphys/source-integrity";

export interface SourceVerifierDeps {
  /** The public keys that are trusted; the same object while they are the same. */
  readonly keys: () => Promise<KeyRing>;
  readonly clock: Clock;
}

export interface VerifyOptions {
  readonly integrity: SourceIntegrity | undefined;
  /** As policies name it. */
  readonly url: string;
  readonly noCache: boolean;
}

/** Says what is wrong with the signatures of a revision; undefined where no policy asks. */
export interface SourceVerifier {
  problems(repository: Repository, named: NamedRevision, options: VerifyOptions): Promise<string[] | undefined>;
  /** Throws a {@link SourceIntegrityError} where something is. */
  verify(repository: Repository, named: NamedRevision, options: VerifyOptions): Promise<void>;
}

/** Milliseconds for which a result counts: keys and signatures end by themselves. */
const KEPT = 600_000;
const RESULTS_KEPT = 1_000;
const TAGS = "refs/tags/";

export function createSourceVerifier({ keys, clock }: SourceVerifierDeps): SourceVerifier {
  const known = new Map<
    string,
    { readonly at: number; readonly keys: KeyRing; readonly problems: Promise<string[]> }
  >();

  const verifier: SourceVerifier = {
    async problems(repository, { commit, ref, tag }, { integrity, url, noCache }) {
      const policy = policyFor(integrity, url);
      if (!policy) return undefined;
      const ring = await keys();
      const name = ref?.startsWith(TAGS) ? ref.slice(TAGS.length) : ref;
      const key = digest([policy, url, commit, name, tag]);
      const before = known.get(key);
      if (before && !noCache && before.keys === ring && clock.monotonic() - before.at < KEPT) return before.problems;
      const problems = checkHistory({
        policy,
        commit,
        ...(tag && name !== undefined ? { tag: { id: tag, name } } : {}),
        keys: ring,
        now: clock.now(),
        // A tag is fetched by its id; of the history what is not here was cut off.
        read: (id) => (id === tag ? repository.object(id) : repository.here(id)),
      });
      if (known.size >= RESULTS_KEPT) known.delete(known.keys().next().value as string);
      known.delete(key);
      known.set(key, { at: clock.monotonic(), keys: ring, problems });
      problems.catch(() => known.delete(key));
      return problems;
    },
    async verify(repository, named, options) {
      const problems = await verifier.problems(repository, named, options);
      if (problems && problems.length > 0) throw new SourceIntegrityError(problems);
    },
  };
  return verifier;
}
