import { matchGlob } from "@tiphys/diff";
import { FailedPreconditionError } from "@tiphys/errors";

/** How far a signature is asked for: not at all, of the tag or commit that is deployed, or of all that led to it. */
export type Mode = "none" | "head" | "strict";

/** One policy of `spec.sourceIntegrity.git.policies`, as an AppProject has it. */
export interface GitPolicy {
  readonly repos?: readonly { readonly url?: string }[];
  readonly gpg?: { readonly mode?: string; readonly keys?: readonly string[] };
  /** Ours: signatures of ssh keys. `signers` are lines as in git's file of allowed signers. */
  readonly ssh?: { readonly mode?: string; readonly signers?: readonly string[] };
}

export interface SourceIntegrity {
  readonly git?: { readonly policies?: readonly GitPolicy[] };
  readonly helm?: unknown;
}

/** What an AppProject says about signatures. */
export interface IntegritySpec {
  readonly signatureKeys?: readonly { readonly keyID?: string }[];
  readonly sourceIntegrity?: SourceIntegrity;
}

const methods = ["gpg", "ssh"] as const;
const modes: ReadonlySet<string> = new Set<Mode>(["none", "head", "strict"]);

/** The policies that are meant; `signatureKeys` is one for every repository. Undefined where nothing is asked for. */
export function effectiveIntegrity({
  signatureKeys = [],
  sourceIntegrity,
}: IntegritySpec): SourceIntegrity | undefined {
  if (sourceIntegrity) return sourceIntegrity;
  if (signatureKeys.length === 0) return undefined;
  const keys = signatureKeys.map(({ keyID = "" }) => keyID);
  return { git: { policies: [{ repos: [{ url: "*" }], gpg: { mode: "head", keys } }] } };
}

/** What makes an AppProject's policies unusable; they are then kept by nobody, so its applications must not be synced. */
export function integrityProblem({ signatureKeys = [], sourceIntegrity }: IntegritySpec): string | undefined {
  if (!sourceIntegrity) return undefined;
  if (signatureKeys.length > 0) return "spec.signatureKeys cannot be used together with spec.sourceIntegrity";
  const unknown = Object.keys(sourceIntegrity).find((name) => name !== "git");
  if (unknown) return `spec.sourceIntegrity.${unknown} is not implemented yet`;
  for (const [index, policy] of (sourceIntegrity.git?.policies ?? []).entries()) {
    const at = `spec.sourceIntegrity.git.policies[${index}]`;
    const other = Object.keys(policy).find((name) => name !== "repos" && !methods.some((each) => each === name));
    if (other) return `${at}.${other} is not implemented yet`;
    const used = methods.filter((name) => policy[name]);
    if (used.length !== 1) return `${at}: give one of ${methods.join(" and ")}`;
    const mode = policy.gpg?.mode ?? policy.ssh?.mode ?? "";
    if (!modes.has(mode))
      return `unknown ${policy.gpg ? "GPG" : "SSH"} mode "${mode}" configured for GIT source integrity`;
  }
  return undefined;
}

/** Whether globs include a repository and none of them, with a `!` before it, excludes it. */
function fits(globs: readonly string[], url: string): boolean {
  const matches = (glob: string) => matchGlob(glob, url);
  if (globs.some((glob) => glob.startsWith("!") && matches(glob.slice(1)))) return false;
  return globs.some((glob) => !glob.startsWith("!") && matches(glob));
}

/**
 * The policy for a repository, undefined where none is meant or its mode is `none`. Throws where there are several: a mistake must not
 * switch the check off.
 */
export function policyFor(integrity: SourceIntegrity | undefined, repoURL: string): GitPolicy | undefined {
  const found = (integrity?.git?.policies ?? []).filter(({ repos = [] }) =>
    fits(
      repos.map(({ url = "" }) => url),
      repoURL,
    ),
  );
  if (found.length > 1) {
    throw new FailedPreconditionError(
      `multiple (${found.length}) git source integrity policies found for repo URL: ${repoURL}`,
    );
  }
  const [policy] = found;
  if (!policy) return undefined;
  const problem = integrityProblem({ sourceIntegrity: { git: { policies: [policy] } } });
  if (problem) throw new FailedPreconditionError(problem);
  return (policy.gpg ?? policy.ssh)?.mode === "none" ? undefined : policy;
}
