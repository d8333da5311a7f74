import type { Clock } from "@tiphys/clock";
import type { Dialer } from "@tiphys/dialer";
import {
  InvalidArgumentError,
  NotFoundError,
  PermissionDeniedError,
  UnauthenticatedError,
  UnavailableError,
} from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import { Secret } from "@tiphys/secret";
import type { ReadOptions, SecretPlace, SecretProvider } from "./secret-provider.js";
import type { VaultSettings } from "./vault-settings.js";

export interface VaultDeps {
  readonly dialer: Dialer;
  readonly clock: Clock;
  /** Reads the token of our ServiceAccount; absent: there is none. */
  readonly readFile?: (path: string) => Promise<string>;
}

interface Token {
  readonly value: Secret;
  /** By the clock's monotonic milliseconds; absent: it does not end. */
  readonly until?: number;
}

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

type Held = Readonly<Record<string, unknown>>;

/** A new token is got when this part of the old one's life is over. */
const RENEW_AT = 0.7;

/** Vault and OpenBao over their HTTP API. One token serves all reads; what was read is kept for who takes it that old. */
export function createVaultProvider(settings: VaultSettings, deps: VaultDeps): SecretProvider {
  const { dialer, clock } = deps;
  const { address, login } = settings;
  const kept = new Map<string, { readonly at: number; readonly read: Promise<Secret> }>();
  let token: Promise<Token> | undefined;

  async function ask(method: "GET" | "POST", path: string, rest: { body?: object; token?: Secret }): Promise<Answer> {
    const { body, token } = rest;
    const response = await dialer.fetch({
      purpose: "secret-provider/vault",
      url: `${address}/v1/${path}`,
      method,
      headers: {
        "user-agent": "tiphys",
        "x-vault-request": "true",
        ...(body ? { "content-type": "application/json" } : {}),
        ...(token ? { "x-vault-token": token.reveal() } : {}),
        ...(settings.namespace ? { "x-vault-namespace": settings.namespace } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
      timeout: limits.secretMilliseconds,
      maxBytes: limits.secretBytes,
      // A token is for this server alone.
      stay: true,
      ...(settings.ca ? { ca: settings.ca } : {}),
      ...(settings.skipVerify ? { insecureSkipVerify: true } : {}),
    });
    const { status } = response;
    if (status >= 300 && status < 400) {
      throw new UnavailableError(
        `${address} redirects elsewhere, which is not followed: VAULT_ADDR must name the active node`,
      );
    }
    if (status >= 500 || status === 429) throw new UnavailableError(`${address} answered ${path} with ${status}`);
    let parsed: unknown;
    try {
      parsed = response.body.length === 0 ? {} : JSON.parse(Buffer.from(response.body).toString("utf8"));
    } catch {
      throw new UnavailableError(`the answer of ${address} to ${path} is not JSON (${status})`);
    }
    return { status, body: isMap(parsed) ? parsed : {} };
  }

  async function loggedIn(): Promise<Token> {
    if (login.kind === "token") return { value: login.token };
    const body =
      login.kind === "kubernetes"
        ? { role: login.role, jwt: await serviceAccountToken(login.tokenFile) }
        : Object.fromEntries(Object.entries(login.body).map(([name, value]) => [name, value.reveal()]));
    const at = clock.monotonic();
    const answer = await ask("POST", login.path, { body });
    const auth = answer.body["auth"];
    const value = isMap(auth) ? auth["client_token"] : undefined;
    if (answer.status !== 200 || typeof value !== "string" || !isMap(auth)) {
      throw new UnauthenticatedError(
        `${address} refuses the login at ${login.path} (${answer.status})${reasons(answer)}`,
      );
    }
    const seconds = Number(auth["lease_duration"] ?? 0);
    return { value: new Secret(value), ...(seconds > 0 ? { until: at + seconds * 1000 * RENEW_AT } : {}) };
  }

  async function serviceAccountToken(path: string): Promise<string> {
    try {
      if (deps.readFile) return (await deps.readFile(path)).trim();
    } catch (cause) {
      throw new UnauthenticatedError(`the ServiceAccount's token cannot be read from ${path}`, { cause });
    }
    throw new UnauthenticatedError("AVP_AUTH_TYPE k8s needs a ServiceAccount, and this process runs as none");
  }

  /** A token that is good, and another one than `stale`; those who ask at the same time share it. */
  async function currentToken(stale?: Secret): Promise<Secret> {
    const mine = token;
    const known = await mine?.catch(() => undefined);
    const ended = known?.until !== undefined && clock.monotonic() >= known.until;
    if (token === mine && (!known || known.value === stale || ended)) token = loggedIn();
    return (await (token as Promise<Token>)).value;
  }

  async function read({ path, version, engine = settings.engine }: SecretPlace): Promise<Held> {
    const shown = `${path}${version === undefined ? "" : ` in version ${version}`}`;
    if (engine !== "1" && engine !== "2") {
      throw new InvalidArgumentError("", `${shown}: there is no version ${engine} of Vault's KV engine`);
    }
    const parts = path.replace(/^\/+/, "").split("/");
    if (parts.some((part) => part === "." || part === "..")) {
      throw new InvalidArgumentError("", `${shown}: the path must not have . or .. in it`);
    }
    const query = version === undefined ? "" : `?version=${encodeURIComponent(version)}`;
    const place = `${parts.map(encodeURIComponent).join("/")}${query}`;
    const token = await currentToken();
    let answer = await ask("GET", place, { token });
    // The token may have been revoked; another one is asked for once.
    if (answer.status === 403 && login.kind !== "token") {
      answer = await ask("GET", place, { token: await currentToken(token) });
    }
    const hint =
      engine === "2" && parts[1] !== "data" ? ": paths of version 2 have /data/ after the engine's name" : "";
    const { data } = answer.body;
    if (answer.status === 403) throw new PermissionDeniedError(`${address} refuses ${shown}${reasons(answer)}`);
    if (answer.status === 404) throw new NotFoundError(`${address} has no ${shown}${hint}`);
    if (answer.status !== 200 || !isMap(data)) {
      throw new InvalidArgumentError("", `${address} answered ${shown} with ${answer.status}${reasons(answer)}`);
    }
    if (engine === "1") return data;
    const inner = data["data"];
    if (inner === null) throw new NotFoundError(`${address} has no ${shown}: it was deleted`);
    if (!isMap(inner)) throw new InvalidArgumentError("", `${address} has no data of version 2 at ${shown}${hint}`);
    return inner;
  }

  return {
    async read(place, { maxAge, signal }: ReadOptions) {
      signal?.throwIfAborted();
      const key = JSON.stringify([place.path, place.version, place.engine]);
      const known = kept.get(key);
      if (known && maxAge > 0 && clock.monotonic() - known.at <= maxAge) {
        return JSON.parse((await known.read).reveal()) as Held;
      }
      const found = clock.track(read(place)).then((held) => new Secret(JSON.stringify(held)));
      kept.delete(key);
      kept.set(key, { at: clock.monotonic(), read: found });
      found.catch(() => {
        if (kept.get(key)?.read === found) kept.delete(key);
      });
      for (const oldest of kept.keys()) {
        if (kept.size <= limits.secretsKept) break;
        kept.delete(oldest);
      }
      return JSON.parse((await found).reveal()) as Held;
    },
  };
}

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const MOST_REASON = 200;

/** What Vault says is wrong: of permissions and paths, never of values. */
function reasons({ body }: Answer): string {
  const errors = body["errors"];
  const text = Array.isArray(errors) ? errors.filter((each) => typeof each === "string").join("; ") : "";
  return text === "" ? "" : `: ${text.replace(/\s+/g, " ").trim().slice(0, MOST_REASON)}`;
}
