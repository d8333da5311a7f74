import type { Clock } from "@tiphys/clock";
import { UnauthenticatedError } from "@tiphys/errors";
import { type Principal, servicePrincipal } from "@tiphys/identity";
import type { Secret } from "@tiphys/secret";
import { jwtVerify, SignJWT } from "jose";

const ISSUER = "tiphys";
const AUDIENCE = "tiphys-services";
/** Life of a token between services, in seconds; a new one is made at half of it. */
const LIFETIME_S = 600;

/** How services prove to each other who they are: short-lived tokens signed with the installation's internal key. */
export interface ServiceTokens {
  /** A token that says "I am `service`". */
  issue(service: string): Promise<string>;
  /** The service behind a token; throws Unauthenticated. */
  verify(token: string): Promise<Principal>;
}

export function createServiceTokens({ key, clock }: { key: Secret; clock: Clock }): ServiceTokens {
  const bytes = new TextEncoder().encode(key.reveal());
  const cache = new Map<string, { token: string; renewAt: number }>();
  return {
    async issue(service) {
      const now = clock.now().getTime();
      const cached = cache.get(service);
      if (cached && now < cached.renewAt) return cached.token;
      const seconds = Math.floor(now / 1000);
      const token = await new SignJWT({})
        .setProtectedHeader({ alg: "HS256" })
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setSubject(service)
        .setIssuedAt(seconds)
        .setExpirationTime(seconds + LIFETIME_S)
        .sign(bytes);
      cache.set(service, { token, renewAt: now + (LIFETIME_S * 1000) / 2 });
      return token;
    },
    async verify(token) {
      try {
        const { payload } = await jwtVerify(token, bytes, {
          issuer: ISSUER,
          audience: AUDIENCE,
          algorithms: ["HS256"],
          currentDate: clock.now(),
        });
        return servicePrincipal(payload.sub ?? "unknown");
      } catch (cause) {
        throw new UnauthenticatedError("the service token is missing, expired or signed with another key", { cause });
      }
    },
  };
}
