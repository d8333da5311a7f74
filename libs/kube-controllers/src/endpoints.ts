import { canonicalJson, deepEqual } from "@tiphys/canonical-json";
import { type KubeObject, types } from "@tiphys/resources";
import { hostnameOf, type Port, portsOf, triggerOf } from "./endpoint-slices.js";
import { isPodFinished, isPodReady } from "./shared.js";
import type { Write } from "./writes.js";

const MANAGED_BY = "endpoints.kubernetes.io/managed-by";
const HEADLESS = "service.kubernetes.io/headless";
/** Addresses of one object; more are cut off, as the original does. */
const MOST = 1000;

interface Address {
  readonly ip: string;
}
interface Subset {
  readonly addresses?: readonly Address[];
  readonly notReadyAddresses?: readonly Address[];
  readonly ports?: readonly object[];
}

/** The legacy Endpoints of a Service: what its slices say, in one object, for those who still read it. */
export function endpointsWrites(
  service: KubeObject,
  pods: readonly KubeObject[],
  current: KubeObject | undefined,
): Write[] {
  const subsets = subsetsOf(service, pods);
  const { name, namespace = "" } = service.metadata;
  const labels = {
    ...service.metadata.labels,
    [MANAGED_BY]: "endpoint-controller",
    ...(service.spec.clusterIP === "None" ? { [HEADLESS]: "" } : {}),
  };
  const annotations = triggerOf(service, pods);
  if (!current) {
    const object: KubeObject = {
      apiVersion: "v1",
      kind: "Endpoints",
      metadata: { name, namespace, labels, annotations },
      ...(subsets.length > 0 ? { subsets } : {}),
    };
    return [{ do: "create", type: types.endpoints, object }];
  }
  if (deepEqual(current["subsets"] ?? [], subsets) && deepEqual(current.metadata.labels ?? {}, labels)) return [];
  const gone = Object.keys(current.metadata.labels ?? {}).filter((label) => !(label in labels));
  const body = {
    metadata: { labels: { ...Object.fromEntries(gone.map((label) => [label, null])), ...labels }, annotations },
    subsets: subsets.length > 0 ? subsets : null,
  };
  return [{ do: "patch", type: types.endpoints, object: current, body }];
}

function subsetsOf(service: KubeObject, pods: readonly KubeObject[]): Subset[] {
  const always = service.spec.publishNotReadyAddresses === true;
  const groups = new Map<string, { ports: readonly Port[]; ready: Address[]; notReady: Address[] }>();
  let count = 0;
  const sorted = [...pods].sort((a, b) => ((a.status?.podIP ?? "") < (b.status?.podIP ?? "") ? -1 : 1));
  for (const pod of sorted) {
    const ip: string | undefined = pod.status?.podIP;
    if (!ip || isPodFinished(pod) || (pod.metadata.deletionTimestamp && !always)) continue;
    const ports = portsOf(service, pod);
    const portless = (service.spec.ports ?? []).length === 0 && service.spec.clusterIP === "None";
    if ((ports.length === 0 && !portless) || count++ >= MOST) continue;
    const key = canonicalJson(ports);
    const group = groups.get(key) ?? { ports, ready: [], notReady: [] };
    groups.set(key, group);
    const { name, namespace, uid } = pod.metadata;
    const hostname = hostnameOf(service, pod);
    const address = {
      ip,
      ...(hostname ? { hostname } : {}),
      ...(pod.spec?.nodeName ? { nodeName: pod.spec.nodeName } : {}),
      targetRef: { kind: "Pod", namespace, name, uid },
    };
    (always || isPodReady(pod) ? group.ready : group.notReady).push(address);
  }
  return [...groups.values()].map(({ ports, ready, notReady }) => ({
    ...(ready.length > 0 ? { addresses: ready } : {}),
    ...(notReady.length > 0 ? { notReadyAddresses: notReady } : {}),
    ...(ports.length > 0 ? { ports: ports.map(({ name, ...port }) => (name ? { name, ...port } : port)) } : {}),
  }));
}
