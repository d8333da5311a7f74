import type { KubeObject } from "@tiphys/resources";
import { allContainers } from "./plan.js";

/** Annotation that names what a pod asks for and this node does not give. */
export const NOT_HONOURED = "tiphys.dev/not-honoured";

const POD_FIELDS = [
  "runtimeClassName",
  "hostAliases",
  "dnsConfig",
  "overhead",
  "setHostnameAsFQDN",
  "shareProcessNamespace",
];

/** Fields of the pod that are set and have no effect on a process node, sorted. */
export function notHonoured(pod: KubeObject): readonly string[] {
  const found = new Set<string>();
  const spec = pod["spec"] ?? {};
  for (const field of POD_FIELDS) if (spec[field]) found.add(`spec.${field}`);
  for (const field of Object.keys(spec.securityContext ?? {})) found.add(`spec.securityContext.${field}`);
  for (const container of allContainers(pod)) {
    const at = `containers[${container.name}]`;
    for (const field of Object.keys(container["securityContext"] ?? {})) found.add(`${at}.securityContext.${field}`);
    if (container["resources"]?.limits) found.add(`${at}.resources.limits`);
    if (container["volumeDevices"]) found.add(`${at}.volumeDevices`);
  }
  return [...found].sort();
}

/** A field that the pod cannot run without and this node does not have; undefined when there is none. */
export function unsupported(pod: KubeObject): string | undefined {
  for (const container of allContainers(pod)) {
    const at = `containers[${container.name}]`;
    if (container["lifecycle"]?.postStart) return `${at}.lifecycle.postStart is not supported by this node`;
    for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"]) {
      if (container[probe]?.grpc) return `${at}.${probe}.grpc is not supported by this node`;
    }
  }
  return undefined;
}
