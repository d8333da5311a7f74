import { isAlreadyExists, type KubeClient } from "@tiphys/kube";
import { GATEWAY_CLASS, GATEWAY_CONTROLLER } from "@tiphys/node-runtime";
import { type KubeObject, types } from "@tiphys/resources";

/** The classes by which Ingresses and Gateways ask for our proxy; what is there stays as it is. */
export async function ensureProxyClasses(client: KubeClient, { gateways }: { gateways: boolean }): Promise<void> {
  const ensure = async (type: typeof types.gatewayClasses, object: KubeObject) => {
    await client.create(type, object).catch((error) => {
      if (!isAlreadyExists(error)) throw error;
    });
  };
  await ensure(types.ingressClasses, {
    apiVersion: "networking.k8s.io/v1",
    kind: "IngressClass",
    metadata: { name: "tiphys" },
    spec: { controller: "tiphys.dev/ingress" },
  });
  if (!gateways) return;
  await ensure(types.gatewayClasses, {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "GatewayClass",
    metadata: { name: GATEWAY_CLASS },
    spec: { controllerName: GATEWAY_CONTROLLER, description: "the proxy of this machine" },
  });
}
