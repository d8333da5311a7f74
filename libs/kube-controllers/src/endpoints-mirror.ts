import { isIP } from "node:net";
import { deepEqual } from "@tiphys/canonical-json";
import type { Plan, Reconciler, Watch } from "@tiphys/controller";
import type { EventRecorder, Informers } from "@tiphys/kube";
import { controllerRef, type KubeObject, types } from "@tiphys/resources";
import { describeWrite, perform, type Write } from "./writes.js";

const MANAGER = "endpointslicemirroring-controller.k8s.io";
const SLICE_MANAGED_BY = "endpointslice.kubernetes.io/managed-by";
const MANAGED_BY = "endpoints.kubernetes.io/managed-by";
const SKIP = "endpointslice.kubernetes.io/skip-mirror";
const LEADER = "control-plane.alpha.kubernetes.io/leader";
const TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time";

interface MirrorState {
  readonly endpoints: KubeObject;
  readonly slices: readonly KubeObject[];
  readonly wanted: boolean;
}

/** Endpoints that users keep for a Service without selector become slices, which is what is read. */
export function endpointsMirrorReconciler(deps: {
  readonly informers: Informers;
  readonly events: EventRecorder;
}): Reconciler<MirrorState, Write, KubeObject | undefined> {
  const services = deps.informers.informer(types.services);
  const slices = deps.informers.informer(types.endpointSlices);
  const writing = { client: deps.informers.client, events: deps.events, manager: "kube-controller-manager" };
  return {
    async observe(endpoints) {
      const { namespace = "", name, uid = "", labels = {}, annotations = {} } = endpoints.metadata;
      const service = services.get({ namespace, name });
      const own = slices.byIndex("owner", uid).filter((slice) => slice.metadata.labels?.[SLICE_MANAGED_BY] === MANAGER);
      const wanted =
        service !== undefined &&
        !service.spec?.selector &&
        labels[SKIP] !== "true" &&
        labels[MANAGED_BY] === undefined &&
        annotations[LEADER] === undefined;
      return wanted || own.length > 0 ? { endpoints, slices: own, wanted } : undefined;
    },
    plan: planMirror,
    act: (write, signal) => perform(write, writing, signal),
    describe: describeWrite,
    digestOf: ({ endpoints }) => ({ subsets: endpoints["subsets"] }),
  };
}

export const mirrorWatches: readonly Watch[] = [
  { resource: types.endpointSlices, keys: "owner" },
  {
    resource: types.services,
    keys: ({ object: { metadata } }) => [{ namespace: metadata.namespace ?? "", name: metadata.name }],
  },
];

interface Address {
  readonly ip: string;
  readonly hostname?: string;
  readonly nodeName?: string;
  readonly targetRef?: object;
}
interface Subset {
  readonly addresses?: readonly Address[];
  readonly notReadyAddresses?: readonly Address[];
  readonly ports?: readonly { readonly name?: string; readonly port: number; readonly protocol?: string }[];
}

function planMirror({ endpoints, slices, wanted }: MirrorState): Plan<Write> {
  const contents = wanted ? ((endpoints["subsets"] ?? []) as Subset[]).flatMap(contentsOf) : [];
  const actions: Write[] = [];
  const free = [...slices];
  const { labels, annotations, name, namespace = "" } = endpoints.metadata;
  const { [TRIGGER]: _trigger, ...handed } = annotations ?? {};
  for (const content of contents) {
    const at = free.findIndex(({ addressType }) => addressType === content.addressType);
    const current = at < 0 ? undefined : free.splice(at, 1)[0];
    if (!current) {
      const metadata = {
        name: "",
        generateName: `${name}-`,
        namespace,
        labels: { ...labels, "kubernetes.io/service-name": name, [SLICE_MANAGED_BY]: MANAGER },
        ...(Object.keys(handed).length > 0 ? { annotations: handed } : {}),
        ownerReferences: [controllerRef({ ...endpoints, apiVersion: "v1", kind: "Endpoints" })],
      };
      const object = { apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", metadata, ...content };
      actions.push({ do: "create", type: types.endpointSlices, object });
    } else if (!deepEqual(current["endpoints"], content.endpoints) || !deepEqual(current["ports"], content.ports)) {
      const { addressType: _type, ...body } = content;
      actions.push({ do: "patch", type: types.endpointSlices, object: current, body });
    }
  }
  for (const object of free) actions.push({ do: "delete", type: types.endpointSlices, object });
  return { actions, reasons: [] };
}

/** One slice for each family of addresses. */
function contentsOf({ addresses = [], notReadyAddresses = [], ports = [] }: Subset) {
  return (["IPv4", "IPv6"] as const).flatMap((addressType) => {
    const endpoint =
      (ready: boolean) =>
      ({ ip, hostname, nodeName, targetRef }: Address) =>
        isIP(ip) === (addressType === "IPv4" ? 4 : 6)
          ? [
              {
                addresses: [ip],
                conditions: { ready },
                ...(hostname ? { hostname } : {}),
                ...(nodeName ? { nodeName } : {}),
                ...(targetRef ? { targetRef } : {}),
              },
            ]
          : [];
    const endpoints = [...addresses.flatMap(endpoint(true)), ...notReadyAddresses.flatMap(endpoint(false))];
    if (endpoints.length === 0) return [];
    return [{ addressType, endpoints, ports: ports.map(({ name = "", ...port }) => ({ name, ...port })) }];
  });
}
