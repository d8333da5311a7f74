import {
  CanceledError,
  DeadlineExceededError,
  InternalError,
  NotFoundError,
  PermissionDeniedError,
  type TiphysError,
  UnauthenticatedError,
  UnavailableError,
} from "@tiphys/errors";
import { endpointOf, redactUrl } from "./url.js";

/** The repository does not exist, or the credentials may not see it. */
export class RepositoryNotFoundError extends NotFoundError {
  constructor(
    readonly url: string,
    options?: ErrorOptions,
  ) {
    super(
      `repository ${redactUrl(url)} is not found: check repoURL, and its repository Secret if it is private`,
      options,
    );
  }
}

/** The repository has no such branch, tag or commit. */
export class RevisionNotFoundError extends NotFoundError {
  constructor(
    readonly url: string,
    readonly revision: string,
    options?: ErrorOptions,
  ) {
    super(
      `unable to resolve '${revision}' to a commit SHA: ${redactUrl(url)} has no such branch, tag or commit`,
      options,
    );
  }
}

/** The path does not exist at that revision. */
export class PathNotFoundError extends NotFoundError {
  constructor(
    url: string,
    revision: string,
    readonly path: string,
  ) {
    super(`${path}: app path does not exist in ${redactUrl(url)} at ${revision}`);
  }
}

export class RepositoryAuthenticationError extends UnauthenticatedError {
  constructor(url: string, options?: ErrorOptions) {
    super(`repository ${redactUrl(url)} refused the credentials: check its repository Secret`, options);
  }
}

/** ssh cannot read the private key that a repository Secret holds. */
class UnreadableKeyError extends UnauthenticatedError {
  constructor(url: string, problem: string, options?: ErrorOptions) {
    super(`sshPrivateKey in the repository Secret of ${redactUrl(url)} cannot be read: ${problem}`, options);
  }
}

/** The mirror's own files are broken; it can be made anew. */
export class RepositoryCorruptError extends InternalError {}

const corrupt =
  /bad object|object file .* is empty|is corrupt|unable to (read|parse) (sha1|tree|object)|did not send all necessary objects|invalid sha1 pointer|packfile .* (cannot be|is far|does not|claims)|unresolved deltas?|inflate|bad config|not a git repository: |index file .* is too small|badly formed|unable to normalize/i;
const authentication =
  /authentication failed|could not read (username|password)|permission denied \(|HTTP (401|403)|error: 40[13]|invalid credentials|terminal prompts disabled/i;
const hostKey = /host key verification failed/i;
const changedHostKey = /remote host identification has changed/i;
const unreadableKey = /load key ".*": (.*)/i;
const untrusted = /(ssl certificate problem|server certificate verification failed|ssl: .*certificate)[^\n]*/i;
const notFound =
  /repository .*not found|does not appear to be a git repository|no such file or directory|not found$|HTTP 404|error: 404|does not exist/im;

/** Translates what git said on its standard error; the text itself goes into the cause only, cleaned of the URL's user. */
export function gitError(url: string, stderr: string, aborted?: unknown): TiphysError {
  const text = redactUrl(
    stderr.replace(/[a-z][a-z0-9+.-]*:\/\/[^@\s/]*@/gi, (found) => found.replace(/\/\/.*@/, "//")),
  ).trim();
  const cause = new Error(text);
  if (aborted) return new CanceledError(`git was cancelled while reading ${redactUrl(url)}`, { cause });
  if (/block timeout reached/i.test(text))
    return new DeadlineExceededError(`git did not answer in time for ${redactUrl(url)}`, { cause });
  if (corrupt.test(text)) return new RepositoryCorruptError(`the mirror of ${redactUrl(url)} is broken`, { cause });
  if (hostKey.test(text)) {
    const problem = changedHostKey.test(text)
      ? "is not the one in argocd-ssh-known-hosts-cm: somebody may be listening in, or the server has a new key"
      : "is not known: add it to argocd-ssh-known-hosts-cm";
    return new PermissionDeniedError(`the ssh host key of ${redactUrl(url)} ${problem}`, { cause });
  }
  const badKey = unreadableKey.exec(text);
  if (badKey) return new UnreadableKeyError(url, badKey[1]?.trim() ?? "", { cause });
  if (authentication.test(text)) return new RepositoryAuthenticationError(url, { cause });
  const tls = untrusted.exec(text);
  if (tls) {
    return new PermissionDeniedError(
      `the TLS certificate of ${redactUrl(url)} is not trusted (${tls[0].slice(0, 200)}): add its CA to argocd-tls-certs-cm under the key ${endpointOf(url)?.host ?? "<host>"}, or set insecure: "true" in its repository Secret`,
      { cause },
    );
  }
  if (notFound.test(text)) return new RepositoryNotFoundError(url, { cause });
  const first = text.split("\n").find((line) => /^(fatal|error|ssh)/.test(line)) ?? text.split("\n")[0] ?? "no message";
  return new UnavailableError(`git cannot read ${redactUrl(url)}: ${first.slice(0, 300)}`, { cause });
}
