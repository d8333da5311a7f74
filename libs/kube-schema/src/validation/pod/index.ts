// biome-ignore-all lint/suspicious/noExplicitAny: objects were decoded against their schemas and defaulted before

import { isQualifiedName, parseQuantity } from "@tiphys/kube-values";
import type { KubeObject } from "@tiphys/resources";
import { duplicate, type FieldError, forbidden, invalid, notSupported, required } from "../../field-error.js";
import { APPARMOR } from "../../warnings/pod.js";
import { validateLabels } from "../metadata.js";
import {
  imageSpace,
  type PodContext,
  validateContainers,
  validateEphemeralContainers,
  validateInitContainers,
} from "./container.js";
import { Found, inRange, isDnsLabel, isDnsSubdomain } from "./parts.js";
import { containerResourceName, resourceAmount } from "./resources.js";
import { validateAffinity, validateSpread, validateTolerations } from "./scheduling.js";
import { validateOs, validatePodSecurity } from "./security.js";
import { validateVolumes } from "./volumes.js";

export { Found } from "./parts.js";
export { resourceAmount } from "./resources.js";
export { validateNodeSelector } from "./scheduling.js";
export { validatePodUpdate } from "./update.js";
export { hostPathTypes, validateClaimSpec } from "./volumes.js";

/** A port as a number or as a name. */
export function validatePort(port: unknown, path: string, errors: FieldError[]): void {
  const found = new Found();
  found.port(port, path);
  errors.push(...found.errors);
}

/** A pod that is to be created. */
export function validatePod(pod: KubeObject): FieldError[] {
  const found = new Found();
  const { spec } = pod as any;
  if (!spec) return [required("spec")];
  validateSpec(spec, "spec", pod.metadata, true, found);
  profileAnnotations(pod, found);
  onlyPods(spec, found);
  if (spec.ephemeralContainers?.length) found.add(forbidden("spec.ephemeralContainers", "cannot be set on create"));
  if (spec.nodeName && spec.schedulingGates?.length) {
    found.add(forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"));
  }
  return found.errors;
}

const oldProfile = (value: string): string =>
  value === "unconfined" ? "Unconfined" : value.startsWith("localhost/") ? "Localhost" : "RuntimeDefault";

/** AppArmor profiles in their old place name containers that are there, and do not contradict the fields. */
function profileAnnotations({ metadata, spec }: any, found: Found): void {
  const containers: any[] = [...(spec.initContainers ?? []), ...(spec.containers ?? [])];
  for (const [key, value] of Object.entries<string>(metadata.annotations ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!key.startsWith(APPARMOR)) continue;
    const name = key.slice(APPARMOR.length);
    const field = `metadata.annotations[${key}]`;
    const container = containers.find((one) => one.name === name);
    if (container === undefined) found.add(invalid(field, name, "container not found"));
    if (!/^(unconfined|runtime\/default|localhost\/.*)?$/s.test(value)) {
      found.add(invalid(field, value, `invalid AppArmor profile name: ${JSON.stringify(value)}`));
    }
    const own = container?.securityContext?.appArmorProfile;
    if (own === undefined || own.type === oldProfile(value)) continue;
    const list = spec.initContainers?.includes(container) ? "initContainers" : "containers";
    found.add(
      forbidden(
        `spec.${list}[${spec[list].indexOf(container)}].securityContext.appArmorProfile.type`,
        "apparmor type in annotation and field must match",
      ),
    );
  }
}

/** What templates may have and pods may not. */
export function onlyPods(spec: any, found: Found): void {
  for (const field of ["containers", "initContainers"]) {
    for (const [at, container] of (spec[field] ?? []).entries()) imageSpace(container, `spec.${field}[${at}]`, found);
  }
  if (spec.serviceAccountName) return;
  for (const [at, volume] of (spec.volumes ?? []).entries()) {
    for (const [index, source] of (volume.projected?.sources ?? []).entries()) {
      if (!source.serviceAccountToken) continue;
      const here = `spec.volumes[${at}].projected.sources[${index}].serviceAccountToken`;
      found.add(forbidden(here, "must not be specified when serviceAccountName is not set"));
    }
  }
}

/** The spec of a pod or of a template. `restartPolicies` are those that its owner can work with. */
export function validatePodSpec(spec: any, path: string): FieldError[] {
  if (!spec) return [required(path)];
  const found = new Found();
  validateSpec(spec, path, undefined, false, found);
  return found.errors;
}

export function validateSpec(
  spec: any,
  path: string,
  metadata: KubeObject["metadata"] | undefined,
  isPod: boolean,
  found: Found,
): void {
  if (spec.terminationGracePeriodSeconds === undefined) found.add(required(`${path}.terminationGracePeriodSeconds`));
  const claims = validateResourceClaims(spec.resourceClaims ?? [], `${path}.resourceClaims`, found);
  const volumes = validateVolumes(spec.volumes ?? [], `${path}.volumes`, metadata?.name, isPod, found);
  const context: PodContext = { spec, volumes, claims, hostUsers: spec.hostUsers !== false };
  validateContainers(`${path}.containers`, context, found);
  validateInitContainers(`${path}.initContainers`, context, found);
  validateEphemeralContainers(`${path}.ephemeralContainers`, context, found);
  hostNetwork(spec, path, isPod, found);
  const restart = ["Always", "OnFailure", "Never"];
  if (!spec.restartPolicy) found.add(required(`${path}.restartPolicy`));
  else if (!restart.includes(spec.restartPolicy)) {
    found.add(notSupported(`${path}.restartPolicy`, spec.restartPolicy, restart));
  }
  const dns = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
  found.choice(spec.dnsPolicy, dns, `${path}.dnsPolicy`);
  found.add(...validateLabels(spec.nodeSelector, `${path}.nodeSelector`));
  validatePodSecurity(spec, `${path}.securityContext`, found);
  validateAffinity(spec.affinity, `${path}.affinity`, found);
  validateDns(spec, `${path}.dnsConfig`, found);
  for (const [at, gate] of (spec.readinessGates ?? []).entries()) {
    found.named(isQualifiedName, gate.conditionType ?? "", `${path}.readinessGates[${at}].conditionType`);
  }
  schedulingGates(spec.schedulingGates ?? [], `${path}.schedulingGates`, found);
  validateSpread(spec.topologySpreadConstraints ?? [], `${path}.topologySpreadConstraints`, found);
  hostUsers(spec, path, found);
  hostname(spec, path, found);
  for (const field of ["serviceAccountName", "nodeName", "priorityClassName", "runtimeClassName"]) {
    if (spec[field]) found.named(isDnsSubdomain, spec[field], `${path}.${field}`);
  }
  const deadline = spec.activeDeadlineSeconds;
  if (deadline !== undefined && (deadline < 1 || deadline > 2147483647)) {
    found.add(invalid(`${path}.activeDeadlineSeconds`, deadline, inRange(1, 2147483647)));
  }
  for (const field of ["hostname", "subdomain"]) {
    if (spec[field]) found.named(isDnsLabel, spec[field], `${path}.${field}`);
  }
  validateTolerations(spec.tolerations ?? [], `${path}.tolerations`, found);
  for (const [at, alias] of (spec.hostAliases ?? []).entries()) {
    found.address(alias.ip ?? "", `${path}.hostAliases[${at}].ip`);
    for (const [index, name] of (alias.hostnames ?? []).entries()) {
      found.named(isDnsSubdomain, name, `${path}.hostAliases[${at}].hostnames[${index}]`);
    }
  }
  if (spec.preemptionPolicy !== undefined) {
    found.choice(spec.preemptionPolicy, ["PreemptLowerPriority", "Never"], `${path}.preemptionPolicy`);
  }
  for (const [name, value] of Object.entries((spec.overhead ?? {}) as Record<string, string>)) {
    const here = `${path}.overhead.limits[${name}]`;
    found.add(...containerResourceName(name, here), ...resourceAmount(name, value, here));
    if (parseQuantity(value) === undefined) found.add(invalid(here, value, "must be a quantity"));
  }
  validateOs(spec, path, found);
}

function validateResourceClaims(list: any[], path: string, found: Found): Set<string> {
  const names = new Set<string>();
  const all = new Set<string>();
  for (const [at, claim] of list.entries()) {
    const here = `${path}[${at}]`;
    if (found.needed(claim.name, `${here}.name`)) {
      if (names.has(claim.name)) found.add(duplicate(`${here}.name`, claim.name));
      else found.named(isDnsLabel, claim.name, `${here}.name`);
      names.add(claim.name);
      all.add(claim.name);
    }
    const shown = () => ({
      Name: claim.name ?? "",
      ResourceClaimName: claim.resourceClaimName ?? null,
      ResourceClaimTemplateName: claim.resourceClaimTemplateName ?? null,
    });
    const given = ["resourceClaimName", "resourceClaimTemplateName"].filter((field) => claim[field] !== undefined);
    if (given.length === 2) {
      found.add(
        invalid(here, shown(), "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"),
      );
    }
    if (given.length === 0) {
      found.add(invalid(here, shown(), "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"));
    }
    for (const field of given) found.named(isDnsSubdomain, claim[field], `${here}.${field}`);
  }
  return all;
}

function hostNetwork(spec: any, path: string, isPod: boolean, found: Found): void {
  if (!spec.hostNetwork) return;
  for (const [at, container] of (spec.containers ?? []).entries()) {
    for (const [index, port] of (container.ports ?? []).entries()) {
      const hostPort = port.hostPort ?? 0;
      if ((!isPod && hostPort === 0) || hostPort === port.containerPort) continue;
      const here = `${path}.containers[${at}].ports[${index}].hostPort`;
      found.add(invalid(here, hostPort, "must match `containerPort` when `hostNetwork` is true"));
    }
  }
}

const mostNameservers = 3;
const mostSearches = 32;
const mostSearchCharacters = 2048;
const searchPart = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?";
const search = new RegExp(`^${searchPart}(\\.${searchPart})*$`);
const searchText =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')";

function validateDns({ dnsPolicy, dnsConfig }: any, path: string, found: Found): void {
  if (dnsPolicy === "None") {
    if (!dnsConfig) {
      found.add(required(path, "must provide `dnsConfig` when `dnsPolicy` is None"));
      return;
    }
    if (!dnsConfig.nameservers?.length) {
      const problem = "must provide at least one DNS nameserver when `dnsPolicy` is None";
      found.add(required(`${path}.nameservers`, problem));
      return;
    }
  }
  if (!dnsConfig) return;
  const { nameservers = [], searches = [], options = [] } = dnsConfig;
  if (nameservers.length > mostNameservers) {
    found.add(invalid(`${path}.nameservers`, nameservers, `must not have more than ${mostNameservers} nameservers`));
  }
  for (const [at, server] of nameservers.entries()) found.address(server, `${path}.nameservers[${at}]`);
  if (searches.length > mostSearches) {
    found.add(invalid(`${path}.searches`, searches, `must not have more than ${mostSearches} search paths`));
  }
  if (searches.join(" ").length > mostSearchCharacters) {
    const problem = `must not have more than ${mostSearchCharacters} characters (including spaces) in the search list`;
    found.add(invalid(`${path}.searches`, searches, problem));
  }
  for (const [at, text] of searches.entries()) {
    if (text === ".") continue;
    const name = text.replace(/\.$/, "");
    if (!search.test(name)) found.add(invalid(`${path}.searches[${at}]`, name, searchText));
  }
  for (const [at, option] of options.entries()) {
    if (!option.name) found.add(required(`${path}.options[${at}]`, "must not be empty"));
  }
}

function schedulingGates(list: any[], path: string, found: Found): void {
  const seen = new Set<string>();
  for (const [at, { name = "" }] of list.entries()) {
    found.named(isQualifiedName, name, `${path}[${at}]`);
    if (seen.has(name)) found.add(duplicate(`${path}[${at}]`, name));
    seen.add(name);
  }
}

function hostUsers(spec: any, path: string, found: Found): void {
  if (spec.hostUsers !== false) return;
  const problem = "when `hostUsers` is false";
  if (spec.hostNetwork) found.add(forbidden(`${path}.hostNetwork`, problem));
  if (spec.hostPID) found.add(forbidden(`${path}.HostPID`, problem));
  if (spec.hostIPC) found.add(forbidden(`${path}.HostIPC`, problem));
}

function hostname(spec: any, path: string, found: Found): void {
  const name: string | undefined = spec.hostnameOverride;
  if (name === undefined) return;
  const here = `${path}.hostnameOverride`;
  if (spec.setHostnameAsFQDN) found.add(forbidden(here, "may not be specified when setHostnameAsFQDN is true"));
  if (spec.hostNetwork) found.add(forbidden(here, "may not be specified when hostNetwork is true"));
  if (name.length > 64) {
    found.add({ field: here, reason: "FieldValueTooLong", message: "Too long: may not be more than 64 bytes" });
  }
  found.named(isDnsSubdomain, name, here);
}
