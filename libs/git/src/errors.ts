import {
  CanceledError,
  DeadlineExceededError,
  NotFoundError,
  PermissionDeniedError,
  type TiphysError,
  UnauthenticatedError,
  UnavailableError,
} from "@tiphys/errors";
import { redactUrl } from "./url.js";

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
      `unable to resolve '${revision}' to a commit of ${redactUrl(url)}: there is no such branch, tag or commit`,
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

const authentication =
  /authentication failed|could not read (username|password)|permission denied \(|HTTP (401|403)|error: 40[13]|invalid credentials|terminal prompts disabled/i;
const hostKey = /host key verification failed/i;
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
  if (hostKey.test(text)) {
    return new PermissionDeniedError(
      `the ssh host key of ${redactUrl(url)} is not known: add it to argocd-ssh-known-hosts-cm`,
      { cause },
    );
  }
  if (authentication.test(text)) return new RepositoryAuthenticationError(url, { cause });
  if (notFound.test(text)) return new RepositoryNotFoundError(url, { cause });
  const first = text.split("\n").find((line) => /^(fatal|error|ssh)/.test(line)) ?? text.split("\n")[0] ?? "no message";
  return new UnavailableError(`git cannot read ${redactUrl(url)}: ${first.slice(0, 300)}`, { cause });
}
