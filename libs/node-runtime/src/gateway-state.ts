import { X509Certificate } from "node:crypto";
import { type GatewayObjects, type GatewayView, viewGateways } from "@tiphys/gateway";
import type { Informer, Informers } from "@tiphys/kube";
import { type KubeObject, types } from "@tiphys/resources";

/** Gateways of classes with this controller are served by the cluster proxy. */
export const GATEWAY_CONTROLLER = "gateway.tiphys.dev/proxy";
/** The class that a cluster of ours has from its start. */
export const GATEWAY_CLASS = "tiphys";

/** The Gateway API objects of a cluster, judged anew after each change. */
export interface GatewayState {
  view(): GatewayView;
  secret(namespace: string, name: string): KubeObject | undefined;
  /** Calls `listener` after each change of what may be served. */
  onChange(listener: () => void): void;
  /** Looks anew: what ports this host gives has changed. */
  invalidate(): void;
  /** Resolves once the ports that the view wants have been tried. */
  settled: () => Promise<void>;
}

/** Undefined where the cluster does not have Gateway API. */
export async function openGatewayState(
  informers: Informers,
  portProblem: GatewayObjects["portProblem"],
): Promise<GatewayState | undefined> {
  const there = await Promise.resolve()
    .then(() => informers.client.resourceFor("gateway.networking.k8s.io/v1", "HTTPRoute"))
    .catch(() => undefined);
  if (!there) return undefined;
  const [classes, gateways, routes, grants, namespaces, services, secrets] = [
    types.gatewayClasses,
    types.gateways,
    types.httpRoutes,
    types.referenceGrants,
    types.namespaces,
    types.services,
    types.secrets,
  ].map((type) => informers.informer(type)) as [Informer, Informer, Informer, Informer, Informer, Informer, Informer];
  const all = [classes, gateways, routes, grants, namespaces, services, secrets];
  await Promise.all(all.map(({ synced }) => synced));
  const listeners: (() => void)[] = [];
  let known: GatewayView | undefined;
  const changed = () => {
    known = undefined;
    for (const listener of listeners) listener();
  };
  for (const informer of all) informer.onChange(changed);
  const objects: Omit<GatewayObjects, "classes" | "gateways" | "httpRoutes" | "grants"> = {
    namespaceLabels: (name) => namespaces.get({ name })?.metadata.labels ?? (namespaces.get({ name }) ? {} : undefined),
    servicePorts: (namespace, name) =>
      services.get({ namespace, name })?.["spec"]?.ports?.map(({ port }: { port: number }) => port) ??
      (services.get({ namespace, name }) ? [] : undefined),
    certificateProblem: (namespace, name) => certificateProblem(secrets.get({ namespace, name })),
    portProblem,
  };
  return {
    view() {
      known ??= viewGateways(
        {
          ...objects,
          classes: classes.list(),
          gateways: gateways.list(),
          httpRoutes: routes.list(),
          grants: grants.list(),
        },
        GATEWAY_CONTROLLER,
      );
      return known;
    },
    secret: (namespace, name) => secrets.get({ namespace, name }),
    onChange: (listener) => void listeners.push(listener),
    invalidate() {
      known = undefined;
    },
    settled: () => Promise.resolve(),
  };
}

export function certificateProblem(secret: KubeObject | undefined): string | undefined {
  if (!secret) return "does not exist";
  const { "tls.crt": certificate, "tls.key": key } = secret["data"] ?? {};
  if (!certificate || !key) return "has no tls.crt or no tls.key";
  try {
    new X509Certificate(Buffer.from(certificate, "base64"));
  } catch {
    return "has no certificate in tls.crt that can be read";
  }
  return undefined;
}
