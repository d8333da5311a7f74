import type { Principal } from "@tiphys/identity";
import { type KubeApiError, statusError } from "@tiphys/kube";
import {
  AccessIndex,
  type Attributes,
  authorizeNode,
  bootstrapPolicy,
  type Decision,
  type HeldRules,
  isPath,
  nodeNameOf,
  type PolicyRule,
  type ResourceAttributes,
  type RoleRef,
  refusal,
} from "@tiphys/kube-access";
import type { KubeObject } from "@tiphys/resources";
import { forbidden } from "../api/status.js";
import type { Change, Store } from "../store/store.js";

const GROUP = "rbac.authorization.k8s.io";
const ROLES = [`${GROUP}/roles`, `${GROUP}/clusterroles`];
const BINDINGS = [`${GROUP}/rolebindings`, `${GROUP}/clusterrolebindings`];
/** Members may do everything, whatever roles say: the way back in when roles are lost. */
const SUPERUSERS = "system:masters";

let ofNodes: readonly PolicyRule[] | undefined;
/** What every kubelet may do beside what concerns its own pods. */
function nodeRules(): readonly PolicyRule[] {
  ofNodes ??= bootstrapPolicy().find(
    ({ kind, metadata }) => kind === "ClusterRole" && metadata.name === "system:node",
  )?.["rules"] as PolicyRule[];
  return ofNodes;
}

const ALLOWED: Decision = { allowed: true, reason: "" };

/** Who may do what, by the roles and bindings in the store at this moment. */
export class Access {
  private readonly index = new AccessIndex();
  /** Changes with every change of a role or binding: what was decided before may be otherwise now. */
  generation = 0;
  private readonly unobserve: () => void;

  constructor(private readonly store: Store) {
    for (const collection of [...ROLES, ...BINDINGS]) {
      for (const key of store.keys(collection)) this.set(collection, store.byKey(collection, key) as KubeObject);
    }
    this.unobserve = store.observe((change) => this.changed(change));
  }

  stop(): void {
    this.unobserve();
  }

  decide(user: Principal, attributes: Attributes): Decision {
    if (isSuperuser(user)) return ALLOWED;
    const node = nodeNameOf(user);
    if (node === undefined) return this.index.authorize(user, attributes);
    const asNode = authorizeNode(node, attributes, this.podsOfNode, nodeRules());
    if (asNode.allowed) return asNode;
    const byRoles = this.index.authorize(user, attributes);
    if (byRoles.allowed) return byRoles;
    return { allowed: false, reason: [asNode.reason, byRoles.reason].filter(Boolean).join("\n") };
  }

  private readonly podsOfNode = (node: string, namespace: string): readonly KubeObject[] =>
    this.store.keys("/pods", namespace).flatMap((key) => {
      const pod = this.store.byKey("/pods", key);
      return pod?.["spec"]?.nodeName === node ? [pod] : [];
    });

  /** Throws the 403 that says who may not do what. */
  check(user: Principal, attributes: Attributes): void {
    if (isSuperuser(user) || this.index.allows(user, attributes)) return;
    const decision = this.decide(user, attributes);
    if (!decision.allowed) throw refused(user, attributes, decision.reason);
  }

  /** Whether roles allow it whatever the object's name, so that the answer holds for all names until `generation` changes. */
  allowsAnyName(user: Principal, attributes: ResourceAttributes): boolean {
    return this.index.allows(user, { ...attributes, name: "" });
  }

  rulesFor(user: Principal, namespace: string): HeldRules {
    return this.index.rulesFor(user, namespace);
  }

  /** The rules of a referred role, or why there are none. */
  resolve(ref: RoleRef, namespace: string | undefined) {
    return this.index.resolve(ref, namespace);
  }

  private changed({ type, collection, object }: Change): void {
    if (!collection.startsWith(GROUP)) return;
    this.generation++;
    if (type === "DELETED") this.unset(collection, object);
    else this.set(collection, object);
  }

  private set(collection: string, object: KubeObject): void {
    const { namespace, name } = object.metadata;
    if (ROLES.includes(collection)) this.index.setRole(namespace, name, object["rules"] ?? []);
    else if (BINDINGS.includes(collection)) {
      this.index.setBinding(namespace, name, { roleRef: object["roleRef"], subjects: object["subjects"] ?? [] });
    }
  }

  private unset(collection: string, { metadata: { namespace, name } }: KubeObject): void {
    if (ROLES.includes(collection)) this.index.setRole(namespace, name, undefined);
    else if (BINDINGS.includes(collection)) this.index.setBinding(namespace, name, undefined);
  }
}

export const isSuperuser = ({ groups }: Principal): boolean => groups.includes(SUPERUSERS);

export function refused({ username }: Principal, attributes: Attributes, reason: string): KubeApiError {
  const problem = refusal(username, attributes, reason);
  if (isPath(attributes)) return statusError(403, "Forbidden", `forbidden: ${problem}`, {});
  const { group, resource, name = "" } = attributes;
  return forbidden({ group, resource, kind: resource }, name, problem);
}
