import type { KubeObject } from "@tiphys/resources";
import type { Parts, WriteContext } from "../api/parts.js";
import { admitCreate } from "../api/writes.js";

const ROOT_CA = "kube-root-ca.crt";
const CONTEXT: WriteContext = {
  principal: { username: "system:apiserver", groups: ["system:masters"] },
  manager: "kube-controller-manager",
  fieldValidation: "Ignore",
  dryRun: false,
  warn: () => undefined,
};

/**
 * The account and the authority's certificate that every namespace has. Made with it and not by a controller after it, so that
 * no pod comes too early; the controllers bring them back when they are deleted.
 */
export function giveNamespaceDefaults(parts: Parts, namespace: string): void {
  const { store, kinds, rootCa } = parts;
  const give = (resource: string, object: KubeObject) => {
    const kind = kinds.find("", "v1", resource);
    if (!kind || store.get(kind.collection, namespace, object.metadata.name)) return;
    store.put(kind.collection, admitCreate(parts, kind, namespace, object, CONTEXT));
  };
  const metadata = (name: string) => ({ name, namespace });
  give("serviceaccounts", { apiVersion: "v1", kind: "ServiceAccount", metadata: metadata("default") });
  give("configmaps", {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      ...metadata(ROOT_CA),
      annotations: {
        "kubernetes.io/description":
          "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.",
      },
    },
    data: { "ca.crt": rootCa },
  });
}

/** For namespaces of an earlier start: their defaults, and the authority of today. */
export function completeNamespaces(parts: Parts): void {
  const { store, rootCa } = parts;
  for (const key of store.keys("/namespaces")) {
    const namespace = store.byKey("/namespaces", key);
    if (!namespace || namespace.metadata.deletionTimestamp) continue;
    const { name } = namespace.metadata;
    giveNamespaceDefaults(parts, name);
    const map = store.get("/configmaps", name, ROOT_CA);
    if (!map || map["data"]?.["ca.crt"] === rootCa) continue;
    store.put("/configmaps", { ...map, metadata: { ...map.metadata }, data: { ...map["data"], "ca.crt": rootCa } });
  }
}
