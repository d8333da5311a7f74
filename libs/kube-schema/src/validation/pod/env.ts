// biome-ignore-all lint/suspicious/noExplicitAny: objects were decoded against their schemas and defaulted before
import { isConfigKey, isEnvName, isQualifiedName } from "@tiphys/kube-values";
import { invalid, notSupported, required } from "../../field-error.js";
import { type Found, isDnsLabel, isDnsSubdomain } from "./parts.js";

/** What environment variables may show of their pod. */
const envFields = [
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
/** Every path that means something at all. */
const convertible = new Set([
  ...envFields,
  "metadata.annotations",
  "metadata.labels",
  "spec.restartPolicy",
  "status.phase",
]);

export function validateFieldRef(ref: any, allowed: readonly string[], path: string, found: Found): void {
  if (!ref.apiVersion) {
    found.add(required(`${path}.apiVersion`));
    return;
  }
  if (!found.needed(ref.fieldPath, `${path}.fieldPath`)) return;
  const text: string = ref.fieldPath;
  const subscript = /^(.+)\['(.*)'\]$/s.exec(text);
  const bare = subscript?.[1] ?? text;
  const known =
    subscript === null
      ? convertible.has(bare) || bare === "spec.host"
      : bare === "metadata.annotations" || bare === "metadata.labels";
  if (ref.apiVersion !== "v1") {
    const problem = `error converting fieldPath: unsupported pod version: ${ref.apiVersion}`;
    found.add(invalid(`${path}.fieldPath`, text, problem));
  } else if (!known) {
    const why =
      subscript === null ? `field label not supported: ${text}` : `field label does not support subscript: ${text}`;
    found.add(invalid(`${path}.fieldPath`, text, `error converting fieldPath: ${why}`));
  } else if (subscript !== null) {
    const key = subscript[2]!;
    found.named(isQualifiedName, bare === "metadata.annotations" ? key.toLowerCase() : key, path);
  } else if (!allowed.includes(bare)) found.add(notSupported(`${path}.fieldPath`, bare, [...allowed].sort()));
}

const resources = [
  "limits.cpu",
  "limits.ephemeral-storage",
  "limits.memory",
  "requests.cpu",
  "requests.ephemeral-storage",
  "requests.memory",
];
const byteDivisors = ["1", ...["k", "M", "G", "T", "P", "E"], ...["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]].map((unit) =>
  unit === "1" ? unit : `1${unit}`,
);

export function validateResourceFieldRef(ref: any, path: string, isVolume: boolean, found: Found): void {
  const { resource = "", divisor } = ref;
  const isHuge = /^(limits|requests)\.hugepages-/.test(resource);
  if (isVolume && !ref.containerName) found.add(required(`${path}.containerName`));
  else if (!resource) found.add(required(`${path}.resource`));
  else if (!resources.includes(resource) && !isHuge) found.add(notSupported(`${path}.resource`, resource, resources));
  if (divisor === undefined || divisor === "0") return;
  const bad = (units: readonly string[], what: string) => {
    if (units.includes(divisor)) return;
    const shown = units.length === 2 ? "1m and 1" : units.join(", ");
    found.add(
      invalid(`${path}.divisor`, resource, `only divisor's values ${shown} are supported with the ${what} resource`),
    );
  };
  if (/\.cpu$/.test(resource)) bad(["1m", "1"], "cpu");
  else if (/\.memory$/.test(resource)) bad(byteDivisors, "memory");
  else if (/\.ephemeral-storage$/.test(resource)) bad(byteDivisors, "local ephemeral storage");
  else if (isHuge) bad(byteDivisors, "hugepages");
}

export function validateEnv(list: any[], path: string, found: Found): void {
  for (const [at, env] of list.entries()) {
    const here = `${path}[${at}]`;
    if (found.needed(env.name, `${here}.name`)) found.named(isEnvName, env.name, `${here}.name`);
    if (env.valueFrom) validateValueFrom(env, `${here}.valueFrom`, found);
  }
}

const valueSources = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"];

function validateValueFrom({ value, valueFrom }: any, path: string, found: Found): void {
  const kinds = valueSources.filter((kind) => valueFrom[kind]);
  if (valueFrom.fieldRef) validateFieldRef(valueFrom.fieldRef, envFields, `${path}.fieldRef`, found);
  if (valueFrom.resourceFieldRef) {
    validateResourceFieldRef(valueFrom.resourceFieldRef, `${path}.resourceFieldRef`, false, found);
  }
  for (const kind of ["configMapKeyRef", "secretKeyRef"]) {
    const reference = valueFrom[kind];
    if (!reference) continue;
    found.named(isDnsSubdomain, reference.name ?? "", `${path}.${kind}.name`);
    if (found.needed(reference.key, `${path}.${kind}.key`))
      found.named(isConfigKey, reference.key, `${path}.${kind}.key`);
  }
  const file = valueFrom.fileKeyRef;
  if (file) {
    if (found.needed(file.key, `${path}.fileKeyRef.key`)) found.named(isEnvName, file.key, `${path}.fileKeyRef.key`);
    if (found.needed(file.volumeName, `${path}.fileKeyRef.volumeName`)) {
      found.named(isDnsLabel, file.volumeName, `${path}.fileKeyRef.volumeName`);
    }
    if (found.needed(file.path, `${path}.fileKeyRef.path`)) found.noBacksteps(file.path, `${path}.fileKeyRef.path`);
  }
  if (kinds.length === 0) {
    const names = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`";
    found.add(invalid(path, "", `must specify one of: ${names}`));
  } else if (value) found.add(invalid(path, "", "may not be specified when `value` is not empty"));
  else if (kinds.length > 1) found.add(invalid(path, "", "may not have more than one field specified at a time"));
}

export function validateEnvFrom(list: any[], path: string, found: Found): void {
  for (const [at, from] of list.entries()) {
    const here = `${path}[${at}]`;
    if (from.prefix) found.named(isEnvName, from.prefix, `${here}.prefix`);
    const kinds = ["configMapRef", "secretRef"].filter((kind) => from[kind]);
    for (const kind of kinds) {
      const name = `${here}.${kind}.name`;
      if (found.needed(from[kind].name, name)) found.named(isDnsSubdomain, from[kind].name, name);
    }
    if (kinds.length === 0) found.add(invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"));
    else if (kinds.length > 1) found.add(invalid(path, "", "may not have more than one field specified at a time"));
  }
}
