import type { RandomBytes } from "@tiphys/identity";
import { admitPodOfAccount } from "@tiphys/kube-access";
import type { KubeObject } from "@tiphys/resources";
import type { Store } from "../store/store.js";
import type { ServedKind } from "./kinds.js";
import { generatedName } from "./names.js";
import type { Parts } from "./parts.js";
import { admitPriority } from "./priority.js";
import { fieldError, forbidden, invalid, notFound } from "./status.js";

const NAMESPACES = { group: "", resource: "namespaces", kind: "Namespace" };

/** Refuses creation in a namespace that is not there or is going away. */
export function checkNamespace(store: Store, kind: ServedKind, object: KubeObject): void {
  const name = object.metadata.namespace ?? "";
  const namespace = store.get("/namespaces", undefined, name);
  if (!namespace) throw notFound(NAMESPACES, name);
  if (namespace.metadata.deletionTimestamp === undefined) return;
  throw forbidden(
    kind,
    object.metadata.name || (object.metadata.generateName ?? ""),
    `unable to create new content in namespace ${name} because it is being terminated`,
    {
      causes: [
        {
          reason: "NamespaceTerminating",
          message: `namespace ${name} is being terminated`,
          field: "metadata.namespace",
        },
      ],
    },
  );
}

const permanent = new Set(["default", "kube-system", "kube-public"]);
export function checkNamespaceDeletion(kind: ServedKind, name: string): void {
  if (kind.collection === "/namespaces" && permanent.has(name)) {
    throw forbidden(kind, name, "this namespace may not be deleted");
  }
}

/** Range of cluster IPs (10.96.0.0/16); the first is the API server's own. */
const IP_PREFIX = "10.96";
const NODE_PORTS = { from: 30_000, to: 32_767 };

/** Gives a new Service the address and node ports that it asks for or has to be given. */
export class ServiceAddresses {
  private readonly ips = new Set<string>();
  private readonly ports = new Set<number>();

  constructor(private readonly random: RandomBytes) {}

  hold(service: KubeObject): void {
    for (const ip of service["spec"]?.clusterIPs ?? []) this.ips.add(ip);
    for (const port of service["spec"]?.ports ?? []) if (port.nodePort) this.ports.add(port.nodePort);
  }

  release(service: KubeObject): void {
    for (const ip of service["spec"]?.clusterIPs ?? []) if (ip !== "None") this.ips.delete(ip);
    for (const port of service["spec"]?.ports ?? []) if (port.nodePort) this.ports.delete(port.nodePort);
  }

  /** Completes `service` in place; `old` keeps what it has. */
  assign(kind: ServedKind, service: KubeObject, old?: KubeObject): void {
    const spec = service["spec"];
    if (!spec || spec.type === "ExternalName") return;
    if (old && old["spec"].type !== "ExternalName") {
      spec.clusterIP ??= old["spec"].clusterIP;
      spec.clusterIPs ??= old["spec"].clusterIPs;
    }
    spec.clusterIP ||= spec.clusterIPs?.[0] ?? this.freeIp();
    const wanted = spec.clusterIP;
    if (wanted !== "None" && wanted !== old?.["spec"].clusterIP && this.ips.has(wanted)) {
      throw invalid(kind, service.metadata.name, [
        fieldError(
          "spec.clusterIPs",
          "FieldValueInvalid",
          `Invalid value: ["${wanted}"]: failed to allocate IP ${wanted}: provided IP is already allocated`,
        ),
      ]);
    }
    spec.clusterIPs ??= [wanted];
    spec.ipFamilies ??= ["IPv4"];
    spec.ipFamilyPolicy ??= "SingleStack";
    if (spec.type === "NodePort" || spec.type === "LoadBalancer") this.assignPorts(kind, service, old);
  }

  private assignPorts(kind: ServedKind, service: KubeObject, old: KubeObject | undefined): void {
    const before = (old?.["spec"].ports ?? []) as { port: number; protocol?: string; nodePort?: number }[];
    const own = new Set(before.map(({ nodePort }) => nodePort));
    for (const port of service["spec"].ports ?? []) {
      port.nodePort ??= before.find((other) => other.port === port.port && other.protocol === port.protocol)?.nodePort;
      if (port.nodePort === undefined) port.nodePort = this.freePort();
      else if (this.ports.has(port.nodePort) && !own.has(port.nodePort)) {
        throw invalid(kind, service.metadata.name, [
          fieldError(
            "spec.ports[0].nodePort",
            "FieldValueInvalid",
            `Invalid value: ${port.nodePort}: provided port is already allocated`,
          ),
        ]);
      }
      own.add(port.nodePort);
    }
  }

  private freeIp(): string {
    const [high = 0, low = 0] = this.random(2);
    for (let offset = 0, start = high * 256 + low; offset < 65_000; offset++) {
      const n = 2 + ((start + offset) % 65_000);
      const ip = `${IP_PREFIX}.${n >> 8}.${n & 255}`;
      if (!this.ips.has(ip)) return ip;
    }
    throw forbidden({ group: "", resource: "services", kind: "Service" }, "", "range of cluster IPs is full");
  }

  private freePort(): number {
    const size = NODE_PORTS.to - NODE_PORTS.from + 1;
    const [high = 0, low = 0] = this.random(2);
    for (let offset = 0, start = high * 256 + low; offset < size; offset++) {
      const port = NODE_PORTS.from + ((start + offset) % size);
      if (!this.ports.has(port)) return port;
    }
    throw forbidden({ group: "", resource: "services", kind: "Service" }, "", "range of node ports is full");
  }
}

const SECONDS_TOLERATED = 300;

/** What the admission plugins of a stock API server fill into every new pod. */
export function completePod({ store, random }: Parts, kind: ServedKind, pod: KubeObject): void {
  const spec = pod["spec"];
  if (!spec) return;
  spec.serviceAccountName ||= spec.serviceAccount;
  const { namespace, name, generateName = "" } = pod.metadata;
  const problem = admitPodOfAccount(
    pod,
    (account) => store.get("/serviceaccounts", namespace, account),
    (base) => generatedName(base, random),
  );
  if (problem) throw forbidden(kind, name || generateName, problem);
  if (spec.serviceAccountName) spec.serviceAccount = spec.serviceAccountName;
  else delete spec.serviceAccountName;
  admitPriority(store, kind, pod);
  const tolerations = (spec.tolerations ?? []) as { key?: string; effect?: string; operator?: string }[];
  for (const key of ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]) {
    const tolerated = tolerations.some(
      (toleration) =>
        (toleration.key === key || (!toleration.key && toleration.operator === "Exists")) &&
        (!toleration.effect || toleration.effect === "NoExecute"),
    );
    if (tolerated) continue;
    spec.tolerations = [
      ...(spec.tolerations ?? []),
      { key, operator: "Exists", effect: "NoExecute", tolerationSeconds: SECONDS_TOLERATED },
    ];
  }
}
