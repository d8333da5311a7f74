import type { Reconciler } from "@tiphys/controller";
import { type EventRecorder, type Informers, isAlreadyExists } from "@tiphys/kube";
import { type KubeObject, types } from "@tiphys/resources";
import { describeWrite, perform, type Write } from "./writes.js";

const ROOT_CA = "kube-root-ca.crt";

export interface NamespaceDefaults {
  readonly namespace: KubeObject;
  readonly hasAccount: boolean;
  readonly configMap: KubeObject | undefined;
}

/** Gives every namespace its `default` ServiceAccount, and the API server's CA where there is one. */
export function namespaceDefaultsReconciler(deps: {
  readonly informers: Informers;
  readonly events: EventRecorder;
  readonly rootCa: string | undefined;
}): Reconciler<NamespaceDefaults, Write, KubeObject | undefined> {
  const accounts = deps.informers.informer(types.serviceAccounts);
  const configMaps = deps.informers.informer(types.configMaps);
  const writing = { client: deps.informers.client, events: deps.events, manager: "kube-controller-manager" };
  return {
    async observe(namespace) {
      const { name, deletionTimestamp } = namespace.metadata;
      if (deletionTimestamp || namespace.status?.phase === "Terminating") return undefined;
      return {
        namespace,
        hasAccount: accounts.get({ namespace: name, name: "default" }) !== undefined,
        configMap: configMaps.get({ namespace: name, name: ROOT_CA }),
      };
    },
    plan({ namespace, hasAccount, configMap }) {
      const actions: Write[] = [];
      const metadata = (name: string) => ({ name, namespace: namespace.metadata.name });
      if (!hasAccount) {
        const object = { apiVersion: "v1", kind: "ServiceAccount", metadata: metadata("default") };
        actions.push({ do: "create", type: types.serviceAccounts, object });
      }
      const data = { "ca.crt": deps.rootCa };
      if (deps.rootCa !== undefined && !configMap) {
        const object = { apiVersion: "v1", kind: "ConfigMap", metadata: metadata(ROOT_CA), data };
        actions.push({ do: "create", type: types.configMaps, object });
      } else if (deps.rootCa !== undefined && configMap?.data?.["ca.crt"] !== deps.rootCa) {
        actions.push({ do: "patch", type: types.configMaps, object: configMap as KubeObject, body: { data } });
      }
      return { actions, reasons: [] };
    },
    async act(write, signal) {
      try {
        return await perform(write, writing, signal);
      } catch (error) {
        if (isAlreadyExists(error)) return undefined;
        throw error;
      }
    },
    describe: describeWrite,
    digestOf: ({ hasAccount, configMap }) => ({ hasAccount, hasCa: configMap !== undefined }),
  };
}
