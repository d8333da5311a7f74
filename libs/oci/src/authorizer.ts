import type { Clock } from "@tiphys/clock";
import type { Dialer } from "@tiphys/dialer";
import { PermissionDeniedError, UnavailableError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import type { Credential } from "./credentials.js";
import { type Endpoint, isLoopback } from "./registry-settings.js";

export interface Challenge {
  readonly scheme: "basic" | "bearer";
  readonly parameters: Readonly<Record<string, string>>;
}

/** Reads a `WWW-Authenticate` header with one or several challenges. */
export function parseChallenges(header: string): readonly Challenge[] {
  const found: Challenge[] = [];
  let current: { scheme: string; parameters: Record<string, string> } | undefined;
  const token = /([A-Za-z0-9!#$%&'*+.^_`|~-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?\s*,?\s*/y;
  const text = header.slice(0, 8192).trim();
  for (token.lastIndex = 0; token.lastIndex < text.length; ) {
    const match = token.exec(text);
    if (!match) break;
    const [, name = "", quoted, plain] = match;
    if (quoted === undefined && plain === undefined) {
      current = { scheme: name.toLowerCase(), parameters: {} };
      if (current.scheme === "basic" || current.scheme === "bearer") found.push(current as Challenge);
    } else if (current) current.parameters[name.toLowerCase()] = quoted?.replace(/\\(.)/g, "$1") ?? plain ?? "";
  }
  return found;
}

const TOKEN_BYTES = 256 * 1024;
/** Tokens without a lifetime live this long, by the specification. */
const DEFAULT_SECONDS = 60;
/** A token is renewed this long before its end. */
const MARGIN_MS = 5000;
const MAX_TOKENS = 1000;

export interface AuthorizerDeps {
  readonly dialer: Dialer;
  readonly clock: Clock;
}

/** Answers registries' challenges: Basic, and Bearer tokens from the service that the challenge names. */
export function createAuthorizer({ dialer, clock }: AuthorizerDeps) {
  const tokens = new Map<string, { header: string; until: number }>();
  const scopes = new Map<string, Challenge>();

  const basic = ({ username, password }: Credential) =>
    `Basic ${Buffer.from(`${username}:${password.reveal()}`).toString("base64")}`;

  const keyOf = (endpoint: Endpoint, scope: string, credential: Credential | undefined) =>
    JSON.stringify([endpoint.base, scope, credential?.username ?? null, credential ? identityOf(credential) : 0]);
  // Two credentials of one user name are two: told apart without keeping what is secret in a key.
  const identities = new WeakMap<Credential, number>();
  let nextIdentity = 1;
  function identityOf(credential: Credential): number {
    let id = identities.get(credential);
    if (id === undefined) {
      id = nextIdentity++;
      identities.set(credential, id);
    }
    return id;
  }

  async function fetchToken(
    endpoint: Endpoint,
    challenge: Challenge,
    scope: string,
    credential: Credential | undefined,
    signal: AbortSignal | undefined,
  ): Promise<{ header: string; until: number }> {
    const realm = challenge.parameters["realm"] ?? "";
    let url: URL;
    try {
      url = new URL(realm);
    } catch {
      throw new UnavailableError(`registry ${endpoint.host} names no usable token service`);
    }
    if (url.protocol === "http:" && !isLoopback(url.host) && !endpoint.settings.plainHttp) {
      throw new PermissionDeniedError(
        `registry ${endpoint.host} names a token service without TLS (${url.host}): nothing is sent there`,
      );
    }
    const service = challenge.parameters["service"];
    const refresh = credential?.identityToken;
    const fields = new URLSearchParams();
    if (service) fields.set("service", service);
    for (const one of scope.split(" ")) if (one) fields.append("scope", one);
    const { ca, insecureSkipVerify, refuseLoopback } = endpoint.settings;
    const common = {
      purpose: "oci/token",
      timeout: limits.ociRequestMilliseconds,
      maxBytes: TOKEN_BYTES,
      ...(ca ? { ca } : {}),
      ...(insecureSkipVerify ? { insecureSkipVerify } : {}),
      ...(refuseLoopback ? { refuseLoopback } : {}),
      ...(signal ? { signal } : {}),
    };
    let response: Awaited<ReturnType<Dialer["fetch"]>>;
    if (refresh) {
      fields.set("scope", scope);
      fields.set("grant_type", "refresh_token");
      fields.set("client_id", "tiphys");
      fields.set("refresh_token", refresh.reveal());
      response = await dialer.fetch({
        ...common,
        url: url.href,
        method: "POST",
        headers: { "content-type": "application/x-www-form-urlencoded" },
        body: fields.toString(),
      });
    } else {
      if (credential?.username) fields.set("account", credential.username);
      for (const [name, value] of fields) url.searchParams.append(name, value);
      response = await dialer.fetch({
        ...common,
        url: url.href,
        headers: credential ? { authorization: basic(credential) } : {},
      });
    }
    if (response.status === 401 || response.status === 403) {
      throw new PermissionDeniedError(
        `failed to authorize: failed to fetch ${credential ? "oauth" : "anonymous"} token: unexpected status from ${url.host}: ${response.status}`,
      );
    }
    if (response.status !== 200) {
      throw new UnavailableError(`failed to fetch a token: unexpected status from ${url.host}: ${response.status}`);
    }
    const body = JSON.parse(Buffer.from(response.body).toString("utf8")) as Record<string, unknown>;
    const token = body["token"] ?? body["access_token"];
    if (typeof token !== "string" || token === "") throw new UnavailableError(`${url.host} answered without a token`);
    const seconds = typeof body["expires_in"] === "number" ? body["expires_in"] : DEFAULT_SECONDS;
    return {
      header: `Bearer ${token}`,
      until: clock.monotonic() + Math.max(seconds, DEFAULT_SECONDS) * 1000 - MARGIN_MS,
    };
  }

  return {
    /** The header for a first try, when an earlier challenge of this scope is known. */
    async header(
      endpoint: Endpoint,
      scope: string,
      credential: Credential | undefined,
      signal?: AbortSignal,
    ): Promise<string | undefined> {
      if (credential?.registryToken) return `Bearer ${credential.registryToken.reveal()}`;
      const known = scopes.get(endpoint.base);
      if (!known) return undefined;
      return this.answer(endpoint, known, scope, credential, signal);
    },
    /** The header that answers a challenge, or undefined when there is nothing to answer with. */
    async answer(
      endpoint: Endpoint,
      challenge: Challenge,
      scope: string,
      credential: Credential | undefined,
      signal?: AbortSignal,
    ): Promise<string | undefined> {
      scopes.set(endpoint.base, challenge);
      if (challenge.scheme === "basic") return credential ? basic(credential) : undefined;
      const key = keyOf(endpoint, scope, credential);
      const old = tokens.get(key);
      if (old && old.until > clock.monotonic()) return old.header;
      const token = await fetchToken(endpoint, challenge, scope, credential, signal);
      if (tokens.size >= MAX_TOKENS) tokens.delete(tokens.keys().next().value!);
      tokens.set(key, token);
      return token.header;
    },
    /** What the registry refused is not used again. */
    forget(endpoint: Endpoint, scope: string, credential: Credential | undefined): void {
      tokens.delete(keyOf(endpoint, scope, credential));
    },
  };
}

/** The best challenge that can be answered: a token before a password. */
export function chooseChallenge(header: string | undefined): Challenge | undefined {
  const all = parseChallenges(header ?? "");
  return all.find(({ scheme }) => scheme === "bearer") ?? all[0];
}
