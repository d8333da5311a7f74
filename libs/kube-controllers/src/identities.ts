import { deepEqual } from "@tiphys/canonical-json";
import { accountPrincipal, type Principal } from "@tiphys/identity";
import { type Informers, isNotFound, type KubeClient } from "@tiphys/kube";
import type { KubeObject, ResourceType } from "@tiphys/resources";

// Every controller acts as the service account that the original has for it, with that account's role of the bootstrap
// policy (`system:controller:…`). What ours asks for beyond that stands here and becomes roles of its own.

/** Names of service accounts in kube-system. */
export type ControllerName =
  | "cronjob-controller"
  | "deployment-controller"
  | "endpoint-controller"
  | "endpointslice-controller"
  | "endpointslicemirroring-controller"
  | "job-controller"
  | "namespace-controller"
  | "node-controller"
  | "pod-garbage-collector"
  | "pv-protection-controller"
  | "pvc-protection-controller"
  | "replicaset-controller"
  | "replication-controller"
  | "root-ca-cert-publisher"
  | "service-account-controller"
  | "tiphys-ingress-controller"
  | "volumeattributesclass-protection-controller";

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

const rule = (group: string, resources: readonly string[], ...verbs: string[]): Rule => ({
  apiGroups: [group],
  resources,
  verbs,
});
const EVENTS = rule("", ["events"], "create", "patch");

/** Ours patch where the originals update, and do the work of two in one place here and there. */
const BEYOND: Readonly<Partial<Record<ControllerName, readonly Rule[]>>> = {
  "cronjob-controller": [rule("batch", ["cronjobs", "cronjobs/status"], "patch")],
  "deployment-controller": [rule("apps", ["deployments", "deployments/status"], "patch")],
  "endpoint-controller": [rule("", ["endpoints"], "patch")],
  "endpointslice-controller": [rule("discovery.k8s.io", ["endpointslices"], "patch")],
  "endpointslicemirroring-controller": [rule("discovery.k8s.io", ["endpointslices"], "patch")],
  // Jobs that live longer than their time are another controller's there.
  "job-controller": [rule("batch", ["jobs"], "delete"), rule("batch", ["jobs/status"], "patch")],
  "namespace-controller": [rule("", ["namespaces/status"], "patch")],
  "pod-garbage-collector": [EVENTS],
  "pv-protection-controller": [EVENTS, rule("", ["persistentvolumes"], "patch")],
  "pvc-protection-controller": [EVENTS, rule("", ["persistentvolumeclaims"], "patch")],
  "replicaset-controller": [rule("apps", ["replicasets", "replicasets/status"], "patch")],
  "replication-controller": [rule("", ["replicationcontrollers", "replicationcontrollers/status"], "patch")],
  "root-ca-cert-publisher": [rule("", ["configmaps"], "patch")],
  "volumeattributesclass-protection-controller": [EVENTS, rule("storage.k8s.io", ["volumeattributesclasses"], "patch")],
  "tiphys-ingress-controller": [
    EVENTS,
    rule("networking.k8s.io", ["ingresses/status"], "patch"),
    rule("networking.k8s.io", ["ingressclasses"], "create", "get"),
    rule("gateway.networking.k8s.io", ["gatewayclasses"], "create", "get"),
    rule(
      "gateway.networking.k8s.io",
      ["gatewayclasses/status", "gateways/status", "httproutes/status", "grpcroutes/status"],
      "patch",
    ),
  ],
};

const HOME = "kube-system";
const RBAC = "rbac.authorization.k8s.io";

/** The account of a controller. */
export const controllerPrincipal = (name: ControllerName): Principal => accountPrincipal(HOME, name);

export const schedulerPrincipal: Principal = {
  username: "system:kube-scheduler",
  groups: ["system:authenticated"],
};

/** Who reads for all: the original's controllers share its caches, too. It may list and watch everything. */
export const sharedReader: Principal = {
  username: "system:kube-controller-manager",
  groups: ["system:authenticated"],
};

/** Roles and bindings that a cluster needs beside its bootstrap policy when these controllers act with their own accounts. */
export function controllerRoles(): KubeObject[] {
  return Object.entries(BEYOND).flatMap(([controller, rules]) => {
    const name = `tiphys:controller:${controller}`;
    return [
      { apiVersion: `${RBAC}/v1`, kind: "ClusterRole", metadata: { name }, rules },
      {
        apiVersion: `${RBAC}/v1`,
        kind: "ClusterRoleBinding",
        metadata: { name },
        roleRef: { apiGroup: RBAC, kind: "ClusterRole", name },
        subjects: [{ kind: "ServiceAccount", name: controller, namespace: HOME }],
      },
    ];
  });
}

/** The same caches; writes, and reads past the caches, are `principal`'s. */
export const actingAs = (informers: Informers, principal: Principal): Informers => ({
  ...informers,
  client: informers.client.as(principal),
});

/** One client in front of two: what concerns `type` goes to `other`. */
export function routed(client: KubeClient, type: ResourceType, other: KubeClient): KubeClient {
  const of = (asked: ResourceType) => (asked.group === type.group && asked.resource === type.resource ? other : client);
  return {
    cluster: client.cluster,
    get: (asked, ...rest) => of(asked).get(asked, ...rest),
    list: (asked, ...rest) => of(asked).list(asked, ...rest),
    watch: (asked, ...rest) => of(asked).watch(asked, ...rest),
    create: (asked, ...rest) => of(asked).create(asked, ...rest),
    replace: (asked, ...rest) => of(asked).replace(asked, ...rest),
    patch: (asked, ...rest) => of(asked).patch(asked, ...rest),
    delete: (asked, ...rest) => of(asked).delete(asked, ...rest),
    resourceFor: (...asked) => client.resourceFor(...asked),
    resources: () => client.resources(),
    logs: (...asked) => client.logs(...asked),
    as: (principal) => client.as(principal),
  };
}

const plurals: Readonly<Record<string, string>> = {
  ClusterRole: "clusterroles",
  ClusterRoleBinding: "clusterrolebindings",
  Role: "roles",
  RoleBinding: "rolebindings",
  ServiceAccount: "serviceaccounts",
};

/** Makes accounts, roles and bindings that are not there, and those that differ as they should be. */
export async function ensureRoles(client: KubeClient, wanted: readonly KubeObject[]): Promise<void> {
  await Promise.all(
    wanted.map(async (object) => {
      const resource = plurals[object.kind];
      if (resource === undefined) throw new TypeError(`${object.kind} is neither account, role nor binding`);
      const { name, namespace } = object.metadata;
      const group = object.kind === "ServiceAccount" ? "" : RBAC;
      const type = { group, version: "v1", resource, kind: object.kind, namespaced: namespace !== undefined };
      const key = namespace === undefined ? { name } : { namespace, name };
      const found = await client.get(type, key).catch((error: unknown) => {
        if (isNotFound(error)) return undefined;
        throw error;
      });
      if (
        found &&
        ["rules", "subjects", "roleRef"].every((field) => deepEqual(found[field] ?? [], object[field] ?? []))
      )
        return;
      await client.patch(type, key, { type: "apply", body: object }, { fieldManager: "tiphys", force: true });
    }),
  );
}
