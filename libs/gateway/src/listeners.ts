import type { KubeObject } from "@tiphys/resources";
import { type Condition, condition, type GatewayObjects, GROUP, type Json, type Reference } from "./model.js";
import { matchLabels } from "./selector.js";

/** A listener of a Gateway of ours, judged. */
export interface Listener {
  readonly gateway: KubeObject;
  readonly spec: Json;
  readonly key: string;
  readonly protocol?: "HTTP" | "HTTPS";
  readonly certificates: readonly Reference[];
  readonly kinds: readonly string[];
  readonly conditions: readonly Condition[];
  /** False: it takes no requests. */
  readonly served: boolean;
}

/** Kinds of routes that a listener may have by its protocol. */
const ROUTES: Readonly<Record<string, readonly string[]>> = { HTTP: ["HTTPRoute"], HTTPS: ["HTTPRoute"] };

export function judgeListeners(gateway: KubeObject, objects: GatewayObjects): readonly Listener[] {
  const listeners: readonly Json[] = gateway["spec"]?.listeners ?? [];
  return listeners.map((spec) => judge(gateway, spec, listeners, objects));
}

function judge(gateway: KubeObject, spec: Json, all: readonly Json[], objects: GatewayObjects): Listener {
  const namespace = gateway.metadata.namespace ?? "";
  const protocol = spec.protocol === "HTTP" || spec.protocol === "HTTPS" ? spec.protocol : undefined;
  const passthrough = spec.tls?.mode === "Passthrough";
  const accepted = acceptance(spec, protocol, objects, passthrough);
  const conflict = conflictOf(spec, all);
  const kinds = kindsOf(spec, protocol);
  const { certificates, problem } = protocol === "HTTPS" ? certificatesOf(namespace, spec, objects) : NONE;
  const resolved =
    kinds.problem !== undefined
      ? condition("ResolvedRefs", false, "InvalidRouteKinds", kinds.problem)
      : (problem ?? condition("ResolvedRefs", true, "ResolvedRefs"));
  const served =
    accepted.status === "True" && conflict.status === "False" && (protocol !== "HTTPS" || certificates.length > 0);
  return {
    gateway,
    spec,
    key: `${namespace}/${gateway.metadata.name}/${spec.name}`,
    ...(protocol ? { protocol } : {}),
    certificates,
    kinds: kinds.names,
    served,
    conditions: [
      accepted,
      conflict,
      served
        ? condition("Programmed", true, "Programmed")
        : condition("Programmed", false, "Invalid", "the listener takes no requests: see its other conditions"),
      resolved,
    ],
  };
}

const NONE: { readonly certificates: readonly Reference[]; readonly problem?: Condition } = { certificates: [] };

function acceptance(
  spec: Json,
  protocol: "HTTP" | "HTTPS" | undefined,
  objects: GatewayObjects,
  passthrough: boolean,
): Condition {
  if (!protocol || passthrough) {
    const what = passthrough ? "TLS passthrough" : `protocol ${spec.protocol}`;
    return condition(
      "Accepted",
      false,
      "UnsupportedProtocol",
      `${what} is not implemented yet: see docs/compatibility.md`,
    );
  }
  const problem = objects.portProblem(protocol, spec.port);
  return problem === undefined
    ? condition("Accepted", true, "Accepted")
    : condition("Accepted", false, "PortUnavailable", problem);
}

/** Listeners of one port speak one protocol, and each has a hostname of its own. */
function conflictOf(spec: Json, all: readonly Json[]): Condition {
  const others = all.filter((one) => one !== spec && one.port === spec.port);
  const other = others.find((one) => one.protocol !== spec.protocol);
  if (other) {
    return condition(
      "Conflicted",
      true,
      "ProtocolConflict",
      `listener ${other.name} has port ${spec.port} with ${other.protocol}`,
    );
  }
  const twin = others.find((one) => (one.hostname ?? "") === (spec.hostname ?? ""));
  return twin
    ? condition("Conflicted", true, "HostnameConflict", `listener ${twin.name} has the same port and hostname`)
    : condition("Conflicted", false, "NoConflicts");
}

function kindsOf(
  spec: Json,
  protocol: string | undefined,
): { readonly names: readonly string[]; readonly problem?: string } {
  const possible = ROUTES[protocol ?? ""] ?? [];
  const wanted: readonly Json[] | undefined = spec.allowedRoutes?.kinds;
  if (!wanted || wanted.length === 0) return { names: possible };
  const good = wanted.filter(({ group = GROUP, kind }) => group === GROUP && possible.includes(kind));
  const bad = wanted.filter((one) => !good.includes(one)).map(({ kind }) => kind);
  const names = good.map(({ kind }) => String(kind));
  return bad.length === 0 ? { names } : { names, problem: `routes of kind ${bad.sort().join(", ")} are not served` };
}

function certificatesOf(
  namespace: string,
  spec: Json,
  objects: GatewayObjects,
): { readonly certificates: readonly Reference[]; readonly problem?: Condition } {
  const certificates: Reference[] = [];
  let problem: Condition | undefined;
  const refs: readonly Json[] = spec.tls?.certificateRefs ?? [];
  if (refs.length === 0) {
    problem = condition("ResolvedRefs", false, "InvalidCertificateRef", "tls.certificateRefs is empty");
  }
  for (const ref of refs) {
    const target = { namespace: ref.namespace ?? namespace, name: ref.name };
    const name = `${target.namespace}/${target.name}`;
    if ((ref.group ?? "") !== "" || (ref.kind ?? "Secret") !== "Secret") {
      problem ??= condition("ResolvedRefs", false, "InvalidCertificateRef", `${ref.kind} ${ref.name} is no Secret`);
    } else if (!granted(objects.grants, { kind: "Gateway", namespace }, { group: "", kind: "Secret", ...target })) {
      problem ??= condition("ResolvedRefs", false, "RefNotPermitted", `no ReferenceGrant allows the Secret ${name}`);
    } else {
      const wrong = objects.certificateProblem(target.namespace, target.name);
      if (wrong === undefined) certificates.push(target);
      else problem ??= condition("ResolvedRefs", false, "InvalidCertificateRef", `Secret ${name} ${wrong}`);
    }
  }
  return { certificates, ...(problem ? { problem } : {}) };
}

/** Whether an object may refer to one of another namespace. */
export function granted(
  grants: readonly KubeObject[],
  from: { readonly kind: string; readonly namespace: string },
  to: { readonly group: string; readonly kind: string; readonly namespace: string; readonly name: string },
): boolean {
  if (from.namespace === to.namespace) return true;
  return grants.some(
    (grant) =>
      grant.metadata.namespace === to.namespace &&
      (grant["spec"]?.from ?? []).some(
        (one: Json) => one.group === GROUP && one.kind === from.kind && one.namespace === from.namespace,
      ) &&
      (grant["spec"]?.to ?? []).some(
        (one: Json) => (one.group ?? "") === to.group && one.kind === to.kind && (!one.name || one.name === to.name),
      ),
  );
}

/** Whether a listener takes routes from a namespace. */
export function allowsNamespace({ gateway, spec }: Listener, namespace: string, objects: GatewayObjects): boolean {
  const { from = "Same", selector } = spec.allowedRoutes?.namespaces ?? {};
  if (from === "All") return true;
  if (from === "Selector") {
    const labels = objects.namespaceLabels(namespace);
    return labels !== undefined && matchLabels(selector, labels);
  }
  return namespace === gateway.metadata.namespace;
}
