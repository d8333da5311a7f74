import { createHash, createPrivateKey, type KeyObject, sign } from "node:crypto";
import type { Clock } from "@tiphys/clock";
import type { Dialer } from "@tiphys/dialer";
import {
  InvalidArgumentError,
  NotFoundError,
  UnauthenticatedError,
  UnavailableError,
  UnimplementedError,
} from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import { Secret } from "@tiphys/secret";
import type { GithubApp, RepositoryCredentials } from "./credentials.js";
import { endpointOf, redactUrl } from "./url.js";

const GITHUB = "https://api.github.com";
const LARGEST = 4 * 1024 * 1024;
const PAGE = 100;
const PAGES = 50;
/** A token is not used in its last minutes: a fetch may begin with it and last (milliseconds). */
const MARGIN = 300_000;
/** The longest that GitHub takes is ten minutes; clocks differ (seconds). */
const JWT_SECONDS = 480;
const SKEW_SECONDS = 60;
const TOKENS_KEPT = 500;

export interface GithubAppsOptions {
  readonly dialer: Dialer;
  readonly clock: Clock;
}

/** Tokens of installations of GitHub Apps, each kept until shortly before it ends. */
export interface GithubApps {
  token(app: GithubApp, url: string, credentials: RepositoryCredentials): Promise<Secret>;
}

interface Token {
  readonly secret: Secret;
  readonly expiresAt: number;
}

export function createGithubApps({ dialer, clock }: GithubAppsOptions): GithubApps {
  const tokens = new Map<string, Promise<Token>>();
  const installations = new Map<string, Promise<string>>();

  const keep = <T>(map: Map<string, Promise<T>>, key: string, value: Promise<T>): Promise<T> => {
    map.delete(key);
    map.set(key, value);
    if (map.size > TOKENS_KEPT) map.delete(map.keys().next().value as string);
    value.catch(() => {
      if (map.get(key) === value) map.delete(key);
    });
    return value;
  };

  function jwt({ id, privateKey }: GithubApp): string {
    let key: KeyObject;
    try {
      key = createPrivateKey(privateKey.reveal());
    } catch {
      // The cause could show the key.
      throw new InvalidArgumentError("githubAppPrivateKey", "is not a private key in PEM");
    }
    if (key.asymmetricKeyType !== "rsa") throw new InvalidArgumentError("githubAppPrivateKey", "is not an RSA key");
    const now = Math.floor(clock.now().getTime() / 1000);
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const said = `${part({ alg: "RS256", typ: "JWT" })}.${part({ iat: now - SKEW_SECONDS, exp: now + JWT_SECONDS, iss: id })}`;
    return `${said}.${sign("sha256", Buffer.from(said), key).toString("base64url")}`;
  }

  async function ask(
    app: GithubApp,
    method: string,
    path: string,
    credentials: RepositoryCredentials,
  ): Promise<unknown> {
    const api = (app.baseUrl || GITHUB).replace(/\/+$/, "");
    const response = await dialer.fetch({
      purpose: "git/github-app",
      url: api + path,
      method,
      headers: {
        accept: "application/vnd.github+json",
        authorization: `Bearer ${jwt(app)}`,
        "user-agent": "tiphys",
        "x-github-api-version": "2022-11-28",
      },
      timeout: limits.gitRefsMilliseconds,
      maxBytes: LARGEST,
      ...(credentials.insecure ? { insecureSkipVerify: true } : {}),
      ...(credentials.ca ? { ca: credentials.ca } : {}),
    });
    const where = `GitHub App ${app.id} at ${redactUrl(api)}`;
    if (response.status === 401 || response.status === 403) {
      throw new UnauthenticatedError(
        `${where} was refused (${response.status}): check githubAppID and githubAppPrivateKey`,
      );
    }
    if (response.status === 404)
      throw new NotFoundError(`${where} has no ${path.split("?")[0]}: check githubAppInstallationID`);
    if (response.status < 200 || response.status > 299) {
      throw new UnavailableError(`${where} was answered with ${response.status}`);
    }
    try {
      return JSON.parse(Buffer.from(response.body).toString("utf8"));
    } catch (cause) {
      throw new UnavailableError(`${where} was answered with what is no JSON`, { cause });
    }
  }

  /** The installation of an App in the organization that a repository is of. */
  async function discover(app: GithubApp, url: string, credentials: RepositoryCredentials): Promise<string> {
    const organization = new URL(url).pathname.split("/")[1] ?? "";
    for (let page = 1; page <= PAGES; page++) {
      const found = (await ask(app, "GET", `/app/installations?per_page=${PAGE}&page=${page}`, credentials)) as {
        id?: unknown;
        account?: { login?: string };
      }[];
      if (!Array.isArray(found)) break;
      const one = found.find(({ account }) => account?.login?.toLowerCase() === organization.toLowerCase());
      if (one) return String(one.id);
      if (found.length < PAGE) break;
    }
    throw new NotFoundError(`GitHub App ${app.id} is not installed in ${organization}: give githubAppInstallationID`);
  }

  async function fresh(app: GithubApp, url: string, credentials: RepositoryCredentials): Promise<Token> {
    let id = app.installationId;
    if (!id) {
      const key = [app.baseUrl, app.id, endpointOf(url)?.host, new URL(url).pathname.split("/")[1]].join(" ");
      id = await (installations.get(key) ?? keep(installations, key, discover(app, url, credentials)));
    }
    if (!/^\d+$/.test(id)) throw new InvalidArgumentError("githubAppInstallationID", "is not a number");
    const { token, expires_at: expires } = (await ask(
      app,
      "POST",
      `/app/installations/${id}/access_tokens`,
      credentials,
    )) as {
      token?: string;
      expires_at?: string;
    };
    const expiresAt = Date.parse(expires ?? "");
    if (!token || Number.isNaN(expiresAt)) throw new UnavailableError(`GitHub App ${app.id} was given no token`);
    return { secret: new Secret(token), expiresAt };
  }

  return {
    async token(app, url, credentials) {
      if (!/^https?:/.test(url))
        throw new UnimplementedError(`githubAppID for a repository that is not at https (${redactUrl(url)})`);
      if (credentials.proxy) throw new UnimplementedError(`githubAppID together with proxy (${redactUrl(url)})`);
      const { id, installationId = "", baseUrl = "", privateKey } = app;
      const organization = installationId ? "" : new URL(url).pathname.split("/")[1];
      // Another key is another asker: it must show by itself that it may.
      const asker = createHash("sha256").update(privateKey.reveal()).digest("hex");
      const key = [baseUrl, id, installationId, organization, asker].join(" ");
      const before = tokens.get(key);
      const known = await before?.catch(() => undefined);
      if (known && known.expiresAt - MARGIN > clock.now().getTime()) return known.secret;
      if (tokens.get(key) === before) tokens.delete(key);
      // Whoever comes while it is asked for shares the answer.
      const running = tokens.get(key) ?? keep(tokens, key, clock.track(fresh(app, url, credentials)));
      return (await running).secret;
    },
  };
}
