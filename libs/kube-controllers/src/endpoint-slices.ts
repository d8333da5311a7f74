import { canonicalJson, deepEqual } from "@tiphys/canonical-json";
import type { Plan, Reconciler, Watch } from "@tiphys/controller";
import { type EventRecorder, type Informers, matchesSelector } from "@tiphys/kube";
import { controllerRef, type KubeObject, keyOf, type ObjectKey, types } from "@tiphys/resources";
import { endpointsWrites } from "./endpoints.js";
import { conditionOf, isPodFinished, isPodReady } from "./shared.js";
import { describeWrite, perform, type Write } from "./writes.js";

const MANAGED_BY = "endpointslice.kubernetes.io/managed-by";
const MANAGER = "endpointslice-controller.k8s.io";
const SERVICE_NAME = "kubernetes.io/service-name";
const ZONE = "topology.kubernetes.io/zone";
const HEADLESS = "service.kubernetes.io/headless";
/** Endpoints in one slice, as the original. */
const SLICE = 100;

export interface ServiceState {
  readonly service: KubeObject;
  readonly pods: readonly KubeObject[];
  readonly slices: readonly KubeObject[];
  /** The legacy object of the same name. */
  readonly endpoints?: KubeObject | undefined;
  /** Zone of a node by its name. */
  readonly zoneOf?: (node: string) => string | undefined;
}

export interface Port {
  readonly name: string;
  readonly port: number;
  readonly protocol: string;
  readonly appProtocol?: string;
}

/** Keeps the EndpointSlices of every Service with a selector. */
export function endpointSliceReconciler(deps: {
  readonly informers: Informers;
  readonly events: EventRecorder;
}): Reconciler<ServiceState, Write, KubeObject | undefined> {
  const pods = deps.informers.informer(types.pods);
  const slices = deps.informers.informer(types.endpointSlices);
  const legacy = deps.informers.informer(types.endpoints);
  const nodes = deps.informers.informer(types.nodes);
  const zoneOf = (name: string) => nodes.get({ name })?.metadata.labels?.[ZONE];
  const writing = { client: deps.informers.client, events: deps.events, manager: "kube-controller-manager" };
  return {
    async observe(service) {
      const { selector, type } = service.spec ?? {};
      if (!selector || type === "ExternalName" || service.metadata.deletionTimestamp) return undefined;
      return {
        service,
        pods: pods
          .list(service.metadata.namespace)
          .filter((pod) => matchesSelector({ matchLabels: selector }, pod.metadata.labels)),
        slices: slices
          .byIndex("owner", service.metadata.uid ?? "")
          .filter((slice) => slice.metadata.labels?.[MANAGED_BY] === MANAGER),
        endpoints: legacy.get(keyOf(service)),
        zoneOf,
      };
    },
    plan: planEndpointSlices,
    act: (write, signal) => perform(write, writing, signal),
    describe: describeWrite,
    digestOf: ({ service, pods: matching }) => ({
      selector: service.spec.selector,
      ports: service.spec.ports,
      pods: matching.map((pod) => ({ name: pod.metadata.name, ip: pod.status?.podIP, ready: isPodReady(pod) })),
    }),
  };
}

/** Services that select a pod, before or after its change. */
export function servicesOfPods(informers: Informers): Watch {
  const services = informers.informer(types.services);
  return {
    resource: types.pods,
    keys({ object, previous }) {
      const keys: ObjectKey[] = [];
      for (const service of services.list(object.metadata.namespace)) {
        const { selector } = service.spec ?? {};
        if (!selector) continue;
        const chosen = [object, previous].some(
          (pod) => pod && matchesSelector({ matchLabels: selector }, pod.metadata.labels),
        );
        if (chosen) keys.push({ namespace: service.metadata.namespace ?? "", name: service.metadata.name });
      }
      return keys;
    },
  };
}

export function planEndpointSlices({ service, pods, slices, endpoints, zoneOf }: ServiceState): Plan<Write> {
  const wanted = wantedSlices(service, pods, zoneOf ?? (() => undefined));
  const actions: Write[] = [];
  const annotations = triggerOf(service, pods);
  const free = [...slices].sort((a, b) => a.metadata.name.localeCompare(b.metadata.name));
  for (const next of wanted) {
    // The ports tell slices apart: clients that follow one slice should see its addresses change, not its meaning.
    const at = free.findIndex((slice) => deepEqual(slice.ports ?? [], next.ports));
    const current = free.splice(Math.max(at, 0), 1)[0];
    if (!current) actions.push(createSlice(service, next, annotations));
    else if (!deepEqual(current.ports ?? [], next.ports) || !deepEqual(current.endpoints ?? [], next.endpoints)) {
      const body = { ...next, metadata: { annotations } };
      actions.push({ do: "patch", type: types.endpointSlices, object: current, body });
    }
  }
  for (const object of free) actions.push({ do: "delete", type: types.endpointSlices, object });
  actions.push(...endpointsWrites(service, pods, endpoints));
  const reasons = wanted.some((slice) => slice.endpoints.length > 0)
    ? []
    : [{ code: "NoEndpoints", message: "no pod with an address matches spec.selector", about: "spec.selector" }];
  return { actions, reasons };
}

function wantedSlices(service: KubeObject, pods: readonly KubeObject[], zoneOf: (node: string) => string | undefined) {
  const groups = new Map<string, { ports: Port[]; endpoints: Record<string, unknown>[] }>();
  const sorted = [...pods].sort((a, b) => a.metadata.name.localeCompare(b.metadata.name));
  for (const pod of sorted) {
    const address = pod.status?.podIP;
    if (!address || isPodFinished(pod)) continue;
    const ports = portsOf(service, pod);
    const key = canonicalJson(ports);
    const group = groups.get(key) ?? { ports, endpoints: [] };
    groups.set(key, group);
    const terminating = pod.metadata.deletionTimestamp !== undefined;
    const serving = isPodReady(pod);
    const always = service.spec.publishNotReadyAddresses === true;
    const hostname = hostnameOf(service, pod);
    const zone = pod.spec?.nodeName ? zoneOf(pod.spec.nodeName) : undefined;
    group.endpoints.push({
      addresses: [address],
      conditions: { ready: always || (serving && !terminating), serving, terminating },
      ...(hostname ? { hostname } : {}),
      ...(pod.spec?.nodeName ? { nodeName: pod.spec.nodeName } : {}),
      ...(zone ? { zone } : {}),
      targetRef: {
        kind: "Pod",
        name: pod.metadata.name,
        namespace: pod.metadata.namespace,
        uid: pod.metadata.uid,
      },
    });
  }
  if (groups.size === 0) return [{ ports: [], endpoints: [] }];
  return [...groups.values()].flatMap(({ ports, endpoints }) => {
    const parts: { ports: Port[]; endpoints: Record<string, unknown>[] }[] = [];
    for (let from = 0; from < endpoints.length; from += SLICE) {
      parts.push({ ports, endpoints: endpoints.slice(from, from + SLICE) });
    }
    return parts;
  });
}

/** The name that a headless Service gives a pod. */
export const hostnameOf = (service: KubeObject, pod: KubeObject): string | undefined =>
  pod.spec?.hostname && pod.spec?.subdomain === service.metadata.name ? pod.spec.hostname : undefined;

/** When the last change happened that an address follows from. */
export function triggerOf(service: KubeObject, pods: readonly KubeObject[]): Record<string, string> {
  const times = pods.flatMap((pod) => conditionOf(pod, "Ready")?.lastTransitionTime ?? []);
  const last = [service.metadata.creationTimestamp ?? "", ...times].sort().at(-1) ?? "";
  return { "endpoints.kubernetes.io/last-change-trigger-time": last };
}

/** The Service's ports as this pod serves them; a port name the pod does not have is left out. */
export function portsOf(service: KubeObject, pod: KubeObject): Port[] {
  const ports: Port[] = [];
  for (const { name = "", port, targetPort, protocol = "TCP", appProtocol } of service.spec.ports ?? []) {
    const number = typeof targetPort === "string" ? namedPort(pod, targetPort, protocol) : (targetPort ?? port);
    if (number === undefined) continue;
    ports.push({ name, port: number, protocol, ...(appProtocol ? { appProtocol } : {}) });
  }
  return ports;
}

function namedPort(pod: KubeObject, name: string, protocol: string): number | undefined {
  for (const container of pod.spec?.containers ?? []) {
    for (const port of container.ports ?? []) {
      if (port.name === name && (port.protocol ?? "TCP") === protocol) return port.containerPort;
    }
  }
  return undefined;
}

function createSlice(
  service: KubeObject,
  { ports, endpoints }: { ports: Port[]; endpoints: Record<string, unknown>[] },
  annotations: Record<string, string>,
): Write {
  const { name, namespace = "", labels } = service.metadata;
  return {
    do: "create",
    type: types.endpointSlices,
    object: {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: {
        name: "",
        generateName: `${name}-`,
        namespace,
        labels: {
          ...labels,
          [MANAGED_BY]: MANAGER,
          [SERVICE_NAME]: name,
          ...(service.spec.clusterIP === "None" ? { [HEADLESS]: "" } : {}),
        },
        annotations,
        ownerReferences: [controllerRef(service)],
      },
      addressType: "IPv4",
      endpoints,
      ports: ports.length > 0 ? ports : null,
    },
  };
}
