import type { Clock } from "@tiphys/clock";
import type { Principal, RandomBytes } from "@tiphys/identity";
import {
  areClaims,
  boundClaims,
  type Claims,
  ISSUER,
  judgeClaims,
  secretClaims,
  type TokenSubject,
} from "@tiphys/kube-access";
import type { KubeObject } from "@tiphys/resources";
import { uuid } from "../api/names.js";
import type { Store } from "../store/store.js";
import type { TokenKey } from "./token-key.js";

/** Whose token it is; undefined: nobody's, and `problem` may say why. */
export type Authenticate = (token: string, audiences?: readonly string[]) => TokenAnswer | undefined;

export interface TokenAnswer {
  readonly user?: Principal;
  readonly audiences?: readonly string[];
  readonly problem?: string;
  /** For whoever holds the token. */
  readonly warning?: string;
}

/** Longest token that is looked at. */
const TOKEN_BYTES = 16 * 1024;
/** Verified signatures that are remembered: a check costs more than a request for a small object. */
const REMEMBERED = 2000;
const HOME = [ISSUER];

/** Tokens of this API server: those it was given with their holders, and those it signs for service accounts. */
export class Tokens {
  private readonly fixed = new Map<string, Principal>();
  private readonly verified = new Map<string, Claims>();
  /** Told of every use of a token that is kept in a Secret. */
  onSecretUsed: (namespace: string, name: string) => void = () => undefined;

  constructor(
    private readonly parts: { readonly store: Store; readonly clock: Clock; readonly random: RandomBytes },
    private readonly key: TokenKey,
  ) {}

  /** A token that is good as long as this process. */
  fix(token: string, holder: Principal): void {
    this.fixed.set(token, holder);
  }

  get jwk(): TokenKey["jwk"] {
    return this.key.jwk;
  }

  /** Signs a token that is bound to its subject. */
  issue(subject: TokenSubject, audiences: readonly string[], seconds: number): string {
    const now = Math.floor(this.parts.clock.now().getTime() / 1000);
    const aud = audiences.length > 0 ? audiences : HOME;
    return this.key.sign(boundClaims(subject, { audiences: aud, seconds, now, jti: uuid(this.parts.random) }));
  }

  /** Signs the token that is kept in a Secret of type kubernetes.io/service-account-token. */
  issueForSecret(account: KubeObject, secret: string): string {
    const { namespace = "", name, uid = "" } = account.metadata;
    return this.key.sign(secretClaims(namespace, { name, uid }, secret));
  }

  readonly authenticate: Authenticate = (token, audiences = HOME) => {
    const holder = this.fixed.get(token);
    if (holder) {
      const matching = HOME.filter((audience) => audiences.includes(audience));
      return matching.length > 0 ? { user: holder, audiences: matching } : {};
    }
    const claims = this.claimsOf(token);
    if (!claims) return undefined;
    const { store, clock } = this.parts;
    const verdict = judgeClaims(claims, token, audiences, {
      now: clock.now().getTime() / 1000,
      find(resource, namespace, name) {
        const found = store.get(`/${resource}`, namespace, name);
        if (!found) return undefined;
        const { uid = "", deletionTimestamp } = found.metadata;
        const stored = resource === "secrets" ? found["data"]?.token : undefined;
        const listed =
          resource === "serviceaccounts" ? (found["secrets"] as { name?: string }[] | undefined) : undefined;
        return {
          uid,
          ...(resource === "secrets" && found.metadata.labels ? { labels: found.metadata.labels } : {}),
          ...(listed ? { secrets: listed.flatMap((one) => one.name ?? []) } : {}),
          ...(deletionTimestamp ? { deletedAt: Date.parse(deletionTimestamp) / 1000 } : {}),
          ...(typeof stored === "string" ? { token: Buffer.from(stored, "base64").toString() } : {}),
        };
      },
    });
    if (verdict.secret) this.onSecretUsed(verdict.secret.namespace, verdict.secret.name);
    return verdict;
  };

  private claimsOf(token: string): Claims | undefined {
    const known = this.verified.get(token);
    if (known) return known;
    if (token.length > TOKEN_BYTES) return undefined;
    const claims = this.key.verify(token);
    if (!areClaims(claims)) return undefined;
    if (this.verified.size >= REMEMBERED) this.verified.delete(this.verified.keys().next().value ?? "");
    this.verified.set(token, claims);
    return claims;
  }
}
