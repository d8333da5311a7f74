import type { WholeUser } from "./impersonation.js";
import { serviceAccountGroups, serviceAccountUsername, splitUsername } from "./service-accounts.js";

/** Who issues tokens, and for whom, when nothing else is asked for. */
export const ISSUER = "https://kubernetes.default.svc";
const LEGACY_ISSUER = "kubernetes/serviceaccount";
const LEGACY = "kubernetes.io/serviceaccount";

/** How long a mounted token is said to live; it is good for a year, so that clients which never read it again still work. */
export const MOUNTED_TOKEN_SECONDS = 3607;
const EXTENDED_SECONDS = 365 * 24 * 3600;
/** Clocks differ, and objects linger while they are deleted: seconds of tolerance. */
const LEEWAY_SECONDS = 60;

interface Named {
  readonly name: string;
  readonly uid?: string;
}

export interface TokenSubject {
  readonly namespace: string;
  readonly account: Named;
  readonly pod?: Named;
  readonly node?: Named;
  readonly secret?: Named;
}

/** Claims of a token, as they stand in it. */
export interface Claims {
  readonly iss: string;
  readonly sub: string;
  readonly aud?: readonly string[];
  readonly exp?: number;
  readonly [claim: string]: unknown;
}

/** The claims of a bound token. `now` in seconds; `jti` is its id. */
export function boundClaims(
  subject: TokenSubject,
  options: {
    readonly audiences: readonly string[];
    readonly seconds: number;
    readonly now: number;
    readonly jti: string;
  },
): Claims {
  const { namespace, account, pod, node, secret } = subject;
  const { audiences, seconds, now, jti } = options;
  const extended = pod !== undefined && seconds === MOUNTED_TOKEN_SECONDS && audiences.every((one) => one === ISSUER);
  return {
    aud: audiences,
    exp: now + (extended ? EXTENDED_SECONDS : seconds),
    iat: now,
    iss: ISSUER,
    jti,
    "kubernetes.io": {
      namespace,
      ...(node ? { node } : {}),
      ...(pod ? { pod } : {}),
      ...(secret ? { secret } : {}),
      serviceaccount: account,
      ...(extended ? { warnafter: now + seconds } : {}),
    },
    nbf: now,
    sub: serviceAccountUsername(namespace, account.name),
  };
}

/** The claims of a token that lives in a Secret, as long as it. */
export const secretClaims = (namespace: string, account: Required<Named>, secret: string): Claims => ({
  iss: LEGACY_ISSUER,
  [`${LEGACY}/namespace`]: namespace,
  [`${LEGACY}/secret.name`]: secret,
  [`${LEGACY}/service-account.name`]: account.name,
  [`${LEGACY}/service-account.uid`]: account.uid,
  sub: serviceAccountUsername(namespace, account.name),
});

/** What the validity of a token hangs on beside its signature. */
export interface TokenWorld {
  /** Seconds. */
  readonly now: number;
  /** What is known of a living object; undefined: there is none. */
  find(
    resource: "serviceaccounts" | "pods" | "secrets" | "nodes",
    namespace: string | undefined,
    name: string,
  ): TokenWitness | undefined;
}

export interface TokenWitness {
  readonly uid: string;
  /** Seconds. */
  readonly deletedAt?: number;
  /** A Secret's own token. */
  readonly token?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Names of the Secrets that a service account lists. */
  readonly secrets?: readonly string[];
}

export type TokenVerdict = (
  | { readonly user: WholeUser; readonly audiences: readonly string[]; readonly warning?: string }
  | { readonly problem: string }
) & {
  /** The Secret that holds the token, and which the token has been used of, if only in vain. */
  readonly secret?: { readonly namespace: string; readonly name: string };
};

/** On a Secret: the day (UTC, `2006-01-02`) its token was last used. */
export const LAST_USED_LABEL = "kubernetes.io/legacy-token-last-used";
const INVALID_SINCE_LABEL = "kubernetes.io/legacy-token-invalid-since";
const AUTO_GENERATED =
  "Use tokens from the TokenRequest API or manually created secret-based tokens instead of auto-generated secret-based tokens.";

/** Whose token it is, if it is still good; `token` is its text. */
export function judgeClaims(claims: Claims, token: string, wanted: readonly string[], world: TokenWorld): TokenVerdict {
  return claims.iss === LEGACY_ISSUER ? judgeSecret(claims, token, wanted, world) : judgeBound(claims, wanted, world);
}

const INVALIDATED = { problem: "service account token has been invalidated" };

function judgeBound(claims: Claims, wanted: readonly string[], world: TokenWorld): TokenVerdict {
  const { aud = [], exp, nbf } = claims;
  const matching = aud.filter((audience) => wanted.includes(audience));
  if (matching.length === 0) {
    const list = (values: readonly string[]) => `[${values.map((value) => JSON.stringify(value)).join(" ")}]`;
    return { problem: `token audiences ${list(aud)} is invalid for the target audiences ${list(wanted)}` };
  }
  if (typeof exp === "number" && world.now > exp + LEEWAY_SECONDS)
    return { problem: "service account token has expired" };
  if (typeof nbf === "number" && world.now < nbf - LEEWAY_SECONDS) {
    return { problem: "service account token is not valid yet" };
  }
  const { namespace, serviceaccount, pod, secret, node } = claims["kubernetes.io"] as {
    readonly namespace: string;
    readonly serviceaccount: Required<Named>;
    readonly pod?: Named;
    readonly secret?: Named;
    readonly node?: Named;
  };
  const goneBefore = world.now - LEEWAY_SECONDS;
  const account = world.find("serviceaccounts", namespace, serviceaccount.name);
  if (!account) return { problem: `serviceaccounts "${serviceaccount.name}" not found` };
  if (account.uid !== serviceaccount.uid) {
    return { problem: `service account UID (${account.uid}) does not match claim (${serviceaccount.uid})` };
  }
  const bound = [
    ["pods", "pod", pod, namespace],
    ["secrets", "secret", secret, namespace],
    ["nodes", "node", pod ? undefined : node, undefined],
  ] as const;
  for (const [resource, word, reference, where] of bound) {
    if (!reference) continue;
    const found = world.find(resource, where, reference.name);
    if (!found || (found.deletedAt !== undefined && found.deletedAt < goneBefore)) return INVALIDATED;
    if (found.uid !== reference.uid) {
      const title = word === "pod" ? "pod" : word === "secret" ? "secret" : "node";
      return {
        problem: `${title} UID (${found.uid}) does not match service account ${word} ref claim (${reference.uid})`,
      };
    }
  }
  const extra = (key: string, value: string | undefined) =>
    value ? { [`authentication.kubernetes.io/${key}`]: [value] } : {};
  return {
    audiences: matching,
    user: {
      ...userOf(namespace, serviceaccount),
      extra: {
        ...extra("credential-id", typeof claims["jti"] === "string" ? `JTI=${claims["jti"]}` : undefined),
        ...extra("node-name", node?.name),
        ...extra("node-uid", node?.uid),
        ...extra("pod-name", pod?.name),
        ...extra("pod-uid", pod?.uid),
      },
    },
  };
}

function judgeSecret(claims: Claims, token: string, wanted: readonly string[], world: TokenWorld): TokenVerdict {
  const namespace = String(claims[`${LEGACY}/namespace`] ?? "");
  const name = String(claims[`${LEGACY}/service-account.name`] ?? "");
  const uid = String(claims[`${LEGACY}/service-account.uid`] ?? "");
  const secretName = String(claims[`${LEGACY}/secret.name`] ?? "");
  if (!wanted.includes(ISSUER)) {
    return { problem: `token audiences ["${ISSUER}"] is invalid for the target audiences ${JSON.stringify(wanted)}` };
  }
  const secret = world.find("secrets", namespace, secretName);
  if (!secret || secret.deletedAt !== undefined) return { problem: "Token has been invalidated" };
  if (secret.token !== token) return { problem: "Token does not match server's copy" };
  const account = world.find("serviceaccounts", namespace, name);
  if (!account) return { problem: `serviceaccounts "${name}" not found` };
  if (account.deletedAt !== undefined) return { problem: `ServiceAccount ${namespace}/${name} has been deleted` };
  if (account.uid !== uid) return { problem: `ServiceAccount UID (${account.uid}) does not match claim (${uid})` };
  const used = { secret: { namespace, name: secretName } };
  if (secret.labels?.[INVALID_SINCE_LABEL]) {
    return {
      ...used,
      problem: `the token in secret ${namespace}/${secretName} for service account ${namespace}/${name} has been marked invalid. Use tokens from the TokenRequest API or manually created secret-based tokens, or remove the '${INVALID_SINCE_LABEL}' label from the secret to temporarily allow use of this token`,
    };
  }
  const isListed = account.secrets?.includes(secretName);
  return {
    ...used,
    audiences: [ISSUER],
    user: userOf(namespace, { name, uid }),
    ...(isListed ? { warning: AUTO_GENERATED } : {}),
  };
}

/** The day to write on the Secret of a used token; undefined: what is there will do. A day ahead is another clock's today. */
export function lastUsedDay(labels: Readonly<Record<string, string>> | undefined, now: Date): string | undefined {
  const day = (date: Date) => date.toISOString().slice(0, 10);
  const today = day(now);
  const known = labels?.[LAST_USED_LABEL];
  return known === today || known === day(new Date(now.getTime() + 24 * 3600 * 1000)) ? undefined : today;
}

const userOf = (namespace: string, { name, uid }: Required<Named>): WholeUser => ({
  username: serviceAccountUsername(namespace, name),
  uid,
  groups: [...serviceAccountGroups(namespace), "system:authenticated"],
});

/** True when the claims have the form of a token of ours, so that nothing else is looked for in it. */
export function areClaims(value: unknown): value is Claims {
  const claims = value as Claims | null;
  if (claims === null || typeof claims !== "object" || typeof claims.sub !== "string") return false;
  if (splitUsername(claims.sub) === undefined) return false;
  if (claims.iss === LEGACY_ISSUER) return true;
  const own = claims["kubernetes.io"] as { serviceaccount?: { name?: unknown } } | undefined;
  return claims.iss === ISSUER && Array.isArray(claims.aud) && typeof own?.serviceaccount?.name === "string";
}
