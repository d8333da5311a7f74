import type { Clock } from "@tiphys/clock";
import { PermissionDeniedError, UnavailableError } from "@tiphys/errors";
import type { GitEnvironment } from "./environment.js";
import { runGit } from "./process.js";
import { redactUrl } from "./url.js";

/** Redirects one after the other. */
const MOST = 5;
/** Milliseconds for which a server is taken at its word. */
const KEPT = 600_000;
const QUESTION = "/info/refs?service=git-upload-pack";

/** git itself follows nothing: it would show the new address the credentials of the old one. */
const saysRedirect = (error: unknown): boolean =>
  error instanceof Error && /returned error: 30[12378]\b/.test(error.message);

export interface RedirectsOptions {
  readonly url: string;
  readonly directory: string;
  readonly clock: Clock;
  /** Settings for a command against an address: with the credentials that belong to it, and no others. */
  readonly environment: (url: string) => Promise<GitEnvironment>;
}

/** Work against the remote side of a repository, wherever its server says that it is now. */
export interface Redirects {
  run<T>(work: (environment: GitEnvironment, url: string) => Promise<T>): Promise<T>;
}

export function createRedirects({ url, directory, clock, environment }: RedirectsOptions): Redirects {
  let known: { readonly to: string; readonly since: number } | undefined;

  const at = async <T>(address: string, work: (environment: GitEnvironment, url: string) => Promise<T>) => {
    const variables = await environment(address);
    try {
      return await work(variables, address);
    } finally {
      await variables.dispose();
    }
  };

  return {
    async run(work) {
      if (known && clock.monotonic() - known.since > KEPT) known = undefined;
      let address = known?.to ?? url;
      for (let hop = 0; hop <= MOST; hop++) {
        try {
          const result = await at(address, work);
          if (address !== url) known ??= { to: address, since: clock.monotonic() };
          return result;
        } catch (error) {
          // Where it was led to earlier may not be right any more.
          if (known) {
            known = undefined;
            address = url;
            continue;
          }
          if (!saysRedirect(error)) throw error;
          const from = address;
          address = await at(from, (variables) => locationOf(from, directory, variables));
        }
      }
      throw new UnavailableError(`repository ${redactUrl(url)} redirects more than ${MOST} times`);
    },
  };
}

/** Where a server leads to, by what it answers to git's own first question. */
async function locationOf(url: string, directory: string, { variables }: GitEnvironment): Promise<string> {
  const trace = await runGit({
    args: ["ls-remote", "--quiet", "--", url],
    directory,
    variables: { ...variables, GIT_TRACE_CURL: "1", GIT_TRACE_CURL_NO_DATA: "1", GIT_TRACE_REDACT: "1" },
  }).then(
    () => "",
    (error: Error) => error.message,
  );
  const said = [...trace.matchAll(/<= Recv header: location: (\S+)/gi)].at(-1)?.[1];
  const shown = redactUrl(url);
  if (said === undefined) throw new UnavailableError(`repository ${shown} redirects, and does not say where to`);
  let target: URL;
  try {
    target = new URL(said, url.replace(/\/+$/, "") + QUESTION);
  } catch (cause) {
    throw new UnavailableError(`repository ${shown} redirects to what is no URL`, { cause });
  }
  const place = `${target.protocol}//${target.host}${target.pathname}`;
  if (target.protocol !== "https:" && (target.protocol !== "http:" || url.startsWith("https:"))) {
    const [from, to] = [new URL(url).protocol, target.protocol].map((scheme) => scheme.replace(/:$/, ""));
    throw new PermissionDeniedError(`repository ${shown} redirects from ${from} to ${to}: that is not followed`);
  }
  if (!place.endsWith("/info/refs")) {
    throw new UnavailableError(`repository ${shown} redirects to ${place}, which is no Git repository`);
  }
  return place.slice(0, -"/info/refs".length);
}
