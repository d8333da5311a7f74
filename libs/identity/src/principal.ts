/** Who is asking, on every internal call and every API request. */
export interface Principal {
  readonly username: string;
  readonly groups: readonly string[];
  readonly uid?: string;
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** The principal of one of our own services. */
export const servicePrincipal = (service: string): Principal => ({
  username: `system:tiphys:${service}`,
  groups: ["system:tiphys:services", "system:authenticated"],
});

export const clusterAdmin: Principal = { username: "admin", groups: ["system:masters", "system:authenticated"] };

/** The kubelet of a node: it may do what concerns the node and its pods. */
export const nodePrincipal = (nodeName: string): Principal => ({
  username: `system:node:${nodeName}`,
  groups: ["system:nodes", "system:authenticated"],
});

export const anonymous: Principal = { username: "system:anonymous", groups: ["system:unauthenticated"] };

/** A ServiceAccount of a cluster, as its API server knows it by its token. */
export const accountPrincipal = (namespace: string, name: string): Principal => ({
  username: `system:serviceaccount:${namespace}:${name}`,
  groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"],
});
