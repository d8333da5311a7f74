// biome-ignore-all lint/suspicious/noExplicitAny: objects were decoded against their schemas and defaulted before
import { isPortName, isPortNumber } from "@tiphys/kube-values";
import { duplicate, forbidden, invalid, notFound, notSupported, required, tooMany } from "../../field-error.js";
import { validateEnv, validateEnvFrom } from "./env.js";
import { type Found, isDnsLabel } from "./parts.js";
import { validateProbe } from "./probes.js";
import { validateResources } from "./resources.js";
import { validateSecurityContext } from "./security.js";
import type { Volumes } from "./volumes.js";

/** What of its pod a container is checked against. */
export interface PodContext {
  readonly spec: any;
  readonly volumes: Volumes;
  readonly claims: ReadonlySet<string>;
  readonly hostUsers: boolean;
}

export function validateContainers(path: string, context: PodContext, found: Found): void {
  const list: any[] = context.spec.containers ?? [];
  if (list.length === 0) {
    found.add(required(path));
    return;
  }
  const names = new Set<string>();
  for (const [at, container] of list.entries()) {
    const here = `${path}[${at}]`;
    common(container, here, context, found);
    if (names.has(container.name)) found.add(duplicate(`${here}.name`, container.name ?? ""));
    names.add(container.name);
    running(container, here, context, found);
    restartPolicy(container, here, found);
  }
  hostPorts(list, path, found);
}

export function validateInitContainers(path: string, context: PodContext, found: Found): void {
  const names = new Set((context.spec.containers ?? []).map(({ name }: any) => name));
  for (const [at, container] of (context.spec.initContainers ?? []).entries()) {
    const here = `${path}[${at}]`;
    common(container, here, context, found);
    restartPolicy(container, here, found);
    if (names.has(container.name)) found.add(duplicate(`${here}.name`, container.name));
    else if (container.name) names.add(container.name);
    hostPorts([container], path, found);
    const sidecar = container.restartPolicy === "Always";
    if (sidecar) running(container, here, context, found);
    else {
      for (const field of ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"]) {
        if (container[field] === undefined) continue;
        found.add(forbidden(`${here}.${field}`, "may not be set for init containers without restartPolicy=Always"));
      }
      for (const [index, policy] of (container.resizePolicy ?? []).entries()) {
        if (policy.restartPolicy !== "RestartContainer") continue;
        const problem = "must not be set to 'RestartContainer' for non-sidecar initContainers";
        found.add(invalid(`${here}.resizePolicy[${index}].restartPolicy`, policy.restartPolicy, problem));
      }
    }
  }
}

const notEphemeral = [
  "ports",
  "livenessProbe",
  "readinessProbe",
  "startupProbe",
  "lifecycle",
  "resources",
  "resizePolicy",
];

export function validateEphemeralContainers(path: string, context: PodContext, found: Found): void {
  const others = new Set<string>(
    [...(context.spec.containers ?? []), ...(context.spec.initContainers ?? [])].map(({ name }: any) => name),
  );
  const names = new Set(others);
  for (const [at, container] of (context.spec.ephemeralContainers ?? []).entries()) {
    const here = `${path}[${at}]`;
    common(container, here, context, found);
    imageSpace(container, here, found);
    if (names.has(container.name)) found.add(duplicate(`${here}.name`, container.name));
    names.add(container.name);
    const target = container.targetContainerName;
    if (target && !others.has(target)) found.add(notFound(`${here}.targetContainerName`, target));
    for (const field of notEphemeral) {
      const value = container[field];
      if (value === undefined || Object.keys(value).length === 0) continue;
      found.add(forbidden(`${here}.${field}`, "cannot be set for an Ephemeral Container"));
    }
    for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
      for (const field of ["subPath", "subPathExpr"]) {
        if (!mount[field]) continue;
        const at = `${here}.volumeMounts[${index}].${field}`;
        found.add(forbidden(at, "cannot be set for an Ephemeral Container"));
      }
    }
  }
}

/** An image's name may be anything in a template, where other programs fill it in; in a pod it may not be padded. */
export function imageSpace({ image = "" }: any, path: string, found: Found): void {
  if (image !== image.trim())
    found.add(invalid(`${path}.image`, image, "must not have leading or trailing whitespace"));
}

function common(container: any, path: string, context: PodContext, found: Found): void {
  if (found.needed(container.name, `${path}.name`)) found.named(isDnsLabel, container.name, `${path}.name`);
  found.needed(container.image, `${path}.image`);
  found.choice(
    container.terminationMessagePolicy,
    ["File", "FallbackToLogsOnError"],
    `${path}.terminationMessagePolicy`,
  );
  ports(container.ports ?? [], `${path}.ports`, found);
  validateEnv(container.env ?? [], `${path}.env`, found);
  validateEnvFrom(container.envFrom ?? [], `${path}.envFrom`, found);
  fileKeys(container, path, context, found);
  mounts(container, `${path}.volumeMounts`, context.volumes, found);
  devices(container, `${path}.volumeDevices`, context.volumes, found);
  found.choice(container.imagePullPolicy, ["Always", "IfNotPresent", "Never"], `${path}.imagePullPolicy`);
  validateResources(container.resources ?? {}, `${path}.resources`, context.claims, found);
  resizePolicy(container.resizePolicy ?? [], `${path}.resizePolicy`, context.spec.restartPolicy, found);
  validateSecurityContext(container.securityContext, `${path}.securityContext`, context.hostUsers, found);
}

function running(container: any, path: string, { spec }: PodContext, found: Found): void {
  const grace: number | undefined = spec.terminationGracePeriodSeconds;
  const { lifecycle = {} } = container;
  for (const name of ["postStart", "preStop"]) {
    if (lifecycle[name]) validateProbe.handler(lifecycle[name], grace, `${path}.lifecycle.${name}`, found);
  }
  for (const name of ["livenessProbe", "readinessProbe", "startupProbe"] as const) {
    if (container[name]) validateProbe(container[name], grace, name, `${path}.${name}`, found);
  }
}

const restartPolicies = ["Always", "Never", "OnFailure"];
const mostRules = 20;
const mostCodes = 255;

function restartPolicy(container: any, path: string, found: Found): void {
  const rules: any[] = container.restartPolicyRules ?? [];
  if (container.restartPolicy === undefined) {
    if (rules.length === 0) return;
    found.add(required(`${path}.restartPolicy`, "must specify restartPolicy when restart rules are used"));
  } else found.option(container.restartPolicy, restartPolicies, `${path}.restartPolicy`);
  if (rules.length > mostRules) found.add(tooMany(`${path}.restartPolicyRules`, rules.length, mostRules));
  for (const [at, { action = "", exitCodes }] of rules.entries()) {
    const here = `${path}.restartPolicyRules[${at}]`;
    if (!["Restart", "RestartAllContainers"].includes(action)) {
      found.add(notSupported(`${here}.action`, action, ["Restart", "RestartAllContainers"]));
    }
    if (!exitCodes) found.add(required(`${here}.exitCodes`, "must be specified"));
    else {
      if (!["In", "NotIn"].includes(exitCodes.operator ?? "")) {
        found.add(notSupported(`${here}.exitCodes.operator`, exitCodes.operator ?? "", ["In", "NotIn"]));
      }
      const count = exitCodes.values?.length ?? 0;
      if (count > mostCodes) found.add(tooMany(`${here}.exitCodes.values`, count, mostCodes));
    }
  }
}

function ports(list: any[], path: string, found: Found): void {
  const names = new Set<string>();
  for (const [at, port] of list.entries()) {
    const here = `${path}[${at}]`;
    if (port.name) {
      const problems = isPortName(port.name);
      for (const problem of problems) found.add(invalid(`${here}.name`, port.name, problem));
      if (problems.length === 0 && names.has(port.name)) found.add(duplicate(`${here}.name`, port.name));
      names.add(port.name);
    }
    if (!port.containerPort) found.add(required(`${here}.containerPort`));
    else
      for (const problem of isPortNumber(port.containerPort))
        found.add(invalid(`${here}.containerPort`, port.containerPort, problem));
    if (port.hostPort) {
      for (const problem of isPortNumber(port.hostPort)) found.add(invalid(`${here}.hostPort`, port.hostPort, problem));
    }
    found.choice(port.protocol, ["SCTP", "TCP", "UDP"], `${here}.protocol`);
  }
}

function hostPorts(list: any[], path: string, found: Found): void {
  const seen = new Set<string>();
  for (const [at, container] of list.entries()) {
    for (const [index, port] of (container.ports ?? []).entries()) {
      if (!port.hostPort) continue;
      const key = `${port.protocol}/${port.hostIP ?? ""}/${port.hostPort}`;
      if (seen.has(key)) found.add(duplicate(`${path}[${at}].ports[${index}].hostPort`, key));
      seen.add(key);
    }
  }
}

const propagations = ["Bidirectional", "HostToContainer", "None"];

function mounts(container: any, path: string, volumes: Volumes, found: Found): void {
  const paths = new Set<string>();
  // By name: of several with one name the last one counts.
  const devices = new Map<string, string>(
    (container.volumeDevices ?? []).map((one: any) => [one.name, one.devicePath]),
  );
  for (const [at, mount] of (container.volumeMounts ?? []).entries()) {
    const here = `${path}[${at}]`;
    const { name = "", mountPath = "", subPath, subPathExpr, mountPropagation: propagation } = mount;
    found.needed(name, `${here}.name`);
    if (!volumes.has(name)) found.add(notFound(`${here}.name`, name));
    found.needed(mountPath, `${here}.mountPath`);
    if (paths.has(mountPath)) found.add(invalid(`${here}.mountPath`, mountPath, "must be unique"));
    paths.add(mountPath);
    if (devices.has(name)) {
      found.add(invalid(`${here}.name`, name, "must not already exist in volumeDevices"));
    }
    if ([...devices.values()].includes(mountPath)) {
      found.add(invalid(`${here}.mountPath`, mountPath, "must not already exist as a path in volumeDevices"));
    }
    if (subPath) found.descending(subPath, `${path}.subPath`);
    if (subPathExpr) {
      if (subPath) {
        found.add(invalid(`${here}.subPathExpr`, subPathExpr, "subPathExpr and subPath are mutually exclusive"));
      }
      found.descending(subPathExpr, `${path}.subPathExpr`);
    }
    if (propagation !== undefined) {
      found.option(propagation, propagations, `${path}.mountPropagation`);
      if (propagation === "Bidirectional" && !container.securityContext?.privileged) {
        const problem = "Bidirectional mount propagation is available only to privileged containers";
        found.add(forbidden(`${path}.mountPropagation`, problem));
      }
    }
    recursive(mount, `${path}.recursiveReadOnly`, found);
  }
}

function recursive({ recursiveReadOnly: wanted, readOnly, mountPropagation }: any, path: string, found: Found): void {
  if (wanted === undefined || wanted === "Disabled") return;
  if (wanted !== "Enabled" && wanted !== "IfPossible") {
    found.add(notSupported(path, wanted, ["Disabled", "Enabled", "IfPossible"]));
    return;
  }
  if (!readOnly) found.add(forbidden(path, "may only be specified when readOnly is true"));
  if (mountPropagation !== undefined && mountPropagation !== "None") {
    found.add(forbidden(path, "may only be specified when mountPropagation is None or not specified"));
  }
}

function devices(container: any, path: string, volumes: Volumes, found: Found): void {
  const names = new Set<string>();
  const paths = new Set<string>();
  const mounts = new Map<string, string>((container.volumeMounts ?? []).map((one: any) => [one.name, one.mountPath]));
  for (const [at, { name = "", devicePath = "" }] of (container.volumeDevices ?? []).entries()) {
    const here = `${path}[${at}]`;
    found.needed(name, `${here}.name`);
    if (names.has(name)) found.add(invalid(`${here}.name`, name, "must be unique"));
    const volume = volumes.get(name);
    if (volume === undefined) found.add(notFound(`${here}.name`, name));
    else if (!volume.persistentVolumeClaim && !volume.ephemeral) {
      const problem = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
      found.add(invalid(`${here}.name`, name, problem));
    }
    found.needed(devicePath, `${here}.devicePath`);
    if (paths.has(devicePath)) found.add(invalid(`${here}.devicePath`, devicePath, "must be unique"));
    if (devicePath.split("/").includes("..")) {
      found.add(invalid(`${here}.devicePath`, devicePath, "can not contain backsteps ('..')"));
    } else paths.add(devicePath);
    if (mounts.has(name)) {
      found.add(invalid(`${here}.name`, name, "must not already exist in volumeMounts"));
    }
    if ([...mounts.values()].includes(devicePath)) {
      found.add(invalid(`${here}.devicePath`, devicePath, "must not already exist as a path in volumeMounts"));
    }
    if (name) names.add(name);
  }
}

function fileKeys(container: any, path: string, { spec }: PodContext, found: Found): void {
  for (const [at, env] of (container.env ?? []).entries()) {
    const name = env.valueFrom?.fileKeyRef?.volumeName;
    if (env.valueFrom?.fileKeyRef === undefined) continue;
    const here = `${path}.env[${at}].valueFrom.fileKeyRef.volumeName`;
    const volume = (spec.volumes ?? []).find((one: any) => one.name === name);
    if (volume === undefined) found.add(notFound(here, name ?? ""));
    else if (!volume.emptyDir) found.add(invalid(here, name, "referenced volume must be of type emptyDir"));
  }
}

function resizePolicy(list: any[], path: string, podPolicy: string, found: Found): void {
  const seen = new Set<string>();
  for (const [at, { resourceName = "", restartPolicy = "" }] of list.entries()) {
    if (seen.has(resourceName)) found.add(duplicate(`${path}[${at}]`, resourceName));
    seen.add(resourceName);
    found.choice(resourceName, ["cpu", "memory"], path);
    found.choice(restartPolicy, ["NotRequired", "RestartContainer"], path);
    if (podPolicy === "Never" && restartPolicy !== "NotRequired") {
      found.add(invalid(path, restartPolicy, "must be 'NotRequired' when pod `restartPolicy` is 'Never'"));
    }
  }
}
