import type { Clock } from "@tiphys/clock";
import { createController, type Plan, type Reconciler, type Watch } from "@tiphys/controller";
import { type Condition, type GatewayView, supportedFeatures } from "@tiphys/gateway";
import type { Journal } from "@tiphys/journal";
import type { Informers } from "@tiphys/kube";
import { type KubeObject, keyOf, keyText, type ResourceType, types } from "@tiphys/resources";
import type { Service } from "@tiphys/service-host";
import type { Logger, Metrics } from "@tiphys/telemetry";

/** What the proxy sees of Gateway API, judged by the rules that it serves by. */
export interface JudgedGateways {
  view(): GatewayView;
  /** Resolves once the ports that the view wants have been tried. */
  settled(): Promise<void>;
}

export interface GatewayStatusDeps {
  readonly informers: Informers;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly state: JudgedGateways;
  /** Controller name of the classes that are ours. */
  readonly controllerName: string;
  /** Where listeners are reached. */
  readonly address: string;
}

interface StoredCondition extends Condition {
  readonly lastTransitionTime: string;
}

/** Conditions with the time of their last change of status. */
function timed(
  conditions: readonly Condition[],
  before: readonly StoredCondition[] | undefined,
  generation: number | undefined,
  now: Date,
): object[] {
  return conditions.map((one) => {
    const old = before?.find(({ type }) => type === one.type);
    const at = now.toISOString().replace(/\.\d+Z$/, "Z");
    return {
      ...one,
      observedGeneration: generation ?? 1,
      lastTransitionTime: old && old.status === one.status && old.reason !== "Pending" ? old.lastTransitionTime : at,
    };
  });
}

const wait = async <T>(state: JudgedGateways, value: () => T): Promise<T> => {
  await state.settled();
  return value();
};

function classReconciler(controllerName: string): Reconciler<KubeObject, never> {
  return {
    observe: async (object) => (object["spec"]?.controllerName === controllerName ? object : undefined),
    plan(object, now) {
      const accepted: Condition = { type: "Accepted", status: "True", reason: "Accepted", message: "served by Tiphys" };
      const { conditions } = object["status"] ?? {};
      return {
        status: {
          ...object["status"],
          conditions: timed([accepted], conditions, object.metadata.generation, now),
          supportedFeatures: supportedFeatures.map((name) => ({ name })),
        },
        actions: [],
        reasons: [],
      };
    },
    act: async () => undefined,
    describe: () => "",
  };
}

interface Judged<T> {
  readonly object: KubeObject;
  readonly found: T | undefined;
}

const sameObject = (a: KubeObject, b: KubeObject): boolean => keyText(keyOf(a)) === keyText(keyOf(b));

function gatewayReconciler(
  state: JudgedGateways,
  address: string,
): Reconciler<Judged<GatewayView["gateways"][number]>, never> {
  return {
    async observe(object) {
      const found = await wait(state, () => state.view().gateways.find(({ gateway }) => sameObject(gateway, object)));
      return found && { object, found };
    },
    plan({ object, found }, now): Plan<never> {
      if (!found) return { actions: [], reasons: [] };
      const { generation } = object.metadata;
      const before = object["status"] ?? {};
      const old = (name: string) =>
        before.listeners?.find((one: { name: string }) => one.name === name)?.conditions as
          | StoredCondition[]
          | undefined;
      return {
        status: {
          ...before,
          addresses: [{ type: "IPAddress", value: address }],
          conditions: timed(found.conditions, before.conditions, generation, now),
          listeners: found.listeners.map(({ conditions, ...listener }) => ({
            ...listener,
            conditions: timed(conditions, old(listener.name), generation, now),
          })),
        },
        actions: [],
        reasons: reasonsOf(found.conditions),
      };
    },
    act: async () => undefined,
    describe: () => "",
  };
}

const reasonsOf = (conditions: readonly Condition[]) =>
  conditions
    .filter(({ status }) => status === "False")
    .map(({ reason, message, type }) => ({ code: reason, message, about: type }));

function routeReconciler(
  state: JudgedGateways,
  controllerName: string,
): Reconciler<Judged<GatewayView["routes"][number]>, never> {
  return {
    async observe(object) {
      const found = await wait(state, () => state.view().routes.find(({ route }) => sameObject(route, object)));
      return found && { object, found };
    },
    plan({ object, found }, now): Plan<never> {
      // biome-ignore lint/suspicious/noExplicitAny: statuses as the API gives them
      const before: any[] = object["status"]?.parents ?? [];
      const others = before.filter((parent) => parent.controllerName !== controllerName);
      const own = (found?.parents ?? []).map(({ parentRef, conditions }) => {
        const text = JSON.stringify(parentRef);
        const old = before.find(
          (parent) => parent.controllerName === controllerName && JSON.stringify(parent.parentRef) === text,
        );
        return {
          parentRef,
          controllerName,
          conditions: timed(conditions, old?.conditions, object.metadata.generation, now),
        };
      });
      if (own.length === 0 && others.length === before.length) return { actions: [], reasons: [] };
      return {
        status: { ...object["status"], parents: [...others, ...own] },
        actions: [],
        reasons: (found?.parents ?? []).flatMap(({ conditions }) => reasonsOf(conditions)),
      };
    },
    act: async () => undefined,
    describe: () => "",
  };
}

/** Writes what the proxy serves of Gateway API into the statuses of its objects. */
export function createGatewayStatusController(deps: GatewayStatusDeps): Service {
  const { informers, state, controllerName, address } = deps;
  // Any of them may change what another one's status says.
  const watching = (primary: ResourceType, others: readonly ResourceType[]): Watch[] => {
    const all = informers.informer(primary);
    return others.map((resource) => ({ resource, keys: () => all.list().map(keyOf) }));
  };
  const common = [types.gatewayClasses, types.referenceGrants, types.namespaces];
  const controllers = [
    createController({
      ...deps,
      name: "gatewayclasses",
      resource: types.gatewayClasses,
      statusSubresource: true,
      reconciler: classReconciler(controllerName),
      workers: 1,
    }),
    createController({
      ...deps,
      name: "gateways",
      resource: types.gateways,
      statusSubresource: true,
      reconciler: gatewayReconciler(state, address),
      watches: watching(types.gateways, [...common, types.httpRoutes, types.secrets]),
      workers: 1,
    }),
    createController({
      ...deps,
      name: "httproutes",
      resource: types.httpRoutes,
      statusSubresource: true,
      reconciler: routeReconciler(state, controllerName),
      watches: watching(types.httpRoutes, [...common, types.gateways, types.services]),
      workers: 1,
    }),
  ];
  return {
    name: "gateway-status",
    async start() {
      for (const controller of controllers) await controller.start();
    },
    async stop() {
      await Promise.all(controllers.map((controller) => controller.stop()));
    },
    ready: async () => controllers.map((controller) => controller.ready()).find((problem) => problem !== undefined),
  };
}
