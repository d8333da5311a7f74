import { deepEqual } from "@tiphys/canonical-json";
import type { Clock } from "@tiphys/clock";
import { createController, type Reconciler } from "@tiphys/controller";
import type { Journal } from "@tiphys/journal";
import type { Informers } from "@tiphys/kube";
import { type KubeObject, types } from "@tiphys/resources";
import type { Service } from "@tiphys/service-host";
import type { Logger, Metrics } from "@tiphys/telemetry";

/** Ingress classes that the cluster proxy serves; an Ingress without a class is everybody's. */
const servedClasses: ReadonlySet<string> = new Set(["nginx", "tiphys"]);

/**
 * Writes where an Ingress is served into its status, as every ingress controller does: GitOps tools take an Ingress
 * without it for one that is still waiting.
 */
export function ingressStatusReconciler(hostname: string): Reconciler<KubeObject, never> {
  const wanted = { ingress: [{ hostname }] };
  return {
    observe: async (ingress) => (ingress.metadata.deletionTimestamp ? undefined : ingress),
    plan(ingress) {
      const served = servedClasses.has(ingress["spec"]?.ingressClassName ?? "nginx");
      if (!served || deepEqual(ingress["status"]?.loadBalancer, wanted)) return { actions: [], reasons: [] };
      return {
        status: { ...ingress["status"], loadBalancer: wanted },
        actions: [],
        reasons: [{ code: "Served", message: `served at ${hostname}` }],
      };
    },
    act: async () => undefined,
    describe: () => "",
  };
}

export interface IngressStatusDeps {
  readonly informers: Informers;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Where the proxy listens, as users reach it. */
  readonly hostname: string;
}

/** The controller that goes with a cluster proxy, embedded or beside a real control plane. */
export function createIngressStatusController(deps: IngressStatusDeps): Service {
  const controller = createController({
    ...deps,
    name: "ingresses",
    resource: types.ingresses,
    statusSubresource: true,
    reconciler: ingressStatusReconciler(deps.hostname),
    workers: 1,
  });
  return {
    name: "ingress-status",
    start: () => controller.start(),
    stop: () => controller.stop(),
    ready: async () => controller.ready(),
  };
}
