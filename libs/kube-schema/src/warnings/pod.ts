// biome-ignore-all lint/suspicious/noExplicitAny: objects were decoded against their schemas and defaulted before
import { formatIp, isDnsLabel, parseIp, parseQuantity } from "@tiphys/kube-values";
import { volumeKinds } from "./volume-kinds.js";

const renamedLabels: Readonly<Record<string, readonly [since: string, now: string]>> = {
  "beta.kubernetes.io/arch": ["v1.14", "kubernetes.io/arch"],
  "beta.kubernetes.io/os": ["v1.14", "kubernetes.io/os"],
  "failure-domain.beta.kubernetes.io/region": ["v1.17", "topology.kubernetes.io/region"],
  "failure-domain.beta.kubernetes.io/zone": ["v1.17", "topology.kubernetes.io/zone"],
  "beta.kubernetes.io/instance-type": ["v1.17", "node.kubernetes.io/instance-type"],
};

const renamed = (label: string): string | undefined => {
  const found = renamedLabels[label];
  return found && `deprecated since ${found[0]}; use "${found[1]}" instead`;
};

const deprecatedAnnotations: Readonly<Record<string, string>> = {
  "scheduler.alpha.kubernetes.io/critical-pod": 'non-functional in v1.16+; use the "priorityClassName" field instead',
  "security.alpha.kubernetes.io/sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
  "security.alpha.kubernetes.io/unsafe-sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
};

/** Begins the annotations that said a container's profile before there was a field for it; its name follows. */
export const APPARMOR = "container.apparmor.security.beta.kubernetes.io/";

/** A pod's name becomes its host's, which has to be a label; `use` says how the name comes there. */
export function hostNameWarnings({ metadata }: any, use: string): string[] {
  const problems = isDnsLabel(metadata.name ?? "");
  if (problems.length === 0) return [];
  const what = `this is used in ${use}, which can result in surprising behavior; a DNS label is recommended`;
  return [`metadata.name: ${what}: [${problems.join(" ")}]`];
}

/** What the writer of a pod, or of a template at `path`, has to know. */
export function podWarnings({ metadata, spec }: any, path = ""): string[] {
  if (!spec) return [];
  const out: string[] = [];
  const at = (rest: string): string => (path === "" ? rest : `${path}.${rest}`);
  for (const key of Object.keys(spec.nodeSelector ?? {})) {
    const message = renamed(key);
    if (message) out.push(`${at(`spec.nodeSelector[${key}]`)}: ${message}`);
  }
  nodeAffinity(spec.affinity?.nodeAffinity ?? {}, at("spec.affinity.nodeAffinity"), out);
  for (const [index, constraint] of (spec.topologySpreadConstraints ?? []).entries()) {
    const here = at(`spec.topologySpreadConstraints[${index}]`);
    const message = renamed(constraint.topologyKey ?? "");
    if (message) out.push(`${here}.topologyKey: ${constraint.topologyKey} is ${message}`);
    if (!constraint.labelSelector) out.push(`${here}.labelSelector: ${matchesNothing}`);
  }
  for (const [key, message] of Object.entries(deprecatedAnnotations)) {
    if (metadata?.annotations?.[key] !== undefined) out.push(`${at(`metadata.annotations[${key}]`)}: ${message}`);
  }
  for (const key of Object.keys(metadata?.annotations ?? {})) {
    // Of a pod it is told when the annotation becomes a field.
    if (path === "" || !key.startsWith(APPARMOR)) continue;
    out.push(`${at(`metadata.annotations[${key}]`)}: deprecated since v1.30; use the "appArmorProfile" field instead`);
  }
  for (const [index, volume] of (spec.volumes ?? []).entries()) {
    for (const [kind, [shown, what]] of Object.entries(volumeKinds)) {
      if (volume[kind]) out.push(`${at(`spec.volumes[${index}].${shown}`)}: ${what}`);
    }
  }
  overlaps(spec.volumes ?? [], out);
  repeated(spec.hostAliases ?? [], "ip", at("spec.hostAliases"), out);
  repeated(spec.imagePullSecrets ?? [], "name", at("spec.imagePullSecrets"), out);
  for (const [index, { name }] of (spec.imagePullSecrets ?? []).entries()) {
    if (!name) out.push(`${at(`spec.imagePullSecrets[${index}].name`)}: invalid empty name ""`);
  }
  fractions(spec.overhead ?? {}, at("spec.overhead"), out);
  containers(spec, at("spec"), out);
  if (spec.terminationGracePeriodSeconds < 0) {
    const what = "must be >= 0; negative values are invalid and will be treated as 1";
    out.push(`${at("spec.terminationGracePeriodSeconds")}: ${what}`);
  }
  for (const kind of ["podAffinity", "podAntiAffinity"])
    podAffinity(spec.affinity?.[kind], at(`spec.affinity.${kind}`), out);
  for (const [index, ip] of (spec.dnsConfig?.nameservers ?? []).entries()) {
    address(ip, at(`spec.dnsConfig.nameservers[${index}]`), out);
  }
  for (const [index, { ip }] of (spec.hostAliases ?? []).entries()) {
    address(ip ?? "", at(`spec.hostAliases[${index}].ip`), out);
  }
  return out;
}

const matchesNothing = "a null labelSelector results in matching no pod";

/** One address may have several spellings; whoever compares texts has to know. */
export function address(text: string, path: string, out: string[]): void {
  const ip = parseIp(text);
  if (ip?.family !== 6 || formatIp(ip) === text) return;
  out.push(`${path}: IPv6 address "${text}" should be in RFC 5952 canonical format ("${formatIp(ip)}")`);
}

function nodeAffinity(affinity: any, path: string, out: string[]): void {
  const check = (term: any, here: string) => {
    for (const [index, { key = "" }] of (term?.matchExpressions ?? []).entries()) {
      const message = renamed(key);
      if (message) out.push(`${here}.matchExpressions[${index}].key: ${key} is ${message}`);
    }
  };
  const required = "requiredDuringSchedulingIgnoredDuringExecution";
  for (const [index, term] of (affinity[required]?.nodeSelectorTerms ?? []).entries()) {
    check(term, `${path}.${required}.nodeSelectorTerms[${index}]`);
  }
  const preferred = "preferredDuringSchedulingIgnoredDuringExecution";
  for (const [index, term] of (affinity[preferred] ?? []).entries()) {
    check(term.preference, `${path}.${preferred}[${index}].preference`);
  }
}

function podAffinity(affinity: any, path: string, out: string[]): void {
  const required = "requiredDuringSchedulingIgnoredDuringExecution";
  for (const [index, term] of (affinity?.[required] ?? []).entries()) {
    if (!term.labelSelector) out.push(`${path}.${required}[${index}].labelSelector: ${matchesNothing}`);
  }
  const preferred = "preferredDuringSchedulingIgnoredDuringExecution";
  for (const [index, term] of (affinity?.[preferred] ?? []).entries()) {
    if (term.podAffinityTerm?.labelSelector) continue;
    out.push(`${path}.${preferred}[${index}].podAffinityTerm.labelSelector: ${matchesNothing}`);
  }
}

function repeated(list: any[], field: string, path: string, out: string[]): void {
  const seen = new Set<string>();
  for (const [index, item] of list.entries()) {
    const value = item[field] ?? "";
    if (seen.has(value)) out.push(`${path}[${index}].${field}: duplicate ${field} ${JSON.stringify(value)}`);
    seen.add(value);
  }
}

function fractions(amounts: Record<string, string>, path: string, out: string[]): void {
  for (const name of ["memory", "ephemeral-storage"]) {
    const value = amounts[name];
    const quantity = value === undefined ? undefined : parseQuantity(value);
    if (quantity === undefined || quantity.nanos % 1_000_000_000n === 0n) continue;
    out.push(`${path}[${name}]: fractional byte value ${JSON.stringify(value)} is invalid, must be an integer`);
  }
}

function* containersOf(spec: any, path: string): Generator<readonly [any, string]> {
  for (const field of ["initContainers", "containers", "ephemeralContainers"]) {
    for (const [index, container] of (spec[field] ?? []).entries()) yield [container, `${path}.${field}[${index}]`];
  }
}

function containers(spec: any, path: string, out: string[]): void {
  for (const [container, here] of containersOf(spec, path)) {
    fractions(container.resources?.limits ?? {}, `${here}.resources.limits`, out);
    fractions(container.resources?.requests ?? {}, `${here}.resources.requests`, out);
    const names = new Set<string>();
    for (const [index, { name, value = "", valueFrom }] of (container.env ?? []).entries()) {
      const reference = `$(${name})`;
      if (names.has(name) && (valueFrom || value === reference || !value.includes(reference))) {
        const what = `hides previous definition of "${name}", which may be dropped when using apply`;
        out.push(`${here}.env[${index}]: ${what}`);
      }
      names.add(name);
    }
  }
  const ports = new Map<string, { path: string; hostIP: string; hostPort: number }[]>();
  for (const [container, here] of containersOf(spec, path)) {
    for (const [index, port] of (container.ports ?? []).entries()) {
      const own = { path: `${here}.ports[${index}]`, hostIP: port.hostIP ?? "", hostPort: port.hostPort ?? 0 };
      const key = `${port.containerPort}/${port.protocol}`;
      const others = ports.get(key) ?? [];
      for (const other of others) {
        const what = portClash(own, other);
        if (what) out.push(`${own.path}: ${what} port definition with ${other.path}`);
      }
      ports.set(key, [...others, own]);
    }
  }
  const named = new Map<string, string>();
  for (const [container, here] of containersOf(spec, path)) {
    for (const [index, { name }] of (container.ports ?? []).entries()) {
      if (!name) continue;
      const other = named.get(name);
      if (other === undefined) named.set(name, `${here}.ports[${index}]`);
      else {
        const what = `duplicate port name "${name}" with ${other}, services and probes that select ports by name will use ${other}`;
        out.push(`${here}.ports[${index}]: ${what}`);
      }
    }
  }
}

interface HostPort {
  readonly hostIP: string;
  readonly hostPort: number;
}
function portClash(a: HostPort, b: HostPort): string | undefined {
  if (a.hostIP === b.hostIP && a.hostPort === b.hostPort) return "duplicate";
  if (a.hostPort === 0 || b.hostPort === 0) return "overlapping";
  if (a.hostPort === b.hostPort && (a.hostIP === "") !== (b.hostIP === "")) return "dangerously ambiguous";
  return undefined;
}

interface Mapped {
  readonly path: string;
  readonly source: string;
}
const shown = ({ path, source }: Mapped): string => JSON.stringify(path) + (source ? ` (${source})` : "");

/** Files of a volume that would lie in one another's place. */
function overlaps(volumes: any[], out: string[]): void {
  for (const volume of volumes) {
    const tell = (description: string, groups: readonly Mapped[][]) => {
      const before: Mapped[] = [];
      for (const each of groups.flat()) {
        const mapped = { ...each, path: each.path.replace(/\/+$/, "") };
        for (const other of before) {
          if (!collide(other.path, mapped.path)) continue;
          out.push(
            `volume "${volume.name}" (${description}): overlapping paths: ${shown(mapped)} with ${shown(other)}`,
          );
        }
        before.push(mapped);
      }
    };
    const items = (list: any[] | undefined, source: string): Mapped[] =>
      (list ?? []).map(({ path }) => ({ path: path ?? "", source }));
    if (volume.configMap) tell(`ConfigMap "${volume.configMap.name}"`, [items(volume.configMap.items, "")]);
    if (volume.secret) tell(`Secret "${volume.secret.secretName}"`, [items(volume.secret.items, "")]);
    if (volume.downwardAPI) tell("DownwardAPI", [items(volume.downwardAPI.items, "")]);
    if (!volume.projected) continue;
    const groups: Mapped[][] = [];
    for (const source of volume.projected.sources ?? []) {
      if (Object.keys(source).length === 0) out.push(`volume "${volume.name}" (Projected) has no sources provided`);
      if (source.configMap) groups.push(items(source.configMap.items, `ConfigMap "${source.configMap.name}"`));
      else if (source.secret) groups.push(items(source.secret.items, `Secret "${source.secret.name}"`));
      else if (source.downwardAPI) groups.push(items(source.downwardAPI.items, "DownwardAPI"));
      else if (source.serviceAccountToken) {
        groups.push([{ path: source.serviceAccountToken.path ?? "", source: "ServiceAccountToken" }]);
      }
    }
    tell("Projected", groups);
  }
}

const collide = (a: string, b: string): boolean =>
  a !== "" && b !== "" && (a === b || a.startsWith(`${b}/`) || b.startsWith(`${a}/`));
