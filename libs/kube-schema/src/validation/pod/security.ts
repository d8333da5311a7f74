// biome-ignore-all lint/suspicious/noExplicitAny: objects were decoded against their schemas and defaulted before
import { duplicate, forbidden, invalid, notSupported, required } from "../../field-error.js";
import type { Found } from "./parts.js";

const profiles = ["Localhost", "RuntimeDefault", "Unconfined"];

function validateSeccomp(profile: any, path: string, found: Found): void {
  if (!profile) return;
  if (!profile.type) found.add(required(`${path}.type`, "type is required when seccompProfile is set"));
  else if (!profiles.includes(profile.type)) found.add(notSupported(`${path}.type`, profile.type, profiles));
  const at = `${path}.localhostProfile`;
  if (profile.type === "Localhost") {
    if (profile.localhostProfile === undefined) found.add(required(at, "must be set when seccomp type is Localhost"));
    else found.descending(profile.localhostProfile, at);
  } else if (profile.localhostProfile !== undefined) {
    const shown = { Type: profile.type ?? "", LocalhostProfile: profile.localhostProfile };
    found.add(invalid(at, shown, "can only be set when seccomp type is Localhost"));
  }
}

function validateAppArmor(profile: any, path: string, found: Found): void {
  if (!profile) return;
  const { type, localhostProfile: local } = profile;
  const at = `${path}.localhostProfile`;
  if (type === "Localhost") {
    const needed = "must be set when AppArmor type is Localhost";
    if (local === undefined) found.add(required(at, needed));
    else if (local.trim() !== local) found.add(invalid(at, local, "must not be padded with whitespace"));
    else if (local === "") found.add(required(at, needed));
  } else if (type === "RuntimeDefault" || type === "Unconfined") {
    if (local !== undefined) found.add(invalid(at, local, "can only be set when AppArmor type is Localhost"));
  } else if (!type) found.add(required(`${path}.type`, "type is required when appArmorProfile is set"));
  else found.add(notSupported(`${path}.type`, type, profiles));
}

/** The security context of a container. */
export function validateSecurityContext(context: any, path: string, hostUsers: boolean, found: Found): void {
  if (!context) return;
  found.userOrGroup(context.runAsUser, `${path}.runAsUser`);
  found.userOrGroup(context.runAsGroup, `${path}.runAsGroup`);
  if (context.procMount !== undefined) {
    found.option(context.procMount, ["Default", "Unmasked"], `${path}.procMount`);
    if (hostUsers && context.procMount === "Unmasked") {
      found.add(invalid(`${path}.procMount`, context.procMount, "`hostUsers` must be false to use `Unmasked`"));
    }
  }
  validateSeccomp(context.seccompProfile, `${path}.seccompProfile`, found);
  if (context.allowPrivilegeEscalation === false) {
    const head = "cannot set `allowPrivilegeEscalation` to false and ";
    if (context.privileged) found.add(invalid(path, shownContext(context), `${head}\`privileged\` to true`));
    if (context.capabilities?.add?.includes("CAP_SYS_ADMIN")) {
      found.add(invalid(path, shownContext(context), `${head}\`capabilities.Add\` CAP_SYS_ADMIN`));
    }
  }
  validateAppArmor(context.appArmorProfile, `${path}.appArmorProfile`, found);
}

/** A security context as the API server's own form shows it. */
const shownContext = (context: any): unknown => ({
  Capabilities: context.capabilities
    ? { Add: context.capabilities.add ?? null, Drop: context.capabilities.drop ?? null }
    : null,
  Privileged: context.privileged ?? null,
  SELinuxOptions: goShape(context.seLinuxOptions),
  WindowsOptions: goShape(context.windowsOptions),
  RunAsUser: context.runAsUser ?? null,
  RunAsGroup: context.runAsGroup ?? null,
  RunAsNonRoot: context.runAsNonRoot ?? null,
  ReadOnlyRootFilesystem: context.readOnlyRootFilesystem ?? null,
  AllowPrivilegeEscalation: context.allowPrivilegeEscalation ?? null,
  ProcMount: context.procMount ?? null,
  SeccompProfile: goShape(context.seccompProfile),
  AppArmorProfile: goShape(context.appArmorProfile),
});

/** The members of a small struct as Go spells them. */
const goShape = (value: Record<string, unknown> | undefined): unknown =>
  value === undefined
    ? null
    : Object.fromEntries(Object.entries(value).map(([key, member]) => [key[0]!.toUpperCase() + key.slice(1), member]));

const sysctl = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/;
const sysctlText = "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";
const longestSysctl = 253;
const ipcSysctls = /^(kernel\.shm|kernel\.msg|kernel\.sem$|fs\.mqueue\.)/;

/** The security context of a pod. */
export function validatePodSecurity(spec: any, path: string, found: Found): void {
  const { securityContext: context } = spec;
  if (!context) return;
  found.userOrGroup(context.fsGroup, `${path}.fsGroup`);
  found.userOrGroup(context.runAsUser, `${path}.runAsUser`);
  found.userOrGroup(context.runAsGroup, `${path}.runAsGroup`);
  for (const [at, id] of (context.supplementalGroups ?? []).entries()) {
    found.userOrGroup(id, `${path}.supplementalGroups[${at}]`);
  }
  if (spec.shareProcessNamespace && spec.hostPID) {
    const problem = "ShareProcessNamespace and HostPID cannot both be enabled";
    found.add(invalid(`${path}.shareProcessNamespace`, true, problem));
  }
  const seen = new Set<string>();
  for (const [at, { name = "" }] of (context.sysctls ?? []).entries()) {
    const here = `${path}.sysctls[${at}].name`;
    if (!found.needed(name, here)) continue;
    if (name.length > longestSysctl || !sysctl.test(name)) {
      found.add(invalid(here, name, `must have at most ${longestSysctl} characters and match regex ${sysctlText}`));
    } else if (seen.has(name)) found.add(duplicate(here, name));
    const dotted = name.replaceAll("/", ".");
    if (spec.hostNetwork && dotted.startsWith("net.")) {
      found.add(invalid(here, name, "may not be specified when 'hostNetwork' is true"));
    } else if (spec.hostIPC && ipcSysctls.test(dotted)) {
      found.add(invalid(here, name, "may not be specified when 'hostIPC' is true"));
    }
    seen.add(name);
  }
  found.option(context.fsGroupChangePolicy, ["Always", "OnRootMismatch"], `${path}.fsGroupChangePolicy`);
  validateSeccomp(context.seccompProfile, `${path}.seccompProfile`, found);
  validateAppArmor(context.appArmorProfile, `${path}.appArmorProfile`, found);
  found.option(context.supplementalGroupsPolicy, ["Merge", "Strict"], `${path}.supplementalGroupsPolicy`);
  found.option(context.seLinuxChangePolicy, ["Recursive"], `${path}.seLinuxChangePolicy`);
}

/** What makes no sense on the operating system that a pod names. */
export function validateOs(spec: any, path: string, found: Found): void {
  const { os } = spec;
  if (!os) return;
  if (!os.name) found.add(required(`${path}.os.name`));
  else if (os.name !== "linux" && os.name !== "windows")
    found.add(notSupported(`${path}.os`, os.name, ["linux", "windows"]));
  else if (os.name === "linux") forLinux(spec, path, found);
  else forWindows(spec, path, found);
}

function* containersOf(spec: any, path: string): Generator<readonly [any, string]> {
  for (const field of ["initContainers", "containers", "ephemeralContainers"]) {
    for (const [at, container] of (spec[field] ?? []).entries()) yield [container, `${path}.${field}[${at}]`];
  }
}

function forLinux(spec: any, path: string, found: Found): void {
  const problem = "windows options cannot be set for a linux pod";
  if (spec.securityContext?.windowsOptions) found.add(forbidden(`${path}.securityContext.windowsOptions`, problem));
  for (const [container, here] of containersOf(spec, path)) {
    if (container.securityContext?.windowsOptions)
      found.add(forbidden(`${here}.securityContext.windowsOptions`, problem));
  }
}

const notOnWindows = [
  "appArmorProfile",
  "seLinuxOptions",
  "seccompProfile",
  "fsGroup",
  "fsGroupChangePolicy",
  "sysctls",
  "runAsUser",
  "runAsGroup",
  "supplementalGroups",
  "supplementalGroupsPolicy",
];
const notInWindowsContainers = [
  "appArmorProfile",
  "seLinuxOptions",
  "seccompProfile",
  "capabilities",
  "readOnlyRootFilesystem",
  "privileged",
  "allowPrivilegeEscalation",
  "procMount",
  "runAsUser",
  "runAsGroup",
];

function forWindows(spec: any, path: string, found: Found): void {
  const refuse = (at: string) => found.add(forbidden(at, "cannot be set for a windows pod"));
  for (const field of ["hostPID", "hostIPC"]) if (spec[field]) refuse(`${path}.${field}`);
  for (const field of notOnWindows) {
    if (spec.securityContext?.[field] !== undefined) refuse(`${path}.securityContext.${field}`);
  }
  if (spec.shareProcessNamespace !== undefined) refuse(`${path}.shareProcessNamespace`);
  for (const [container, here] of containersOf(spec, path)) {
    for (const field of notInWindowsContainers) {
      if (container.securityContext?.[field] !== undefined) refuse(`${here}.securityContext.${field}`);
    }
  }
}
