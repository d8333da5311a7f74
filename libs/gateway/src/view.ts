import type { KubeObject } from "@tiphys/resources";
import { judgeListeners, type Listener } from "./listeners.js";
import { precedence } from "./match.js";
import { type Condition, condition, type GatewayObjects, GROUP, type Json, type ServedListener } from "./model.js";
import { type JudgedRoute, judgeRoute } from "./routes.js";

/** What our proxy can do, in the words of Gateway API. */
export const supportedFeatures: readonly string[] = [
  "Gateway",
  "GatewayPort8080",
  "HTTPRoute",
  "HTTPRouteBackendRequestHeaderModification",
  "HTTPRouteBackendTimeout",
  "HTTPRouteHostRewrite",
  "HTTPRouteMethodMatching",
  "HTTPRouteParentRefPort",
  "HTTPRoutePathRedirect",
  "HTTPRoutePathRewrite",
  "HTTPRoutePortRedirect",
  "HTTPRouteQueryParamMatching",
  "HTTPRouteRequestMirror",
  "HTTPRouteRequestMultipleMirrors",
  "HTTPRouteRequestPercentageMirror",
  "HTTPRouteRequestTimeout",
  "HTTPRouteResponseHeaderModification",
  "HTTPRouteSchemeRedirect",
  "ReferenceGrant",
];

export interface JudgedGateway {
  readonly gateway: KubeObject;
  readonly conditions: readonly Condition[];
  readonly listeners: readonly {
    readonly name: string;
    readonly supportedKinds: readonly Json[];
    readonly attachedRoutes: number;
    readonly conditions: readonly Condition[];
  }[];
}

/** Everything that follows from the objects: what is served, and what their statuses say. */
export interface GatewayView {
  readonly served: readonly ServedListener[];
  readonly gateways: readonly JudgedGateway[];
  readonly routes: readonly JudgedRoute[];
}

/** Oldest first, then by name: who was there first wins. */
const byAge = (a: KubeObject, b: KubeObject): number => {
  const key = (one: KubeObject) =>
    `${one.metadata.creationTimestamp ?? ""} ${one.metadata.namespace ?? ""}/${one.metadata.name}`;
  return key(a) < key(b) ? -1 : 1;
};

/** Looks at all Gateways whose class names `controller`. */
export function viewGateways(objects: GatewayObjects, controller: string): GatewayView {
  const classes = new Set(
    objects.classes.filter((one) => one["spec"]?.controllerName === controller).map(({ metadata }) => metadata.name),
  );
  const own = objects.gateways
    .filter((one) => classes.has(one["spec"]?.gatewayClassName) && !one.metadata.deletionTimestamp)
    .sort(byAge);
  const listeners = own.flatMap((gateway) => judgeListeners(gateway, objects));
  const routes = [...objects.httpRoutes]
    .filter(({ metadata }) => !metadata.deletionTimestamp)
    .sort(byAge)
    .map((route) => judgeRoute(route, listeners, objects));
  const attached = new Map<Listener, { count: number; entries: ServedListener["entries"][number][] }>();
  for (const { attachments } of routes) {
    const seen = new Set<Listener>();
    for (const { listener, entries } of attachments) {
      const place = attached.get(listener) ?? { count: 0, entries: [] };
      attached.set(listener, place);
      if (!seen.has(listener)) place.count++;
      seen.add(listener);
      place.entries.push(...entries);
    }
  }
  return {
    routes,
    served: listeners
      .filter(({ served, protocol }) => served && protocol !== undefined)
      .map((listener) => ({
        key: listener.key,
        protocol: listener.protocol!,
        port: listener.spec.port,
        ...(listener.spec.hostname ? { hostname: String(listener.spec.hostname).toLowerCase() } : {}),
        certificates: listener.certificates,
        // A stable sort keeps the order of age and of rules among equals.
        entries: [...(attached.get(listener)?.entries ?? [])].sort(precedence),
      })),
    gateways: own.map((gateway) => judgeGateway(gateway, listeners, (one) => attached.get(one)?.count ?? 0)),
  };
}

function judgeGateway(
  gateway: KubeObject,
  all: readonly Listener[],
  attachedRoutes: (listener: Listener) => number,
): JudgedGateway {
  const listeners = all.filter((one) => one.gateway === gateway);
  const served = listeners.filter((one) => one.served);
  const wrong = listeners.filter((one) => !one.served).map(({ spec }) => String(spec.name));
  const wants = (gateway["spec"]?.addresses ?? []) as Json[];
  const problems = wrong.length > 0 ? `listeners without service: ${wrong.sort().join(", ")}` : "";
  const accepted =
    wants.length > 0
      ? condition(
          "Accepted",
          false,
          "UnsupportedAddress",
          "spec.addresses is not implemented yet: see docs/compatibility.md",
        )
      : problems
        ? condition("Accepted", served.length > 0, "ListenersNotValid", problems)
        : condition("Accepted", true, "Accepted");
  const programmed =
    served.length > 0 && wants.length === 0
      ? condition("Programmed", true, "Programmed")
      : condition("Programmed", false, "Invalid", problems || "see the condition Accepted");
  return {
    gateway,
    conditions: [accepted, programmed],
    listeners: listeners.map((listener) => ({
      name: listener.spec.name,
      supportedKinds: listener.kinds.map((kind) => ({ group: GROUP, kind })),
      attachedRoutes: attachedRoutes(listener),
      conditions: listener.conditions,
    })),
  };
}
