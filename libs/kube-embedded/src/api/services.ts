// biome-ignore-all lint/suspicious/noExplicitAny: specs were decoded and defaulted as Services before
import { deepEqual } from "@tiphys/canonical-json";
import type { RandomBytes } from "@tiphys/identity";
import { type FieldError, isHealthChecked, validateClusterIps } from "@tiphys/kube-schema";
import type { KubeObject } from "@tiphys/resources";
import type { ServedKind } from "./kinds.js";
import { fieldError, internal, invalid } from "./status.js";

/** Range of cluster IPs; the first is the API server's own. */
const IP_PREFIX = "10.96";
const IP_RANGE = `${IP_PREFIX}.0.0/16`;
const NODE_PORTS = { from: 30_000, to: 32_767 };
/** What a dry run shows for a port that would be given. */
const NO_PORT = 32_769;
/** The one family of this cluster. */
const FAMILY = "IPv4";

const NONE = "None";
const isExternal = (spec: any): boolean => spec.type === "ExternalName";
const hasNodePorts = ({ type }: any): boolean => type === "NodePort" || type === "LoadBalancer";
const wantsNodePorts = (spec: any): boolean =>
  spec.type === "NodePort" || (spec.type === "LoadBalancer" && spec.allocateLoadBalancerNodePorts !== false);
const isReachable = (spec: any): boolean =>
  hasNodePorts(spec) || (spec.type === "ClusterIP" && spec.externalIPs?.length > 0);
const wrong = (field: string, value: unknown, problem: string): FieldError =>
  fieldError(field, "FieldValueInvalid", `Invalid value: ${JSON.stringify(value)}: ${problem}`);

/** Gives Services the addresses and node ports that they ask for or have to be given, and knows which are taken. */
export class ServiceAddresses {
  private readonly ips = new Set<string>();
  private readonly ports = new Set<number>();

  constructor(private readonly random: RandomBytes) {}

  hold(service: KubeObject): void {
    for (const ip of service["spec"]?.clusterIPs ?? []) if (ip !== NONE) this.ips.add(ip);
    for (const port of portsOf(service)) this.ports.add(port);
  }

  release(service: KubeObject): void {
    for (const ip of service["spec"]?.clusterIPs ?? []) this.ips.delete(ip);
    for (const port of portsOf(service)) this.ports.delete(port);
  }

  /** Completes `service` in place; `old` keeps what it has. Refusals are about addresses and ports alone. */
  assign(kind: ServedKind, service: KubeObject, old: KubeObject | undefined, dryRun: boolean): void {
    if (!service["spec"]) return;
    const spec = { ...service["spec"] };
    if (spec.ports) spec.ports = spec.ports.map((port: any) => ({ ...port }));
    service["spec"] = spec;
    const was = old?.["spec"];
    if (was) keepAllocated(spec, was);
    normalizeIps(spec, was);
    const refuse = (errors: readonly FieldError[]) => {
      if (errors.length > 0) throw invalid(kind, service.metadata.name ?? "", errors);
    };
    initFamilies(spec, was, refuse);
    if (!isExternal(spec) && spec.clusterIPs?.[0] !== NONE && (!was || isExternal(was)))
      this.giveIps(spec, dryRun, refuse);
    if (hasNodePorts(spec)) this.givePorts(spec, was, dryRun, refuse);
    if (isHealthChecked(spec) && !(was && isHealthChecked(was))) this.giveHealthPort(spec, dryRun);
    if (was) dropOfOtherTypes(spec, was);
  }

  private giveIps(spec: any, dryRun: boolean, refuse: (errors: readonly FieldError[]) => void): void {
    const ips: string[] = [...(spec.clusterIPs ?? [])];
    for (const at of (spec.ipFamilies ?? []).keys()) {
      const wanted = ips[at];
      if (!wanted) {
        ips[at] = this.freeIp();
        continue;
      }
      const problem = !isInRange(wanted)
        ? `the provided IP (${wanted}) is not in the valid range. The range of valid IPs is ${IP_RANGE}`
        : this.ips.has(wanted) && !dryRun
          ? "provided IP is already allocated"
          : undefined;
      if (problem) refuse([wrong("spec.clusterIPs", ips, `failed to allocate IP ${wanted}: ${problem}`)]);
    }
    spec.clusterIPs = ips;
    spec.clusterIP = ips[0];
  }

  private givePorts(spec: any, was: any, dryRun: boolean, refuse: (errors: readonly FieldError[]) => void): void {
    const before = new Set<number>((was?.ports ?? []).map(({ nodePort }: any) => nodePort).filter(Boolean));
    const given = new Set<number>();
    /** Ports of several protocols share a node port. */
    const ofPort = new Map<number, number>();
    const firstOf = new Map<number, number>();
    for (const port of spec.ports ?? []) if (port.nodePort && !was) ofPort.set(port.port, port.nodePort);
    for (const [at, port] of (spec.ports ?? []).entries()) {
      if (!port.nodePort) {
        if (!wantsNodePorts(spec)) continue;
        const shared = was ? undefined : ofPort.get(port.port);
        port.nodePort = shared ?? this.freePort(given, dryRun);
        if (shared === undefined) given.add(port.nodePort);
        if (!was) ofPort.set(port.port, port.nodePort);
        if (shared === undefined || given.has(shared)) continue;
      }
      const wanted: number = port.nodePort;
      const isShared = given.has(wanted) && (was !== undefined || firstOf.get(wanted) === port.port);
      if (!firstOf.has(wanted)) firstOf.set(wanted, port.port);
      if (before.has(wanted) || isShared) continue;
      const problem = this.portProblem(wanted, given, dryRun);
      if (problem) refuse([wrong(`spec.ports[${at}].nodePort`, wanted, problem)]);
      given.add(wanted);
    }
  }

  private giveHealthPort(spec: any, dryRun: boolean): void {
    const wanted: number = spec.healthCheckNodePort ?? 0;
    const own = new Set<number>((spec.ports ?? []).map(({ nodePort }: any) => nodePort).filter(Boolean));
    if (!wanted) {
      spec.healthCheckNodePort = this.freePort(own, dryRun);
      return;
    }
    const problem = this.portProblem(wanted, own, dryRun);
    if (!problem) return;
    throw internal(`failed to allocate requested HealthCheck NodePort ${wanted}: ${problem}`, true);
  }

  /** A dry run looks at nothing but the request itself. */
  private portProblem(port: number, besides: ReadonlySet<number>, dryRun: boolean): string | undefined {
    if (!dryRun && (port < NODE_PORTS.from || port > NODE_PORTS.to)) {
      return `provided port is not in the valid range. The range of valid ports is ${NODE_PORTS.from}-${NODE_PORTS.to}`;
    }
    return besides.has(port) || (!dryRun && this.ports.has(port)) ? "provided port is already allocated" : undefined;
  }

  private freeIp(): string {
    const [high = 0, low = 0] = this.random(2);
    for (let offset = 0, start = high * 256 + low; offset < 65_000; offset++) {
      const n = 2 + ((start + offset) % 65_000);
      const ip = `${IP_PREFIX}.${n >> 8}.${n & 255}`;
      if (!this.ips.has(ip)) return ip;
    }
    throw internal("failed to allocate a serviceIP: range is full", true);
  }

  private freePort(besides: ReadonlySet<number>, dryRun: boolean): number {
    if (dryRun) return besides.size === 0 ? NO_PORT : Math.max(...besides) + 1;
    const size = NODE_PORTS.to - NODE_PORTS.from + 1;
    const [high = 0, low = 0] = this.random(2);
    for (let offset = 0, start = high * 256 + low; offset < size; offset++) {
      const port = NODE_PORTS.from + ((start + offset) % size);
      if (!this.ports.has(port) && !besides.has(port)) return port;
    }
    throw internal("failed to allocate a nodePort: range is full", true);
  }
}

function portsOf(service: KubeObject): number[] {
  const { ports = [], healthCheckNodePort } = service["spec"] ?? {};
  return [...ports.map(({ nodePort }: any) => nodePort), healthCheckNodePort].filter(Boolean);
}

/** The first and the last address of the range belong to nobody. */
const isInRange = (ip: string): boolean =>
  ip.startsWith(`${IP_PREFIX}.`) && ip !== `${IP_PREFIX}.0.0` && ip !== `${IP_PREFIX}.255.255`;

/** What a client may leave out of an update: it stays as it is. */
function keepAllocated(spec: any, was: any): void {
  if (!isExternal(spec) && !isExternal(was)) {
    spec.clusterIP ||= was.clusterIP;
    if (!spec.clusterIPs?.length && was.clusterIPs?.length) spec.clusterIPs = was.clusterIPs;
  }
  if (wantsNodePorts(spec) && wantsNodePorts(was)) {
    const isNow = new Set((spec.ports ?? []).map(({ nodePort }: any) => nodePort));
    const used = new Set((was.ports ?? []).map(({ nodePort }: any) => nodePort).filter((port: any) => isNow.has(port)));
    const ofName = new Map((was.ports ?? []).map(({ name = "", nodePort }: any) => [name, nodePort]));
    for (const port of spec.ports ?? []) {
      const before = ofName.get(port.name ?? "");
      if (!port.nodePort && before && !used.has(before)) port.nodePort = before;
    }
  }
  if (isHealthChecked(spec) && isHealthChecked(was)) spec.healthCheckNodePort ||= was.healthCheckNodePort;
}

/** Keeps the one cluster IP and the list of all in step. */
function normalizeIps(spec: any, was: any): void {
  if (!was) {
    if (spec.clusterIP && !spec.clusterIPs?.length) spec.clusterIPs = [spec.clusterIP];
    return;
  }
  if (was.clusterIPs?.length && !spec.clusterIPs?.length && was.clusterIP === spec.clusterIP) {
    spec.clusterIPs = was.clusterIPs;
  }
  if (was.clusterIP === spec.clusterIP || !deepEqual(was.clusterIPs, spec.clusterIPs)) return;
  if (was.clusterIP && !spec.clusterIP) delete spec.clusterIPs;
  else spec.clusterIPs = [spec.clusterIP];
}

function initFamilies(spec: any, was: any, refuse: (errors: readonly FieldError[]) => void): void {
  if (isExternal(spec)) return;
  const isOpen = spec.clusterIP === NONE && Object.keys(spec.selector ?? {}).length === 0;
  spec.ipFamilyPolicy ??= was?.ipFamilyPolicy ?? (isOpen ? "RequireDualStack" : "SingleStack");
  refuse(validateClusterIps(spec, was));
  const errors: FieldError[] = [];
  const policy = (problem: string) => errors.push(wrong("spec.ipFamilyPolicy", spec.ipFamilyPolicy, problem));
  if (spec.ipFamilyPolicy === "SingleStack") {
    const both = "must be 'RequireDualStack' or 'PreferDualStack' when multiple";
    if (was && deepEqual(was.ipFamilies, spec.ipFamilies) && spec.ipFamilies?.length > 1) {
      spec.ipFamilies = spec.ipFamilies.slice(0, 1);
    }
    if (spec.clusterIPs?.length === 2) policy(`${both} cluster IPs are specified`);
    if (spec.ipFamilies?.length === 2) policy(`${both} IP families are specified`);
  }
  for (const [at, ip] of (spec.clusterIPs ?? []).entries()) {
    if (ip === NONE) break;
    if (at < (spec.ipFamilies?.length ?? 0)) continue;
    const family = ip.includes(":") ? "IPv6" : "IPv4";
    if (family === FAMILY) spec.ipFamilies = [...(spec.ipFamilies ?? []), family];
    else errors.push(wrong(`spec.clusterIPs[${at}]`, spec.clusterIPs, `${family} is not configured on this cluster`));
  }
  refuse(errors);
  if (isOpen) {
    spec.ipFamilies ??= [FAMILY];
    if (spec.ipFamilies.length < 2 && spec.ipFamilyPolicy !== "SingleStack") {
      spec.ipFamilies = [...spec.ipFamilies, spec.ipFamilies[0] === "IPv4" ? "IPv6" : "IPv4"];
    }
    return;
  }
  if (spec.ipFamilyPolicy === "RequireDualStack") policy("this cluster is not configured for dual-stack services");
  for (const [at, family] of (spec.ipFamilies ?? []).entries()) {
    if (family !== FAMILY) errors.push(wrong(`spec.ipFamilies[${at}]`, family, "not configured on this cluster"));
  }
  refuse(errors);
  spec.ipFamilies ??= [FAMILY];
}

/** What belonged to the type that a Service had, and that nobody asked to keep. */
function dropOfOtherTypes(spec: any, was: any): void {
  const same = (field: string) => deepEqual(spec[field], was[field]);
  if (!isExternal(was) && isExternal(spec)) {
    if (same("clusterIP") && same("clusterIPs")) {
      delete spec.clusterIP;
      delete spec.clusterIPs;
    }
    if (same("ipFamilies")) delete spec.ipFamilies;
    if (same("ipFamilyPolicy")) delete spec.ipFamilyPolicy;
    if (same("internalTrafficPolicy")) delete spec.internalTrafficPolicy;
  }
  const nodePorts = ({ ports = [] }: any) => ports.map(({ nodePort }: any) => nodePort);
  if (wantsNodePorts(was) && !wantsNodePorts(spec) && deepEqual(nodePorts(spec), nodePorts(was))) {
    for (const port of spec.ports ?? []) delete port.nodePort;
  }
  if (isHealthChecked(was) && !isHealthChecked(spec) && same("healthCheckNodePort")) delete spec.healthCheckNodePort;
  if (was.type === "LoadBalancer" && spec.type !== "LoadBalancer") {
    if (same("allocateLoadBalancerNodePorts")) delete spec.allocateLoadBalancerNodePorts;
    if (same("loadBalancerClass")) delete spec.loadBalancerClass;
  }
  if (isReachable(was) && !isReachable(spec) && same("externalTrafficPolicy")) delete spec.externalTrafficPolicy;
}
