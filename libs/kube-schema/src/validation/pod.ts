// biome-ignore-all lint/suspicious/noExplicitAny: objects were decoded against their schemas and defaulted before
import { deepEqual } from "@tiphys/canonical-json";
import {
  compareQuantities,
  isDnsLabel,
  isDnsSubdomain,
  isEnvName,
  isPortName,
  isPortNumber,
  isQualifiedName,
  parseQuantity,
} from "@tiphys/kube-values";
import type { KubeObject } from "@tiphys/resources";
import { duplicate, type FieldError, forbidden, invalid, notFound, notSupported, required } from "../field-error.js";
import { validateLabels } from "./metadata.js";

const nonNegative = "must be greater than or equal to 0";

export function validatePodSpec(
  spec: any,
  path: string,
  restartPolicies = ["Always", "OnFailure", "Never"],
): FieldError[] {
  if (!spec) return [required(path)];
  const errors: FieldError[] = [];
  const volumes = validateVolumes(spec.volumes ?? [], `${path}.volumes`, errors);
  const names = new Set<string>();
  const initNames = new Set<string>();
  for (const [at, container] of (spec.containers ?? []).entries()) {
    validateContainer(container, `${path}.containers[${at}]`, volumes, names, errors);
  }
  if (!spec.containers?.length) errors.push(required(`${path}.containers`));
  for (const [at, container] of (spec.initContainers ?? []).entries()) {
    const here = `${path}.initContainers[${at}]`;
    if (names.has(container.name)) errors.push(duplicate(`${here}.name`, container.name));
    validateContainer(container, here, volumes, initNames, errors);
    if (container.restartPolicy && container.restartPolicy !== "Always") {
      errors.push(notSupported(`${here}.restartPolicy`, container.restartPolicy, ["Always"]));
    }
  }
  if (!spec.restartPolicy) errors.push(required(`${path}.restartPolicy`));
  else if (!restartPolicies.includes(spec.restartPolicy)) {
    errors.push(notSupported(`${path}.restartPolicy`, spec.restartPolicy, restartPolicies));
  }
  const dns = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
  if (!dns.includes(spec.dnsPolicy)) errors.push(notSupported(`${path}.dnsPolicy`, spec.dnsPolicy, dns));
  if (spec.terminationGracePeriodSeconds < 0) {
    errors.push(invalid(`${path}.terminationGracePeriodSeconds`, spec.terminationGracePeriodSeconds, nonNegative));
  }
  if (spec.activeDeadlineSeconds !== undefined && !(spec.activeDeadlineSeconds >= 1)) {
    errors.push(
      invalid(
        `${path}.activeDeadlineSeconds`,
        spec.activeDeadlineSeconds,
        "must be between 1 and 2147483647, inclusive",
      ),
    );
  }
  errors.push(...validateLabels(spec.nodeSelector, `${path}.nodeSelector`));
  for (const field of ["serviceAccountName", "nodeName"]) {
    for (const problem of spec[field] ? isDnsSubdomain(spec[field]) : [])
      errors.push(invalid(`${path}.${field}`, spec[field], problem));
  }
  for (const [field, rule] of [
    ["hostname", isDnsLabel],
    ["subdomain", isDnsLabel],
  ] as const) {
    for (const problem of spec[field] ? rule(spec[field]) : [])
      errors.push(invalid(`${path}.${field}`, spec[field], problem));
  }
  for (const [at, toleration] of (spec.tolerations ?? []).entries()) {
    for (const problem of toleration.key ? isQualifiedName(toleration.key) : []) {
      errors.push(invalid(`${path}.tolerations[${at}].key`, toleration.key, problem));
    }
  }
  return errors;
}

function validateVolumes(volumes: any[], path: string, errors: FieldError[]): Set<string> {
  const names = new Set<string>();
  for (const [at, volume] of volumes.entries()) {
    const here = `${path}[${at}]`;
    if (!volume.name) errors.push(required(`${here}.name`));
    else {
      for (const problem of isDnsLabel(volume.name)) errors.push(invalid(`${here}.name`, volume.name, problem));
      if (names.has(volume.name)) errors.push(duplicate(`${here}.name`, volume.name));
    }
    names.add(volume.name);
    const sources = Object.keys(volume).filter((key) => key !== "name");
    for (const extra of sources.slice(1)) {
      errors.push(forbidden(`${here}.${extra}`, "may not specify more than 1 volume type"));
    }
    if (volume.secret && !volume.secret.secretName) errors.push(required(`${here}.secret.secretName`));
    if (volume.configMap && !volume.configMap.name) errors.push(required(`${here}.configMap.name`));
    if (volume.hostPath && !volume.hostPath.path) errors.push(required(`${here}.hostPath.path`));
    if (volume.persistentVolumeClaim && !volume.persistentVolumeClaim.claimName) {
      errors.push(required(`${here}.persistentVolumeClaim.claimName`));
    }
  }
  return names;
}

function validateContainer(
  container: any,
  path: string,
  volumes: Set<string>,
  names: Set<string>,
  errors: FieldError[],
): void {
  if (!container.name) errors.push(required(`${path}.name`));
  else {
    for (const problem of isDnsLabel(container.name)) errors.push(invalid(`${path}.name`, container.name, problem));
    if (names.has(container.name)) errors.push(duplicate(`${path}.name`, container.name));
  }
  names.add(container.name);
  if (!container.image) errors.push(required(`${path}.image`));
  else if (container.image !== container.image.trim()) {
    errors.push(invalid(`${path}.image`, container.image, "must not have leading or trailing whitespace"));
  }
  validatePorts(container.ports ?? [], `${path}.ports`, errors);
  for (const [at, env] of (container.env ?? []).entries()) validateEnv(env, `${path}.env[${at}]`, errors);
  for (const [at, from] of (container.envFrom ?? []).entries()) validateEnvFrom(from, `${path}.envFrom[${at}]`, errors);
  validateMounts(container.volumeMounts ?? [], `${path}.volumeMounts`, volumes, errors);
  for (const [name, probe] of [
    ["livenessProbe", container.livenessProbe],
    ["readinessProbe", container.readinessProbe],
    ["startupProbe", container.startupProbe],
  ]) {
    if (probe) validateProbe(probe, `${path}.${name}`, name !== "readinessProbe", errors);
  }
  for (const name of ["postStart", "preStop"]) {
    const handler = container.lifecycle?.[name];
    if (handler)
      validateHandler(handler, `${path}.lifecycle.${name}`, ["exec", "httpGet", "tcpSocket", "sleep"], errors);
  }
  validateChoice(container.imagePullPolicy, ["Always", "IfNotPresent", "Never"], `${path}.imagePullPolicy`, errors);
  validateChoice(
    container.terminationMessagePolicy,
    ["FallbackToLogsOnError", "File"],
    `${path}.terminationMessagePolicy`,
    errors,
  );
  validateResources(container.resources ?? {}, `${path}.resources`, errors);
}

function validateChoice(value: unknown, choices: string[], path: string, errors: FieldError[]): void {
  if (value === undefined || value === "") errors.push(required(path));
  else if (!choices.includes(value as string)) errors.push(notSupported(path, value, choices));
}

function validatePorts(ports: any[], path: string, errors: FieldError[]): void {
  const names = new Set<string>();
  for (const [at, port] of ports.entries()) {
    const here = `${path}[${at}]`;
    if (port.name) {
      const problems = isPortName(port.name);
      for (const problem of problems) errors.push(invalid(`${here}.name`, port.name, problem));
      if (problems.length === 0 && names.has(port.name)) errors.push(duplicate(`${here}.name`, port.name));
      names.add(port.name);
    }
    if (!port.containerPort) errors.push(required(`${here}.containerPort`));
    else
      for (const problem of isPortNumber(port.containerPort))
        errors.push(invalid(`${here}.containerPort`, port.containerPort, problem));
    if (port.hostPort)
      for (const problem of isPortNumber(port.hostPort))
        errors.push(invalid(`${here}.hostPort`, port.hostPort, problem));
    validateChoice(port.protocol, ["SCTP", "TCP", "UDP"], `${here}.protocol`, errors);
  }
}

const fieldPaths = [
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
  "spec.nodeName",
  "spec.serviceAccountName",
  "status.hostIP",
  "status.hostIPs",
  "status.podIP",
  "status.podIPs",
];

function validateEnv(env: any, path: string, errors: FieldError[]): void {
  if (!env.name) errors.push(required(`${path}.name`));
  else for (const problem of isEnvName(env.name)) errors.push(invalid(`${path}.name`, env.name, problem));
  const source = env.valueFrom;
  if (!source) return;
  const here = `${path}.valueFrom`;
  const kinds = Object.keys(source);
  if (kinds.length === 0) {
    errors.push(
      invalid(
        here,
        "",
        "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
      ),
    );
  } else if (env.value) errors.push(invalid(here, "", "may not be specified when `value` is not empty"));
  else if (kinds.length > 1) errors.push(invalid(here, "", "may not have more than one field specified at a time"));
  for (const kind of ["configMapKeyRef", "secretKeyRef"]) {
    const reference = source[kind];
    if (!reference) continue;
    for (const problem of isDnsSubdomain(reference.name ?? ""))
      errors.push(invalid(`${here}.${kind}.name`, reference.name ?? "", problem));
    if (!reference.key) errors.push(required(`${here}.${kind}.key`));
  }
  const { fieldPath } = source.fieldRef ?? {};
  if (source.fieldRef && !fieldPath) errors.push(required(`${here}.fieldRef.fieldPath`));
  else if (
    fieldPath &&
    !fieldPaths.includes(fieldPath) &&
    !/^metadata\.(labels|annotations)\['.+'\]$/.test(fieldPath)
  ) {
    errors.push(
      invalid(
        `${here}.fieldRef.fieldPath`,
        fieldPath,
        "error converting fieldPath: field label not supported: " + fieldPath,
      ),
    );
  }
  if (source.resourceFieldRef && !source.resourceFieldRef.resource)
    errors.push(required(`${here}.resourceFieldRef.resource`));
}

function validateEnvFrom(from: any, path: string, errors: FieldError[]): void {
  const sources = ["configMapRef", "secretRef"].filter((kind) => from[kind]);
  if (sources.length === 0) errors.push(invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"));
  else if (sources.length > 1) errors.push(invalid(path, "", "may not have more than one field specified at a time"));
  for (const kind of sources) if (!from[kind].name) errors.push(required(`${path}.${kind}.name`));
}

function validateMounts(mounts: any[], path: string, volumes: Set<string>, errors: FieldError[]): void {
  const paths = new Set<string>();
  for (const [at, mount] of mounts.entries()) {
    const here = `${path}[${at}]`;
    if (!mount.name) errors.push(required(`${here}.name`));
    if (!volumes.has(mount.name)) errors.push(notFound(`${here}.name`, mount.name ?? ""));
    if (!mount.mountPath) errors.push(required(`${here}.mountPath`));
    if (paths.has(mount.mountPath)) errors.push(invalid(`${here}.mountPath`, mount.mountPath, "must be unique"));
    paths.add(mount.mountPath);
    if (mount.subPath?.startsWith("/"))
      errors.push(invalid(`${here}.subPath`, mount.subPath, "must be a relative path"));
    else if (mount.subPath?.split("/").includes(".."))
      errors.push(invalid(`${here}.subPath`, mount.subPath, "must not contain '..'"));
  }
}

function validateHandler(handler: any, path: string, kinds: string[], errors: FieldError[]): void {
  const given = kinds.filter((kind) => handler[kind]);
  if (given.length === 0) errors.push(required(path, "must specify a handler type"));
  for (const kind of given.slice(1))
    errors.push(forbidden(`${path}.${kind}`, "may not specify more than 1 handler type"));
  const [kind] = given;
  if (kind === "exec" && !handler.exec.command?.length) errors.push(required(`${path}.exec.command`));
  if (kind === "httpGet" && !handler.httpGet.path) errors.push(required(`${path}.httpGet.path`));
  if (kind === "httpGet" || kind === "tcpSocket") validatePort(handler[kind].port, `${path}.${kind}.port`, errors);
}

export function validatePort(port: unknown, path: string, errors: FieldError[]): void {
  if (typeof port === "string") for (const problem of isPortName(port)) errors.push(invalid(path, port, problem));
  else for (const problem of isPortNumber(port)) errors.push(invalid(path, port ?? 0, problem));
}

function validateProbe(probe: any, path: string, once: boolean, errors: FieldError[]): void {
  validateHandler(probe, path, ["exec", "httpGet", "tcpSocket", "grpc"], errors);
  for (const field of [
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
  ]) {
    if (probe[field] < 0) errors.push(invalid(`${path}.${field}`, probe[field], nonNegative));
  }
  if (once && probe.successThreshold !== 1)
    errors.push(invalid(`${path}.successThreshold`, probe.successThreshold, "must be 1"));
}

function validateResources({ limits = {}, requests = {} }: any, path: string, errors: FieldError[]): void {
  for (const [name, value] of Object.entries(limits as Record<string, string>)) {
    const quantity = parseQuantity(value);
    if (quantity && quantity.nanos < 0n) errors.push(invalid(`${path}.limits[${name}]`, value, nonNegative));
  }
  for (const [name, value] of Object.entries(requests as Record<string, string>)) {
    const quantity = parseQuantity(value);
    const limit = limits[name] === undefined ? undefined : parseQuantity(limits[name]);
    if (quantity && quantity.nanos < 0n) errors.push(invalid(`${path}.requests[${name}]`, value, nonNegative));
    if (quantity && limit && compareQuantities(quantity, limit) > 0) {
      errors.push(invalid(`${path}.requests`, value, `must be less than or equal to ${name} limit of ${limits[name]}`));
    }
  }
}

const mutable =
  "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/** A pod's spec is fixed but for images, a deadline, and more tolerations. */
export function validatePodUpdate(pod: KubeObject, old: KubeObject): FieldError[] {
  const was = old["spec"];
  const is = pod["spec"];
  if (deepEqual(was, is)) return [];
  const sameImages = (list: any[] = [], others: any[] = []) =>
    list.map((one, at) => ({ ...one, image: others[at]?.image }));
  const extended = (was.tolerations ?? []).every((one: any) =>
    (is.tolerations ?? []).some((other: any) => deepEqual(one, other)),
  );
  const comparable = {
    ...is,
    containers: sameImages(is.containers, was.containers),
    ...(is.initContainers ? { initContainers: sameImages(is.initContainers, was.initContainers) } : {}),
    activeDeadlineSeconds: was.activeDeadlineSeconds,
    tolerations: extended ? was.tolerations : is.tolerations,
    schedulingGates: was.schedulingGates,
    // Binding sets the node through a subresource of its own.
    nodeName: was.nodeName || is.nodeName,
    terminationGracePeriodSeconds: was.terminationGracePeriodSeconds,
  };
  if ((is.containers?.length ?? 0) !== (was.containers?.length ?? 0)) {
    return [forbidden("spec.containers", "pod updates may not add or remove containers")];
  }
  return deepEqual(comparable, was) ? [] : [forbidden("spec", mutable)];
}
