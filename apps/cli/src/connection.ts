import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, FailedPreconditionError, InvalidArgumentError } from "@tiphys/errors";
import { tiphysApiV1Api as api, session } from "@tiphys/proto";
import { type Client, type GrpcChannel, grpcChannel } from "@tiphys/rpc";

export type Api = Client<typeof api.TiphysServiceDefinition>;

export interface Connection {
  readonly api: Api;
  readonly url: string;
  close(): void;
}

/** The content of `login.json` in a data folder. */
export interface Login {
  readonly url: string;
  readonly username: string;
  readonly password: string;
  /** PEM of the server's certificate. */
  readonly certificate: string;
}

/** Connects to the server of a data folder, with the session kept there, or a new one when it is over. */
export async function connect(dataFolder: string): Promise<Connection> {
  const login = await readLogin(dataFolder);
  const target = new URL(login.url).host;
  const sessionFile = join(dataFolder, "session");
  const open = (token: string | undefined): GrpcChannel =>
    grpcChannel({ target, ca: login.certificate, ...(token ? { token: async () => token } : {}) });

  const kept = await readFile(sessionFile, "utf8").catch(() => undefined);
  if (kept) {
    const channel = open(kept.trim());
    try {
      await channel.client(session.SessionServiceDefinition).getUserInfo({}, { timeout: 10_000 });
      return { api: channel.client(api.TiphysServiceDefinition), url: login.url, close: channel.close };
    } catch (error) {
      channel.close();
      if (codeOf(error) !== "Unauthenticated") throw unreachable(login.url, error);
    }
  }
  const anonymous = open(undefined);
  let token: string | undefined;
  try {
    ({ token } = await anonymous
      .client(session.SessionServiceDefinition)
      .create({ username: login.username, password: login.password }, { timeout: 10_000 }));
  } catch (error) {
    throw codeOf(error) === "Unavailable" ? unreachable(login.url, error) : error;
  } finally {
    anonymous.close();
  }
  await writeFile(sessionFile, `${token}\n`, { mode: 0o600 });
  await chmod(sessionFile, 0o600);
  const channel = open(token);
  return { api: channel.client(api.TiphysServiceDefinition), url: login.url, close: channel.close };
}

const unreachable = (url: string, cause: unknown): Error =>
  codeOf(cause) === "Unavailable" || codeOf(cause) === "DeadlineExceeded"
    ? new FailedPreconditionError(`no server answers at ${url}: start it with \`npm start\` or \`tiphys up\``, {
        cause,
      })
    : (cause as Error);

async function readLogin(dataFolder: string): Promise<Login> {
  const file = join(dataFolder, "login.json");
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw new FailedPreconditionError(
      `${file} is not there: start the server with \`npm start\`, or name its data folder with --data`,
      { cause },
    );
  }
  let login: Partial<Login>;
  try {
    login = JSON.parse(text);
  } catch (cause) {
    throw new InvalidArgumentError(file, `is not JSON; ${ANEW}`, { cause });
  }
  for (const field of ["url", "username", "password", "certificate"] as const) {
    if (typeof login?.[field] !== "string") throw new InvalidArgumentError(file, `has no text in "${field}"; ${ANEW}`);
  }
  if (!URL.canParse(login.url ?? "")) throw new InvalidArgumentError(file, `"url" is not a URL; ${ANEW}`);
  return login as Login;
}

const ANEW = "start the server again, it writes the file anew";
