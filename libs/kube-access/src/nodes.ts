import type { KubeObject } from "@tiphys/resources";
import type { Decision, User } from "./access-index.js";
import { type Attributes, isPath, type PolicyRule, type ResourceAttributes, ruleAllows } from "./rules.js";

const NODES_GROUP = "system:nodes";
const USERNAME = "system:node:";
const LEASE_NAMESPACE = "kube-node-lease";
const MIRROR = "kubernetes.io/config.mirror";

/** The node a user is; undefined: the user is no node. */
export const nodeNameOf = ({ username, groups }: User): string | undefined =>
  groups.includes(NODES_GROUP) && username.startsWith(USERNAME) ? username.slice(USERNAME.length) : undefined;

/** The pods bound to `node` in one namespace. */
export type PodsOfNode = (node: string, namespace: string) => readonly KubeObject[];

const ALLOWED: Decision = { allowed: true, reason: "" };
const denied = (reason = ""): Decision => ({ allowed: false, reason });

/** What a kubelet may do: what concerns its node and the pods on it. Beside it, roles may allow more. */
export function authorizeNode(
  node: string,
  attributes: Attributes,
  pods: PodsOfNode,
  nodeRules: readonly PolicyRule[],
): Decision {
  if (!isPath(attributes)) {
    const decide = deciders[`${attributes.group}/${attributes.resource}`];
    if (decide) return decide(node, attributes, pods);
  }
  return nodeRules.some((rule) => ruleAllows(rule, attributes)) ? ALLOWED : denied();
}

type Decider = (node: string, attributes: ResourceAttributes, pods: PodsOfNode) => Decision;

const deciders: Readonly<Record<string, Decider>> = {
  "/secrets": readReferenced("secret"),
  "/configmaps": readReferenced("configMap"),
  "/persistentvolumeclaims": readReferenced("claim"),
  "/serviceaccounts": (node, attributes, pods) => {
    const { verb, subresource, name } = attributes;
    if (verb === "get" && !subresource) return readReferenced("account")(node, attributes, pods);
    if (verb !== "create" || !name) return denied("can only create tokens for individual service accounts");
    if (subresource !== "token") return denied("can only create token subresource of serviceaccount");
    return related("account", node, attributes, pods);
  },
  "coordination.k8s.io/leases": (node, { verb, namespace, name }) => {
    if (!["get", "create", "update", "patch", "delete"].includes(verb)) {
      return denied("can only get, create, update, patch, or delete a node lease");
    }
    if (namespace !== LEASE_NAMESPACE)
      return denied(`can only access leases in the "${LEASE_NAMESPACE}" system namespace`);
    return verb === "create" || name === node
      ? ALLOWED
      : denied("can only access node lease with the same name as the requesting node");
  },
  "/nodes": (node, { verb, subresource, name }) => {
    if (subresource) return subresource === "status" && ["update", "patch"].includes(verb) ? ALLOWED : denied();
    if (["create", "update", "patch"].includes(verb)) return ALLOWED;
    if (!["get", "list", "watch"].includes(verb)) return denied();
    if (name === node) return ALLOWED;
    return name
      ? denied(`node '${node}' cannot read '${name}', only its own Node object`)
      : denied(`node '${node}' cannot read all nodes, only its own Node object`);
  },
  "/pods": (node, attributes, pods) => {
    const { verb, subresource, name, fieldSelector = "" } = attributes;
    if (subresource === "status") return ["update", "patch"].includes(verb) ? ALLOWED : denied();
    if (subresource === "eviction") return verb === "create" ? ALLOWED : denied();
    if (subresource) return denied();
    if (verb === "create" || verb === "delete") return ALLOWED;
    if (verb === "get") return related("pod", node, attributes, pods);
    if (verb !== "list" && verb !== "watch") return denied();
    if (fieldSelector.split(",").some((one) => /^spec\.nodeName==?(.*)$/.exec(one)?.[1] === node)) return ALLOWED;
    return name
      ? related("pod", node, attributes, pods)
      : denied("can only list/watch pods with spec.nodeName field selector");
  },
};

type Reference = "secret" | "configMap" | "claim" | "account" | "pod";

function readReferenced(what: Reference): Decider {
  return (node, attributes, pods) => {
    const { verb, subresource, namespace } = attributes;
    const only =
      what === "claim" ? "can only get individual resources of this type" : "can only read resources of this type";
    const reads = what === "claim" ? ["get"] : ["get", "list", "watch"];
    if (!reads.includes(verb)) return denied(only);
    if (subresource) return denied(what === "claim" ? "cannot get subresource" : "cannot read subresource");
    if (!namespace) return denied("can only read namespaced object of this type");
    return related(what, node, attributes, pods);
  };
}

function related(
  what: Reference,
  node: string,
  { namespace = "", name }: ResourceAttributes,
  pods: PodsOfNode,
): Decision {
  if (!name) return denied("No Object name found");
  const refers = pods(node, namespace).some((pod) =>
    what === "pod" ? pod.metadata.name === name : references(pod, what).has(name),
  );
  return refers ? ALLOWED : denied(`no relationship found between node '${node}' and this object`);
}

// biome-ignore lint/suspicious/noExplicitAny: pods have been decoded by their schema
type Any = any;

function references(pod: KubeObject, what: Exclude<Reference, "pod">): Set<string> {
  const spec: Any = pod["spec"] ?? {};
  const names = new Set<string>();
  const add = (name: string | undefined) => {
    if (name) names.add(name);
  };
  if (what === "account") add(spec.serviceAccountName);
  if (what === "secret") for (const { name } of spec.imagePullSecrets ?? []) add(name);
  for (const volume of (spec.volumes ?? []) as Any[]) {
    if (what === "claim") {
      add(volume.persistentVolumeClaim?.claimName);
      if (volume.ephemeral) add(`${pod.metadata.name}-${volume.name}`);
    }
    const sources = [volume, ...(volume.projected?.sources ?? [])] as Any[];
    for (const source of sources) {
      if (what === "secret") add(source.secret?.secretName ?? source.secret?.name);
      if (what === "configMap") add(source.configMap?.name);
    }
  }
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? []), ...(spec.ephemeralContainers ?? [])];
  for (const { env = [], envFrom = [] } of containers as Any[]) {
    for (const { valueFrom } of env) {
      add(what === "secret" ? valueFrom?.secretKeyRef?.name : undefined);
      add(what === "configMap" ? valueFrom?.configMapKeyRef?.name : undefined);
    }
    for (const source of envFrom) {
      add(what === "secret" ? source.secretRef?.name : undefined);
      add(what === "configMap" ? source.configMapRef?.name : undefined);
    }
  }
  return names;
}

/** Labels of Kubernetes' own that a kubelet may give its node. */
const ownLabels = new Set([
  "kubernetes.io/hostname",
  "kubernetes.io/os",
  "kubernetes.io/arch",
  "node.kubernetes.io/instance-type",
  "node.kubernetes.io/windows-build",
  "topology.kubernetes.io/zone",
  "topology.kubernetes.io/region",
  "beta.kubernetes.io/os",
  "beta.kubernetes.io/arch",
  "beta.kubernetes.io/instance-type",
  "failure-domain.beta.kubernetes.io/zone",
  "failure-domain.beta.kubernetes.io/region",
]);
const ownDomains = ["kubelet.kubernetes.io", "node.kubernetes.io"];

function forbiddenLabels(
  next: Readonly<Record<string, string>> = {},
  old: Readonly<Record<string, string>> = {},
): string[] {
  const changed = [...new Set([...Object.keys(next), ...Object.keys(old)])].filter((key) => next[key] !== old[key]);
  const within = (domain: string, parent: string) => domain === parent || domain.endsWith(`.${parent}`);
  return changed
    .filter((key) => {
      const slash = key.indexOf("/");
      const domain = slash < 0 ? "" : key.slice(0, slash);
      if (within(domain, "node-restriction.kubernetes.io")) return true;
      if (!within(domain, "kubernetes.io") && !within(domain, "k8s.io")) return false;
      return !ownLabels.has(key) && !ownDomains.some((own) => within(domain, own));
    })
    .sort();
}

const same = (a: unknown, b: unknown) => JSON.stringify(a ?? []) === JSON.stringify(b ?? []);

/** Why a node may not write this, though roles would let it; undefined: it may. */
export function nodeWriteProblem(
  node: string,
  write: {
    readonly operation: "create" | "update" | "delete";
    /** Such as `/pods`. */
    readonly collection: string;
    readonly subresource?: string;
    readonly name: string;
    readonly object?: KubeObject;
    readonly old?: KubeObject;
  },
): string | undefined {
  const { operation, collection, subresource, name, object, old } = write;
  const self = JSON.stringify(node);
  const bound = old?.["spec"]?.nodeName ?? "";
  if (collection === "/pods") {
    if (subresource === "status") {
      if (bound !== node) return `node ${self} can only update pod status for pods with spec.nodeName set to itself`;
      return same(sorted(old?.metadata.labels), sorted(object?.metadata.labels))
        ? undefined
        : `node ${self} cannot update labels through pod status`;
    }
    if (subresource === "eviction") {
      return bound === node ? undefined : `node ${node} can only evict pods with spec.nodeName set to itself`;
    }
    if (subresource)
      return `unexpected pod subresource ${JSON.stringify(subresource)}, only 'status' and 'eviction' are allowed`;
    if (operation === "delete") {
      return bound === node ? undefined : `node ${self} can only delete pods with spec.nodeName set to itself`;
    }
    if (operation === "create" && object) return mirrorPodProblem(node, object);
    return `unexpected operation "UPDATE", node ${self} can only create and delete mirror pods`;
  }
  if (collection === "/nodes") {
    if (name !== node) return `node ${self} is not allowed to modify node ${JSON.stringify(name)}`;
    if (operation === "delete" || !object) return undefined;
    if (old && !same(object["spec"]?.taints, old["spec"]?.taints))
      return `node ${self} is not allowed to modify taints`;
    if (old && !same(object.metadata.ownerReferences, old.metadata.ownerReferences)) {
      return `node ${self} is not allowed to modify ownerReferences`;
    }
    const labels = forbiddenLabels(object.metadata.labels, old?.metadata.labels);
    if (labels.length === 0) return undefined;
    return old
      ? `is not allowed to modify labels: ${labels.join(", ")}`
      : `node ${self} is not allowed to set the following labels: ${labels.join(", ")}`;
  }
  if (collection === "coordination.k8s.io/leases" && name !== node) {
    return "can only access node lease with the same name as the requesting node";
  }
  return undefined;
}

const sorted = (map: Readonly<Record<string, string>> = {}) => Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1));

function mirrorPodProblem(node: string, pod: KubeObject): string | undefined {
  const self = JSON.stringify(node);
  if (pod.metadata.annotations?.[MIRROR] === undefined) {
    return `pod does not have "${MIRROR}" annotation, node ${self} can only create mirror pods`;
  }
  if (pod["spec"]?.nodeName !== node) return `node ${self} can only create pods with spec.nodeName set to itself`;
  const owners = pod.metadata.ownerReferences ?? [];
  if (owners.length > 1) return `node ${self} can only create pods with a single owner reference set to itself`;
  const [owner] = owners;
  if (owner?.apiVersion !== "v1" || owner.kind !== "Node" || owner.name !== node) {
    return `node ${self} can only create pods with an owner reference set to itself`;
  }
  if (!owner.controller) return `node ${self} can only create pods with a controller owner reference set to itself`;
  if (owner.blockOwnerDeletion) return `node ${self} must not set blockOwnerDeletion on an owner reference`;
  return undefined;
}

/** Why a node may not have this token; `pod` is the one it is to be bound to. */
export function nodeTokenProblem(
  node: string,
  reference:
    | { readonly apiVersion?: string; readonly kind?: string; readonly name?: string; readonly uid?: string }
    | undefined,
  audiences: readonly string[],
  pod: KubeObject | undefined,
): string | undefined {
  if (reference?.apiVersion !== "v1" || reference.kind !== "Pod" || !reference.name) {
    return "node requested token not bound to a pod";
  }
  if (!reference.uid) return "node requested token with a pod binding without a uid";
  if (!pod) return undefined;
  if (pod.metadata.uid !== reference.uid) {
    return `the UID in the bound object reference (${reference.uid}) does not match the UID in record. The object might have been deleted and then recreated`;
  }
  if (pod["spec"]?.nodeName !== node) return "node requested token bound to a pod scheduled on a different node";
  if (audiences.length > 1) return "node may only request 0 or 1 audiences";
  const wanted = audiences[0] ?? "";
  const projected = ((pod["spec"]?.volumes ?? []) as Any[]).flatMap((volume) => volume.projected?.sources ?? []);
  const found = projected.some(
    ({ serviceAccountToken: token }: Any) => token !== undefined && (token.audience ?? "") === wanted,
  );
  if (found) return undefined;
  return `audience ${JSON.stringify(wanted)} not found in pod spec volume, ${USERNAME}${node} is not authorized to request tokens for this audience`;
}
