import { deepEqual } from "@tiphys/canonical-json";
import type { Principal } from "@tiphys/identity";
import { escalationProblem, type PolicyRule, type RoleRef } from "@tiphys/kube-access";
import type { KubeObject } from "@tiphys/resources";
import type { ServedKind } from "../api/kinds.js";
import { forbidden, notFound } from "../api/status.js";
import { type Access, isSuperuser } from "./access.js";

const GROUP = "rbac.authorization.k8s.io";
const EVERYTHING: readonly PolicyRule[] = [
  { verbs: ["*"], apiGroups: ["*"], resources: ["*"] },
  { verbs: ["*"], nonResourceURLs: ["*"] },
];

/** Refuses to grant, by a role or a binding, what the writer does not hold: else every writer of roles were an administrator. */
export function checkEscalation(
  access: Access,
  user: Principal,
  kind: ServedKind,
  object: KubeObject,
  old: KubeObject | undefined,
): void {
  if (kind.group !== GROUP || isSuperuser(user)) return;
  if (old && onlyCollected(object, old)) return;
  if (kind.resource === "roles" || kind.resource === "clusterroles") checkRole(access, user, kind, object, old);
  else checkBinding(access, user, kind, object);
}

function checkRole(access: Access, user: Principal, kind: ServedKind, object: KubeObject, old: KubeObject | undefined) {
  const { name } = object.metadata;
  const namespace = kind.namespaced ? (object.metadata.namespace ?? "") : "";
  // A creation asks without a name, as its URL has none.
  const asked = { verb: "escalate", group: GROUP, resource: kind.resource, namespace, name: old ? name : "" };
  if (access.decide(user, asked).allowed) return;
  const held = access.rulesFor(user, namespace);
  const problem = escalationProblem(user, held.rules, object["rules"] ?? [], held.errors);
  if (problem) throw forbidden(kind, name, problem);
  if (!aggregates(object) && !(old && aggregates(old))) return;
  if (escalationProblem(user, held.rules, EVERYTHING)) {
    throw forbidden(kind, name, "must have cluster-admin privileges to use the aggregationRule");
  }
}

const aggregates = (role: KubeObject): boolean => (role["aggregationRule"]?.clusterRoleSelectors ?? []).length > 0;

function checkBinding(access: Access, user: Principal, kind: ServedKind, object: KubeObject): void {
  const { name } = object.metadata;
  const namespace = kind.namespaced ? (object.metadata.namespace ?? "") : "";
  const ref: RoleRef = { kind: "", name: "", ...object["roleRef"] };
  const resource = ref.kind === "ClusterRole" ? "clusterroles" : "roles";
  if (access.decide(user, { verb: "bind", group: GROUP, resource, namespace, name: ref.name }).allowed) return;
  const rules = access.resolve(ref, kind.namespaced ? namespace : undefined);
  if (typeof rules === "string") throw notFound(kind, ref.name);
  const held = access.rulesFor(user, namespace);
  const problem = escalationProblem(user, held.rules, rules, held.errors);
  if (problem) throw forbidden(kind, name, problem);
}

/** Owners and finalizers may be changed by whoever may write: the garbage collector has to. */
function onlyCollected(next: KubeObject, old: KubeObject): boolean {
  const rest = ({ metadata, ...object }: KubeObject) => {
    const { ownerReferences: _o, finalizers: _f, managedFields: _m, ...kept } = metadata;
    return { ...object, metadata: kept };
  };
  return deepEqual(rest(next), rest(old));
}
