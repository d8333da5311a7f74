import type { Principal } from "@tiphys/identity";
import type { KubeObject } from "@tiphys/resources";
import type { ServedKind } from "./kinds.js";
import { unimplemented } from "./status.js";

/** How a bearer token is known. */
export type Authenticate = (token: string) => Principal | undefined;

const userInfo = ({ username, groups, uid, extra }: Principal) => ({
  username,
  ...(uid ? { uid } : {}),
  groups: [...groups],
  ...(extra ? { extra } : {}),
});

/** Roles are stored but not enforced yet, so the honest answer is what really happens: whoever is known may do it. */
const mayDoIt = (groups: readonly string[]): { allowed: boolean; reason: string } =>
  groups.includes("system:unauthenticated")
    ? { allowed: false, reason: "anonymous requests are refused" }
    : { allowed: true, reason: "the embedded API server does not enforce RBAC yet" };

/** Kinds that are questions: created, answered, never stored. Undefined when the kind is no question. */
export function review(
  kind: ServedKind,
  body: KubeObject,
  principal: Principal,
  authenticate: Authenticate,
): KubeObject | undefined {
  const answer = (status: object): KubeObject => ({ ...body, metadata: { ...body.metadata }, status });
  switch (kind.collection) {
    case "authentication.k8s.io/tokenreviews": {
      const user = authenticate(String(body["spec"]?.token ?? ""));
      return answer(user ? { authenticated: true, user: userInfo(user) } : { authenticated: false, user: {} });
    }
    case "authentication.k8s.io/selfsubjectreviews":
      return answer({ userInfo: userInfo(principal) });
    case "authorization.k8s.io/selfsubjectaccessreviews":
      return answer(mayDoIt(principal.groups));
    case "authorization.k8s.io/subjectaccessreviews":
    case "authorization.k8s.io/localsubjectaccessreviews":
      return answer(mayDoIt(body["spec"]?.groups ?? []));
    case "authorization.k8s.io/selfsubjectrulesreviews":
      throw unimplemented("SelfSubjectRulesReview");
    default:
      return undefined;
  }
}
