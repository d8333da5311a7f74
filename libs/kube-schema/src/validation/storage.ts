// biome-ignore-all lint/suspicious/noExplicitAny: objects were decoded against their schemas and defaulted before

import { deepEqual } from "@tiphys/canonical-json";
import { compareQuantities, isDnsSubdomain, isQualifiedName, parseQuantity } from "@tiphys/kube-values";
import type { KubeObject } from "@tiphys/resources";
import {
  duplicate,
  type FieldError,
  forbidden,
  invalid,
  notSupported,
  required,
  sortedMap,
  tooLong,
} from "../field-error.js";
import { volumeKinds } from "../warnings/volume-kinds.js";
import { goDiff } from "./go-diff.js";
import { Found, hostPathTypes, resourceAmount, validateClaimSpec, validateNodeSelector } from "./pod/index.js";

const immutable = "field is immutable";
const accessModes = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
const reclaimPolicies = ["Delete", "Recycle", "Retain"];
const volumeModes = ["Block", "Filesystem"];
const STORAGE_CLASS = "volume.beta.kubernetes.io/storage-class";
const named = (field: string, name: string): FieldError[] =>
  isDnsSubdomain(name).map((problem) => invalid(field, name, problem));

/** Where volumes come from, in the order they are looked at. */
const sources =
  "hostPath gcePersistentDisk awsElasticBlockStore glusterfs flocker nfs rbd quobyte cephfs iscsi cinder fc flexVolume azureFile vsphereVolume photonPersistentDisk portworxVolume azureDisk scaleIO local storageos csi".split(
    " ",
  );
const secretRefs = [
  "controllerPublishSecretRef",
  "controllerExpandSecretRef",
  "nodePublishSecretRef",
  "nodeExpandSecretRef",
];

const noBacksteps = (path: string, field: string): FieldError[] =>
  path.split("/").includes("..") ? [invalid(field, path, "must not contain '..'")] : [];
const needed = (source: any, fields: readonly string[], path: string): FieldError[] =>
  fields.flatMap((field) => (source[field] ? [] : [required(`${path}.${field}`)]));

const sourceChecks: Readonly<Record<string, (source: any, path: string) => FieldError[]>> = {
  hostPath: ({ path = "", type = "" }, at) => [
    ...(path ? noBacksteps(path, `${at}.path`) : [required(`${at}.path`)]),
    ...(hostPathTypes.includes(type) ? [] : [notSupported(`${at}.type`, type, hostPathTypes)]),
  ],
  nfs: (nfs, at) => [
    ...needed(nfs, ["server", "path"], at),
    ...(nfs.path?.startsWith("/") ? [] : [invalid(`${at}.path`, nfs.path ?? "", "must be an absolute path")]),
  ],
  iscsi: (iscsi, at) => needed(iscsi, ["targetPortal", "iqn"], at),
  fc: ({ targetWWNs = [], wwids = [] }, at) =>
    targetWWNs.length > 0 === wwids.length > 0
      ? [required(`${at}.targetWWNs`, "must specify either targetWWNs or wwids, but not both")]
      : [],
  local: ({ path = "" }, at) => (path ? noBacksteps(path, `${at}.path`) : [required(`${at}.path`)]),
  csi: (csi, at) => [
    ...(csi.driver
      ? named(`${at}.driver`, csi.driver.toLowerCase() === csi.driver ? csi.driver : csi.driver)
      : [required(`${at}.driver`)]),
    ...needed(csi, ["volumeHandle"], at),
    ...secretRefs.flatMap((ref) => (csi[ref] ? needed(csi[ref], ["name", "namespace"], `${at}.${ref}`) : [])),
  ],
};

/** `/` in any of its spellings. */
const isRoot = (path = ""): boolean => path.split("/").every((part) => part === "" || part === ".");

function checkModes(modes: readonly string[], path: string): FieldError[] {
  const errors = modes.flatMap((mode) => (accessModes.includes(mode) ? [] : [notSupported(path, mode, accessModes)]));
  if (
    modes.includes("ReadWriteOncePod") &&
    modes.some((mode) => mode !== "ReadWriteOncePod" && accessModes.includes(mode))
  ) {
    errors.push(forbidden(path, "may not use ReadWriteOncePod with other access modes"));
  }
  return errors;
}

function checkCapacity(capacity: Record<string, string>): FieldError[] {
  const path = "spec.capacity";
  const errors: FieldError[] = [];
  const names = Object.keys(capacity);
  if (names.length === 0) errors.push(required(path));
  if (capacity["storage"] === undefined || names.length > 1) {
    errors.push(notSupported(path, names.length > 0 ? sortedMap(capacity) : null, ["storage"]));
  }
  for (const [name, amount] of Object.entries(capacity)) {
    const here = `${path}[${name}]`;
    errors.push(...basicAmount(amount, here));
    if ((parseQuantity(amount)?.nanos ?? 0n) <= 0n) errors.push(invalid(here, amount, "must be greater than zero"));
  }
  return errors;
}

/** An amount that is not less than nothing, which is told in whole numbers. */
function basicAmount(amount: string, field: string): FieldError[] {
  const nanos = parseQuantity(amount)?.nanos ?? 0n;
  return nanos < 0n ? [invalid(field, Number(nanos / 1_000_000_000n), "must be a valid resource quantity")] : [];
}

export function validateVolume(object: KubeObject, old?: KubeObject): FieldError[] {
  const spec = object["spec"] ?? {};
  const errors: FieldError[] = [];
  const modes: string[] = spec.accessModes ?? [];
  if (modes.length === 0) errors.push(required("spec.accessModes"));
  errors.push(...checkModes(modes, "spec.accessModes"), ...checkCapacity(spec.capacity ?? {}));
  const policy = spec.persistentVolumeReclaimPolicy;
  if (policy && !reclaimPolicies.includes(policy)) {
    errors.push(notSupported("spec.persistentVolumeReclaimPolicy", policy, reclaimPolicies));
  }
  if (spec.nodeAffinity) {
    const found = new Found();
    const path = "spec.nodeAffinity.required";
    if (spec.nodeAffinity.required) validateNodeSelector(spec.nodeAffinity.required, path, found);
    else found.add(required(path, "must specify required node constraints"));
    errors.push(...found.errors);
  }
  const present = sources.filter((source) => spec[source]);
  for (const [at, source] of present.entries()) {
    if (at === 0) errors.push(...(sourceChecks[source]?.(spec[source], `spec.${source}`) ?? []));
    else errors.push(forbidden(`spec.${source}`, "may not specify more than 1 volume type"));
  }
  if (present[0] === "local" && !spec.nodeAffinity) {
    errors.push(required("spec.nodeAffinity", "Local volume requires node affinity"));
  }
  if (present.length === 0) errors.push(required("spec", "must specify a volume type"));
  if (spec.hostPath && isRoot(spec.hostPath.path) && spec.hostPath.path && policy === "Recycle") {
    const problem = "may not be 'recycle' for a hostPath mount of '/'";
    errors.push(forbidden("spec.persistentVolumeReclaimPolicy", problem));
  }
  if (spec.storageClassName) errors.push(...named("spec.storageClassName", spec.storageClassName));
  if (spec.volumeMode !== undefined && !volumeModes.includes(spec.volumeMode)) {
    errors.push(notSupported("spec.volumeMode", spec.volumeMode, volumeModes));
  }
  if (spec.volumeAttributesClassName !== undefined) {
    const field = "spec.volumeAttributesClassName";
    const name: string = spec.volumeAttributesClassName;
    errors.push(...(name ? named(field, name) : [required(field, "an empty string is disallowed")]));
    if (!spec.csi) errors.push(required("spec.csi", "has to be specified when using volumeAttributesClassName"));
  }
  return old ? [...errors, ...changedVolume(spec, old["spec"])] : errors;
}

/** The sources of a volume as messages show them, and the members of those that are told in full. */
const shownInOrder =
  "GCEPersistentDisk AWSElasticBlockStore HostPath Glusterfs NFS RBD Quobyte ISCSI FlexVolume Cinder CephFS FC Flocker AzureFile VsphereVolume AzureDisk PhotonPersistentDisk PortworxVolume ScaleIO Local StorageOS CSI".split(
    " ",
  );
const shownMembers: Readonly<Record<string, (source: any) => object>> = {
  HostPath: ({ path = "", type = null }) => ({ Path: path, Type: type }),
  NFS: ({ server = "", path = "", readOnly = false }) => ({ Server: server, Path: path, ReadOnly: readOnly }),
  Local: ({ path = "", fsType = null }) => ({ Path: path, FSType: fsType }),
  CSI: (csi) => ({
    Driver: csi.driver ?? "",
    VolumeHandle: csi.volumeHandle ?? "",
    ReadOnly: csi.readOnly ?? false,
    FSType: csi.fsType ?? "",
    VolumeAttributes: csi.volumeAttributes ? sortedMap(csi.volumeAttributes) : null,
    ...Object.fromEntries(
      ["controllerPublish", "nodeStage", "nodePublish", "controllerExpand", "nodeExpand"].map((use) => {
        const { name = "", namespace = "" } = csi[`${use}SecretRef`] ?? {};
        const shown = csi[`${use}SecretRef`] ? { Name: name, Namespace: namespace } : null;
        return [`${use[0]?.toUpperCase()}${use.slice(1)}SecretRef`, shown];
      }),
    ),
  }),
};
const shownSources = (spec: any) =>
  Object.fromEntries(
    shownInOrder.map((name) => {
      const source = spec[sources.find((known) => known.toLowerCase() === name.toLowerCase()) ?? ""];
      return [name, source ? (shownMembers[name]?.(source) ?? source) : null];
    }),
  );

function changedVolume(spec: any, was: any): FieldError[] {
  const errors: FieldError[] = [];
  const ofSources = (one: any) =>
    Object.fromEntries(sources.filter((source) => one[source]).map((name) => [name, one[name]]));
  if (!deepEqual(ofSources(spec), ofSources(was))) {
    const rule = "spec.persistentvolumesource is immutable after creation";
    errors.push(forbidden("spec.persistentvolumesource", `${rule}\n${goDiff(shownSources(was), shownSources(spec))}`));
  }
  if (spec.volumeMode !== was.volumeMode) errors.push(invalid("volumeMode", spec.volumeMode ?? null, immutable));
  if (was.volumeAttributesClassName !== undefined && spec.volumeAttributesClassName === undefined) {
    errors.push(forbidden("spec.volumeAttributesClassName", "update from non-nil value to nil is forbidden"));
  }
  return errors;
}

/** A claim's spec as messages about its changes show it. */
const shownClaim = (spec: any) => ({
  AccessModes: spec.accessModes ?? null,
  Selector: spec.selector ?? null,
  Resources: {
    Limits: spec.resources?.limits ? sortedMap(spec.resources.limits) : null,
    Requests: spec.resources?.requests ? sortedMap(spec.resources.requests) : null,
  },
  VolumeName: spec.volumeName ?? "",
  StorageClassName: spec.storageClassName ?? null,
  VolumeMode: spec.volumeMode ?? null,
  DataSource: shownSource(spec.dataSource, false),
  DataSourceRef: shownSource(spec.dataSourceRef, true),
  VolumeAttributesClassName: spec.volumeAttributesClassName ?? null,
});
const shownSource = (source: any, withNamespace: boolean) =>
  source
    ? {
        APIGroup: source.apiGroup ?? null,
        Kind: source.kind ?? "",
        Name: source.name ?? "",
        ...(withNamespace ? { Namespace: source.namespace ?? null } : {}),
      }
    : null;

export function validateClaim(object: KubeObject, old?: KubeObject): FieldError[] {
  const spec = object["spec"] ?? {};
  const errors = validateClaimSpec(spec, "spec");
  if (!old) return errors;
  const was = old["spec"] ?? {};
  const isBound = object["status"]?.phase === "Bound";
  const [now, before] = [{ ...spec }, { ...was }];
  if (!was.volumeName) before.volumeName = now.volumeName;
  // A claim that never had a class may be given one, as long as it is not bound.
  if (was.storageClassName === undefined && !old.metadata.annotations?.[STORAGE_CLASS]) {
    now.storageClassName = before.storageClassName;
  }
  if (isBound) {
    now.resources = {
      ...now.resources,
      requests: { ...now.resources?.requests, storage: was.resources?.requests?.storage },
    };
    now.volumeAttributesClassName = before.volumeAttributesClassName;
  }
  if (!deepEqual(shownClaim(now), shownClaim(before))) {
    const rule =
      "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
    errors.push(forbidden("spec", `${rule}\n${goDiff(shownClaim(before), shownClaim(now))}`));
  }
  const size = (one: any) =>
    parseQuantity(one?.resources?.requests?.storage ?? "0") ?? { nanos: 0n, form: "DecimalSI" };
  const [newSize, oldSize] = [size(spec), size(was)];
  if (compareQuantities(newSize as any, oldSize as any) < 0) {
    const held = parseQuantity(old["status"]?.capacity?.storage ?? "0");
    if (held && compareQuantities(newSize as any, held) <= 0) {
      errors.push(forbidden("spec.resources.requests.storage", "field can not be less than status.capacity"));
    }
  }
  if (spec.volumeMode !== was.volumeMode) errors.push(invalid("volumeMode", spec.volumeMode ?? null, immutable));
  return errors;
}

const resizeStates = [
  "ControllerResizeInProgress",
  "ControllerResizeInfeasible",
  "NodeResizeInProgress",
  "NodeResizeInfeasible",
  "NodeResizePending",
];

/** Resources of a claim: its storage, or those of other drivers. */
function claimResource(name: string, path: string): FieldError[] {
  const problems = isQualifiedName(name).map((problem) => invalid(path, name, problem));
  if (problems.length > 0 || name.includes("/") || name === "storage") return problems;
  return [notSupported(path, name, ["storage"])];
}

export function validateClaimStatus({ status = {} }: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  for (const [name, amount] of Object.entries((status.capacity ?? {}) as Record<string, string>)) {
    errors.push(...basicAmount(amount, `status.capacity[${name}]`));
  }
  for (const [name, state] of Object.entries(status.allocatedResourceStatuses ?? {})) {
    const path = "status.allocatedResourceStatuses";
    errors.push(...claimResource(name, path));
    if (!resizeStates.includes(String(state))) errors.push(notSupported(path, name, resizeStates));
  }
  for (const [name, amount] of Object.entries((status.allocatedResources ?? {}) as Record<string, string>)) {
    const path = "status.allocatedResources";
    const found = claimResource(name, path);
    if (found.length > 0) errors.push(...found);
    else {
      const basic = basicAmount(amount, `${path}[${name}]`);
      errors.push(...(basic.length > 0 ? basic : resourceAmount("storage", amount, `${path}[${name}]`)));
    }
  }
  return errors;
}

const most = { parameters: 512, parameterBytes: 256 * 1024 };

function checkParameters(parameters: Record<string, string>): FieldError[] {
  const names = Object.keys(parameters);
  if (names.length > most.parameters) return [tooLong("parameters", most.parameters)];
  const errors = names.includes("") ? [invalid("parameters", "", "field can not be empty.")] : [];
  const bytes = Object.entries(parameters).reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  if (bytes > most.parameterBytes) errors.push(tooLong("parameters", most.parameterBytes));
  return errors;
}

/** The name of a driver, whose letters count as small ones. */
function checkProvisioner(name: string, field: string): FieldError[] {
  if (!name) return [required(field)];
  return isQualifiedName(name.toLowerCase()).map((problem) => invalid(field, name.toLowerCase(), problem));
}

function checkTopologies(terms: any[]): FieldError[] {
  const errors: FieldError[] = [];
  const seen: string[] = [];
  for (const [at, { matchLabelExpressions = [] }] of terms.entries()) {
    const path = `allowedTopologies[${at}].matchLabelExpressions`;
    const keys = new Set<string>();
    const shown: Record<string, string[]> = {};
    for (const [index, { key = "", values }] of matchLabelExpressions.entries()) {
      const here = `${path}[${index}]`;
      for (const problem of isQualifiedName(key)) errors.push(invalid(`${here}.key`, key, problem));
      const list: string[] = values ?? [];
      if (list.length === 0) errors.push(required(`${here}.values`));
      for (const [n, value] of list.entries()) {
        if (list.indexOf(value) < n) errors.push(duplicate(`${here}.values[${n}]`, value));
      }
      if (keys.has(key)) errors.push(duplicate(`${here}.key`, key));
      keys.add(key);
      shown[key] = [...list].sort();
    }
    const text = JSON.stringify(sortedMap(shown));
    if (seen.includes(text)) errors.push(duplicate(path, ""));
    seen.push(text);
  }
  return errors;
}

export function validateStorageClass(object: any, old?: any): FieldError[] {
  const { provisioner = "", parameters = {}, reclaimPolicy, volumeBindingMode, allowedTopologies = [] } = object;
  const errors = [...checkProvisioner(provisioner, "provisioner"), ...checkParameters(parameters)];
  const policies = ["Delete", "Retain"];
  if (reclaimPolicy && !policies.includes(reclaimPolicy)) {
    errors.push(notSupported("reclaimPolicy", reclaimPolicy, policies));
  }
  const bindings = ["Immediate", "WaitForFirstConsumer"];
  if (volumeBindingMode === undefined) errors.push(required("volumeBindingMode"));
  else if (!bindings.includes(volumeBindingMode)) {
    errors.push(notSupported("volumeBindingMode", volumeBindingMode, bindings));
  }
  errors.push(...checkTopologies(allowedTopologies));
  if (!old) return errors;
  for (const field of ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"]) {
    if (!deepEqual(object[field] ?? null, old[field] ?? null)) {
      errors.push(invalid(field, object[field] ?? null, immutable));
    }
  }
  return errors;
}

const SHORTEST_TOKEN_SECONDS = 600;
const LONGEST_TOKEN_SECONDS = 2 ** 32;

export function validateCsiDriver(object: KubeObject, old?: KubeObject): FieldError[] {
  const spec = object["spec"] ?? {};
  const errors: FieldError[] = [];
  const lives = ["Persistent", "Ephemeral"];
  for (const mode of spec.volumeLifecycleModes ?? []) {
    if (!lives.includes(mode)) errors.push(notSupported("spec.volumeLifecycleModes", mode, lives));
  }
  const groups = ["File", "None", "ReadWriteOnceWithFSType"];
  if (spec.fsGroupPolicy !== undefined && !groups.includes(spec.fsGroupPolicy)) {
    errors.push(notSupported("spec.fsGroupPolicy", spec.fsGroupPolicy, groups));
  }
  const audiences = new Set<string>();
  for (const [at, { audience = "", expirationSeconds }] of (spec.tokenRequests ?? []).entries()) {
    const path = `spec.tokenRequests[${at}]`;
    if (audiences.has(audience)) errors.push(duplicate(`${path}.audience`, audience));
    audiences.add(audience);
    if (expirationSeconds === undefined) continue;
    const field = `${path}.expirationSeconds`;
    if (expirationSeconds < SHORTEST_TOKEN_SECONDS) {
      errors.push(invalid(field, expirationSeconds, "may not specify a duration less than 10 minutes"));
    }
    if (expirationSeconds > LONGEST_TOKEN_SECONDS) {
      errors.push(invalid(field, expirationSeconds, "may not specify a duration larger than 2^32 seconds"));
    }
  }
  if (!old) return errors;
  const was = old["spec"] ?? {};
  if (spec.attachRequired !== was.attachRequired) {
    errors.push(invalid("spec.attachedRequired", spec.attachRequired ?? null, immutable));
  }
  if (!deepEqual(spec.volumeLifecycleModes, was.volumeLifecycleModes)) {
    errors.push(invalid("spec.volumeLifecycleModes", spec.volumeLifecycleModes ?? null, immutable));
  }
  return errors;
}

export function validateAttributesClass(object: any, old?: any): FieldError[] {
  const { driverName = "", parameters = {} } = object;
  const errors = checkProvisioner(driverName, "driverName");
  const found = checkParameters(parameters);
  if (Object.keys(parameters).length === 0) {
    found.push(required("parameters", "must contain at least one key/value pair"));
  }
  if (!old) return [...errors, ...found];
  const changed: FieldError[] = [];
  if (driverName !== old.driverName) changed.push(forbidden("driverName", "updates to driverName are forbidden."));
  if (!deepEqual(parameters, old.parameters ?? {})) {
    changed.push(forbidden("parameters", "updates to parameters are forbidden."));
  }
  return changed;
}

const classAnnotation = ({ metadata }: KubeObject): string[] =>
  metadata.annotations?.[STORAGE_CLASS] === undefined
    ? []
    : [`metadata.annotations[${STORAGE_CLASS}]: deprecated since v1.8; use "storageClassName" attribute instead`];

export function volumeWarnings(volume: KubeObject): string[] {
  const recycled =
    volume["spec"]?.persistentVolumeReclaimPolicy === "Recycle"
      ? [
          "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.",
        ]
      : [];
  const gone = Object.entries(volumeKinds).flatMap(([kind, [shown, what]]) =>
    volume["spec"]?.[kind] ? [`spec.${shown}: ${what}`] : [],
  );
  return [...classAnnotation(volume), ...recycled, ...gone];
}

export function claimWarnings(claim: KubeObject): string[] {
  const storage = claim["spec"]?.resources?.requests?.storage;
  const nanos = parseQuantity(storage ?? "0")?.nanos ?? 0n;
  const isFraction = nanos % 1_000_000_000n !== 0n;
  return [
    ...classAnnotation(claim),
    ...(isFraction
      ? [
          `spec.resources.requests[storage]: fractional byte value ${JSON.stringify(storage)} is invalid, must be an integer`,
        ]
      : []),
  ];
}

export const csiDriverWarnings = ({ spec }: KubeObject): string[] =>
  spec?.tokenRequests?.length && spec.serviceAccountTokenInSecrets === undefined
    ? [
        "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes",
      ]
    : [];
