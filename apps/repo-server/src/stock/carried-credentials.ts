import { messageOf, NotFoundError, PermissionDeniedError, UnauthenticatedError } from "@tiphys/errors";
import { redactUrl } from "@tiphys/git";
import type { applicationV1alpha1Source as argo } from "@tiphys/proto";
import type { Logger } from "@tiphys/telemetry";

/** What requests of Argo CD's parts may carry besides what they ask for. */
interface Carrying {
  readonly repo?: argo.Repository | undefined;
  readonly repos?: readonly argo.Repository[];
  readonly helmRepoCreds?: readonly argo.RepoCreds[];
}

const secrets = ["password", "sshPrivateKey", "bearerToken", "tlsClientCertKey"] as const;
const URLS_KEPT = 10_000;

/** Addresses that a request carries credentials for. */
function carriedFor({ repo, repos = [], helmRepoCreds = [] }: Carrying): string[] {
  const listed = [...(repo ? [repo] : []), ...repos];
  return [
    ...listed.filter((each) => secrets.some((name) => each[name])).map((each) => each.repo ?? ""),
    ...helmRepoCreds.filter(({ password }) => password).map(({ url }) => url ?? ""),
  ].map(redactUrl);
}

/**
 * Methods that say when they are given credentials: the Secrets alone decide here, so that nobody who reaches this port reads what he has no
 * Secret for. Each address is told once in the log, and again in the error where something was refused.
 */
export function tellingOfCredentials(log: Logger) {
  const told = new Set<string>();
  return <Request extends Carrying, Options, Response>(
    method: (request: Request, options: Options) => Promise<Response>,
  ) =>
    async (request: Request, options: Options): Promise<Response> => {
      const carried = carriedFor(request);
      for (const repository of carried) {
        if (told.has(repository)) continue;
        if (told.size >= URLS_KEPT) told.clear();
        told.add(repository);
        log.warn("credentials in requests to the repo-server are not used: put them into a repository Secret", {
          repository,
        });
      }
      try {
        return await method(request, options);
      } catch (error) {
        if (carried.length === 0) throw error;
        const message = `${messageOf(error)} (credentials in the request are not used: put them into a repository Secret)`;
        // What a lack of credentials looks like.
        if (error instanceof UnauthenticatedError) throw new UnauthenticatedError(message, { cause: error });
        if (error instanceof NotFoundError) throw new NotFoundError(message, { cause: error });
        if (error instanceof PermissionDeniedError) throw new PermissionDeniedError(message, { cause: error });
        throw error;
      }
    };
}
