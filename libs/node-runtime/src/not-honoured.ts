import type { KubeObject } from "@tiphys/resources";
import { refusedCapabilities } from "./identity.js";
import { allContainers, type PodContainer } from "./plan.js";
import type { SandboxKind } from "./sandbox.js";

/** Annotation that names what a pod asks for and this node does not give. */
export const NOT_HONOURED = "tiphys.dev/not-honoured";

/** What this node can do besides starting processes. */
export interface NodePowers {
  readonly kind: SandboxKind;
  /** Processes can become other users. */
  readonly users: boolean;
  /** Memory and processor limits are enforced. */
  readonly limits: boolean;
}

const POD_FIELDS = ["runtimeClassName", "overhead", "setHostnameAsFQDN", "shareProcessNamespace", "resourceClaims"];
const POD_SECURITY = [
  "seLinuxOptions",
  "seccompProfile",
  "appArmorProfile",
  "sysctls",
  "windowsOptions",
  "seLinuxChangePolicy",
];
const CONTAINER_SECURITY = ["seLinuxOptions", "seccompProfile", "appArmorProfile", "procMount", "windowsOptions"];
const USER_FIELDS = ["runAsUser", "runAsGroup", "fsGroup", "supplementalGroups"];
/** Limits that are kept; others are named. */
const KEPT_LIMITS: ReadonlySet<string> = new Set(["memory", "cpu", "ephemeral-storage"]);

/** Fields of the pod that are set and have no effect on this node, sorted. */
export function notHonoured(pod: KubeObject, powers: NodePowers): readonly string[] {
  const found = new Set<string>();
  const spec = pod["spec"] ?? {};
  for (const field of POD_FIELDS) if (spec[field]) found.add(`spec.${field}`);
  if (spec.hostUsers === false) found.add("spec.hostUsers");
  if (powers.kind === "process")
    for (const field of ["hostAliases", "dnsConfig"]) if (spec[field]) found.add(`spec.${field}`);
  for (const field of [...POD_SECURITY, ...(powers.users ? [] : USER_FIELDS)]) {
    if (spec.securityContext?.[field] !== undefined) found.add(`spec.securityContext.${field}`);
  }
  for (const container of allContainers(pod)) {
    const at = `containers[${container.name}]`;
    const own = container["securityContext"] ?? {};
    for (const field of [...CONTAINER_SECURITY, ...(powers.users ? [] : USER_FIELDS)]) {
      if (own[field] !== undefined) found.add(`${at}.securityContext.${field}`);
    }
    if (powers.kind === "process" && own.readOnlyRootFilesystem)
      found.add(`${at}.securityContext.readOnlyRootFilesystem`);
    if (powers.kind === "process" && own.capabilities) found.add(`${at}.securityContext.capabilities`);
    // Sandboxed processes never gain privileges, whatever they execute.
    if (own.allowPrivilegeEscalation === true && powers.kind !== "process")
      found.add(`${at}.securityContext.allowPrivilegeEscalation`);
    for (const capability of refusedCapabilities(container))
      found.add(`${at}.securityContext.capabilities.add[${capability}]`);
    for (const resource of Object.keys(container["resources"]?.limits ?? {})) {
      if (!powers.limits || !KEPT_LIMITS.has(resource)) found.add(`${at}.resources.limits.${resource}`);
    }
    if (container["volumeDevices"]) found.add(`${at}.volumeDevices`);
  }
  for (const { name, targetContainerName } of spec.ephemeralContainers ?? []) {
    if (targetContainerName) found.add(`ephemeralContainers[${name}].targetContainerName`);
  }
  return [...found].sort();
}

/** A field that the container cannot run without and this node does not have; undefined when there is none. */
export function unsupported(pod: KubeObject, container: PodContainer): string | undefined {
  const spec = pod["spec"] ?? {};
  const at = `containers[${container.name}]`;
  if (container["securityContext"]?.privileged) {
    return `${at}.securityContext.privileged is not supported by this node: its containers share the host's kernel and network`;
  }
  for (const field of ["hostPID", "hostIPC"]) if (spec[field]) return `spec.${field} is not supported by this node`;
  if (container["volumeDevices"]?.length) return `${at}.volumeDevices is not supported by this node`;
  return undefined;
}

/** Volumes that an API server adds to every pod; without a sandbox they are left out. */
const INJECTED = /^kube-api-access-[a-z0-9]{5}$/;

/** Why a plain process cannot stand for this pod; undefined when it can. Other sandboxes can always. */
export function plainProblem(pod: KubeObject): string | undefined {
  const volumes: { name: string }[] = pod["spec"]?.volumes ?? [];
  const own = volumes.find(({ name }) => !INJECTED.test(name));
  const without = "this node has no sandbox (neither bubblewrap nor unshare works here)";
  if (own) return `volume ${own.name}: ${without}, so nothing can be mounted`;
  for (const container of allContainers(pod)) {
    const path = container["terminationMessagePath"] ?? "/dev/termination-log";
    if (path !== "/dev/termination-log") {
      return `containers[${container.name}].terminationMessagePath ${path} is outside of the container's folder: ${without}`;
    }
  }
  return undefined;
}
