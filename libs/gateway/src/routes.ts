import type { KubeObject } from "@tiphys/resources";
import { milliseconds } from "./filters.js";
import { common } from "./hostnames.js";
import { allowsNamespace, granted, type Listener } from "./listeners.js";
import {
  type Backend,
  type Condition,
  condition,
  type Entry,
  type GatewayObjects,
  GROUP,
  type Json,
  type Rule,
  type Target,
} from "./model.js";

/** What became of a route at one of its parents. */
export interface ParentStatus {
  readonly parentRef: Json;
  readonly conditions: readonly Condition[];
}

export interface Attachment {
  readonly listener: Listener;
  readonly entries: readonly Entry[];
}

export interface JudgedRoute {
  readonly route: KubeObject;
  readonly parents: readonly ParentStatus[];
  readonly attachments: readonly Attachment[];
}

const KNOWN_FILTERS = new Set([
  "RequestHeaderModifier",
  "ResponseHeaderModifier",
  "RequestMirror",
  "RequestRedirect",
  "URLRewrite",
]);

/** Attaches an HTTPRoute to listeners of our Gateways; parents that are not ours are left to others. */
export function judgeRoute(route: KubeObject, listeners: readonly Listener[], objects: GatewayObjects): JudgedRoute {
  const namespace = route.metadata.namespace ?? "";
  const parents: ParentStatus[] = [];
  const attachments: Attachment[] = [];
  const { rules, resolved, unsupported } = compile(route, objects);
  for (const parentRef of (route["spec"]?.parentRefs ?? []) as Json[]) {
    if ((parentRef.group ?? GROUP) !== GROUP || (parentRef.kind ?? "Gateway") !== "Gateway") continue;
    const key = `${parentRef.namespace ?? namespace}/${parentRef.name}/`;
    const own = listeners.filter((listener) => listener.key.startsWith(key));
    if (own.length === 0) continue;
    const { accepted, taken } = unsupported
      ? { accepted: unsupported, taken: [] }
      : attach(route, parentRef, own, objects);
    for (const { listener, hostnames } of taken) {
      const entries = hostnames.flatMap((hostname) =>
        rules.flatMap(({ rule, matches }) =>
          matches.map((match) => ({ ...(hostname === undefined ? {} : { hostname }), match, rule })),
        ),
      );
      attachments.push({ listener, entries });
    }
    parents.push({ parentRef, conditions: [accepted, resolved] });
  }
  return { route, parents, attachments };
}

interface Taken {
  readonly listener: Listener;
  readonly hostnames: readonly (string | undefined)[];
}

function attach(
  route: KubeObject,
  parentRef: Json,
  own: readonly Listener[],
  objects: GatewayObjects,
): { readonly accepted: Condition; readonly taken: readonly Taken[] } {
  const refuse = (reason: string, message: string) => ({
    accepted: condition("Accepted", false, reason, message),
    taken: [],
  });
  const named = own.filter(
    ({ spec }) =>
      (!parentRef.sectionName || parentRef.sectionName === spec.name) &&
      (!parentRef.port || parentRef.port === spec.port),
  );
  if (named.length === 0) {
    return refuse(
      "NoMatchingParent",
      `the Gateway has no listener ${parentRef.sectionName ?? `with port ${parentRef.port}`}`,
    );
  }
  const namespace = route.metadata.namespace ?? "";
  const allowing = named.filter(
    (listener) => listener.kinds.includes("HTTPRoute") && allowsNamespace(listener, namespace, objects),
  );
  if (allowing.length === 0) {
    return refuse("NotAllowedByListeners", `no listener takes HTTPRoutes of namespace ${namespace}`);
  }
  const taken: Taken[] = [];
  for (const listener of allowing) {
    const wanted: readonly (string | undefined)[] = route["spec"]?.hostnames?.length
      ? route["spec"].hostnames
      : [undefined];
    const hostnames = wanted
      .map((hostname) => common(listener.spec.hostname, hostname?.toLowerCase()))
      .filter((found) => found !== undefined)
      .map(({ host }) => host);
    if (hostnames.length > 0) taken.push({ listener, hostnames });
  }
  return taken.length === 0
    ? refuse("NoMatchingListenerHostname", "the hostnames of route and listeners have none in common")
    : { accepted: condition("Accepted", true, "Accepted"), taken };
}

interface CompiledRule {
  readonly rule: Rule;
  readonly matches: readonly Json[];
}

function compile(
  route: KubeObject,
  objects: GatewayObjects,
): { readonly rules: readonly CompiledRule[]; readonly resolved: Condition; readonly unsupported?: Condition } {
  const namespace = route.metadata.namespace ?? "";
  const name = route.metadata.name;
  let problem: Condition | undefined;
  let unsupported: Condition | undefined;
  const known = (filters: readonly Json[] | undefined): readonly Json[] => {
    for (const { type } of filters ?? []) {
      if (KNOWN_FILTERS.has(type)) continue;
      const message = `filters of type ${type} are not implemented yet: see docs/compatibility.md`;
      unsupported ??= condition("Accepted", false, "UnsupportedValue", message);
    }
    return (filters ?? []).map((filter) => {
      const ref = filter.requestMirror?.backendRef;
      if (filter.type !== "RequestMirror" || !ref) return filter;
      const found = targetOf(ref, namespace, objects);
      if ("reason" in found) {
        problem ??= found;
        return { type: "RequestMirror" };
      }
      return { ...filter, target: found };
    });
  };
  const rules = ((route["spec"]?.rules ?? []) as Json[]).map((spec, index): CompiledRule => {
    const backends = ((spec.backendRefs ?? []) as Json[]).map((ref): Backend => {
      const filters = known(ref.filters);
      const found = targetOf(ref, namespace, objects);
      const weight = ref.weight ?? 1;
      if (!("reason" in found)) return { weight, filters, target: found };
      problem ??= found;
      return { weight, filters };
    });
    const requestTimeout = milliseconds(spec.timeouts?.request);
    const backendTimeout = milliseconds(spec.timeouts?.backendRequest);
    return {
      matches: spec.matches?.length ? spec.matches : [{ path: { type: "PathPrefix", value: "/" } }],
      rule: {
        key: `${namespace}/${name}#${index}`,
        route: { namespace, name },
        filters: known(spec.filters),
        backends,
        ...(requestTimeout ? { requestTimeout } : {}),
        ...(backendTimeout ? { backendTimeout } : {}),
      },
    };
  });
  return {
    rules,
    resolved: problem ?? condition("ResolvedRefs", true, "ResolvedRefs"),
    ...(unsupported ? { unsupported } : {}),
  };
}

/** The Service port of a reference, or the condition that says why there is none. */
function targetOf(ref: Json, namespace: string, objects: GatewayObjects): Target | Condition {
  const refuse = (reason: string, message: string) => condition("ResolvedRefs", false, reason, message);
  if ((ref.group ?? "") !== "" || (ref.kind ?? "Service") !== "Service") {
    return refuse(
      "InvalidKind",
      `backends of kind ${ref.kind ?? "Service"}${ref.group ? ` of ${ref.group}` : ""} are not served`,
    );
  }
  const target = { namespace: ref.namespace ?? namespace, service: ref.name, port: ref.port };
  const name = `${target.namespace}/${target.service}`;
  const to = { group: "", kind: "Service", namespace: target.namespace, name: target.service };
  if (!granted(objects.grants, { kind: "HTTPRoute", namespace }, to)) {
    return refuse("RefNotPermitted", `no ReferenceGrant allows the Service ${name}`);
  }
  const ports = objects.servicePorts(target.namespace, target.service);
  if (!ports) return refuse("BackendNotFound", `Service ${name} does not exist`);
  if (target.port === undefined) return refuse("BackendNotFound", `backendRef to Service ${name} names no port`);
  if (!ports.includes(target.port)) return refuse("BackendNotFound", `Service ${name} has no port ${target.port}`);
  return target;
}
