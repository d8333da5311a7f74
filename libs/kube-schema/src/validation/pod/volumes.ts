// biome-ignore-all lint/suspicious/noExplicitAny: objects were decoded against their schemas and defaulted before
import { parseQuantity } from "@tiphys/kube-values";
import { duplicate, type FieldError, forbidden, invalid, notSupported, required } from "../../field-error.js";
import { validateSelector } from "../metadata.js";
import { validateFieldRef, validateResourceFieldRef } from "./env.js";
import { Found, inRange, isDnsLabel, isDnsSubdomain } from "./parts.js";

/** Volumes whose own checks passed, by name. */
export type Volumes = ReadonlyMap<string, any>;

export function validateVolumes(
  list: any[],
  path: string,
  podName: string | undefined,
  isPod: boolean,
  found: Found,
): Volumes {
  const good = new Map<string, any>();
  const created = new Set(list.filter(({ ephemeral }) => ephemeral && podName).map(({ name }) => `${podName}-${name}`));
  for (const [at, volume] of list.entries()) {
    const here = `${path}[${at}]`;
    const own = new Found();
    validateSource(volume, here, podName, isPod, own);
    if (!volume.name) own.add(required(`${here}.name`));
    else own.named(isDnsLabel, volume.name, `${here}.name`);
    if (good.has(volume.name)) own.add(duplicate(`${here}.name`, volume.name));
    if (own.errors.length === 0) good.set(volume.name, volume);
    else found.add(...own.errors);
    const claim = volume.persistentVolumeClaim?.claimName;
    if (claim && created.has(claim)) {
      const problem = "must not reference a PVC that gets created for an ephemeral volume";
      found.add(invalid(`${here}.persistentVolumeClaim.claimName`, claim, problem));
    }
  }
  return good;
}

type SourceCheck = (source: any, path: string, found: Found, isPod: boolean) => void;
const need =
  (...fields: string[]): SourceCheck =>
  (source, path, found) => {
    for (const field of fields) found.needed(source[field], `${path}.${field}`);
  };

/** In the order in which the API server looks: the first source counts, the others are too many. */
const managedDisk = {
  begin: "/subscriptions/",
  whole: "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}",
};
const blobDisk = {
  begin: "https://",
  whole: "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd",
};

const sources: readonly (readonly [string, SourceCheck])[] = [
  ["emptyDir", emptyDir],
  ["hostPath", hostPath],
  [
    "gitRepo",
    (source, path, found) => {
      found.needed(source.repository, `${path}.repository`);
      found.descending(source.directory ?? "", `${path}.directory`);
    },
  ],
  ["gcePersistentDisk", disk("pdName", "persistentDisk")],
  ["awsElasticBlockStore", disk("volumeID", "awsElasticBlockStore")],
  ["secret", (source, path, found) => keyed(source, "secretName", path, found)],
  ["nfs", nfs],
  ["iscsi", iscsi],
  ["glusterfs", need("endpoints", "path")],
  [
    "flocker",
    ({ datasetName = "", datasetUUID = "" }, path, found) => {
      if (!datasetName && !datasetUUID) found.add(required(path, "one of datasetName and datasetUUID is required"));
      if (datasetName && datasetUUID) {
        found.add(invalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously"));
      }
      if (datasetName.includes("/")) found.add(invalid(`${path}.datasetName`, datasetName, "must not contain '/'"));
    },
  ],
  ["persistentVolumeClaim", need("claimName")],
  [
    "rbd",
    (source, path, found) => {
      if (!source.monitors?.length) found.add(required(`${path}.monitors`));
      found.needed(source.image, `${path}.image`);
    },
  ],
  ["cinder", need("volumeID")],
  [
    "cephfs",
    (source, path, found) => {
      if (!source.monitors?.length) found.add(required(`${path}.monitors`));
    },
  ],
  ["quobyte", need("registry", "volume")],
  ["downwardAPI", downward],
  ["fc", fibreChannel],
  ["flexVolume", need("driver")],
  ["configMap", (source, path, found) => keyed(source, "name", path, found)],
  ["azureFile", need("secretName", "shareName")],
  ["storageos", need("volumeName")],
  ["vsphereVolume", need("volumePath")],
  ["photonPersistentDisk", need("pdID")],
  [
    "azureDisk",
    ({ diskName, diskURI = "", kind, cachingMode }, path, found) => {
      found.needed(diskName, `${path}.diskName`);
      found.needed(diskURI, `${path}.diskURI`);
      found.choice(cachingMode, ["None", "ReadOnly", "ReadWrite"], `${path}.cachingMode`);
      found.choice(kind, ["Dedicated", "Managed", "Shared"], `${path}.kind`);
      const form = kind === "Managed" ? managedDisk : blobDisk;
      if (!diskURI.startsWith(form.begin)) found.add(notSupported(`${path}.diskURI`, diskURI, [form.whole]));
    },
  ],
  ["portworxVolume", need("volumeID")],
  ["scaleIO", need("gateway", "system", "volumeName")],
  ["projected", projected],
  [
    "csi",
    ({ driver = "", nodePublishSecretRef }, path, found) => {
      if (found.needed(driver, `${path}.driver`)) {
        if (driver.length > 63)
          found.add({
            field: `${path}.driver`,
            reason: "FieldValueTooLong",
            message: "Too long: may not be more than 63 bytes",
          });
        for (const problem of isDnsSubdomain(driver.toLowerCase()))
          found.add(invalid(`${path}.driver`, driver, problem));
      }
      if (nodePublishSecretRef) found.needed(nodePublishSecretRef.name, `${path}.nodePublishSecretRef.name`);
    },
  ],
  ["ephemeral", ephemeral],
  [
    "image",
    (source, path, found, isPod) => {
      if (isPod) found.needed(source.reference, `${path}.reference`);
      found.choice(source.pullPolicy, ["Always", "IfNotPresent", "Never"], `${path}.pullPolicy`);
    },
  ],
];

function validateSource(volume: any, path: string, podName: string | undefined, isPod: boolean, found: Found): void {
  let count = 0;
  for (const [kind, check] of sources) {
    const source = volume[kind];
    if (!source) continue;
    if (++count > 1) found.add(forbidden(`${path}.${kind}`, "may not specify more than 1 volume type"));
    else check(source, kind === "gcePersistentDisk" ? `${path}.persistentDisk` : `${path}.${kind}`, found, isPod);
    if (kind !== "ephemeral" || !podName || !volume.name) continue;
    for (const problem of isDnsSubdomain(`${podName}-${volume.name}`)) {
      found.add(invalid(`${path}.name`, volume.name, `PVC name "${podName}-${volume.name}": ${problem}`));
    }
  }
  if (count === 0) found.add(required(path, "must specify a volume type"));
}

function emptyDir({ sizeLimit }: any, path: string, found: Found): void {
  if (sizeLimit !== undefined && (parseQuantity(sizeLimit)?.nanos ?? 0n) < 0n) {
    found.add(forbidden(`${path}.sizeLimit`, "SizeLimit field must be a valid resource quantity"));
  }
}

export const hostPathTypes = [
  "",
  "BlockDevice",
  "CharDevice",
  "Directory",
  "DirectoryOrCreate",
  "File",
  "FileOrCreate",
  "Socket",
];
function hostPath(source: any, path: string, found: Found): void {
  if (!found.needed(source.path, `${path}.path`)) return;
  found.noBacksteps(source.path, `${path}.path`);
  found.option(source.type, hostPathTypes, `${path}.type`);
}

function disk(id: string, _name: string): SourceCheck {
  return (source, path, found) => {
    found.needed(source[id], `${path}.${id}`);
    const { partition = 0 } = source;
    if (partition < 0 || partition > 255) found.add(invalid(`${path}.partition`, partition, inRange(1, 255)));
  };
}

/** Secrets and ConfigMaps as volumes. */
function keyed(source: any, name: string, path: string, found: Found): void {
  found.needed(source[name], `${path}.${name}`);
  found.fileMode(source.defaultMode, `${path}.defaultMode`);
  for (const [at, item] of (source.items ?? []).entries()) keyToPath(item, `${path}.items[${at}]`, found);
}

function keyToPath(item: any, path: string, found: Found): void {
  found.needed(item.key, `${path}.key`);
  found.needed(item.path, `${path}.path`);
  found.unreserved(item.path ?? "", `${path}.path`);
  found.fileMode(item.mode, `${path}.mode`);
}

function nfs(source: any, path: string, found: Found): void {
  found.needed(source.server, `${path}.server`);
  found.needed(source.path, `${path}.path`);
  if (!source.path?.startsWith("/")) found.add(invalid(`${path}.path`, source.path ?? "", "must be an absolute path"));
}

const initiators: Readonly<Record<string, RegExp>> = {
  iqn: /^iqn\.\d{4}-\d{2}\.([A-Za-z0-9-.]+)(:[^,;*&$|\s]+)$/,
  eui: /^eui\.[0-9A-Fa-f]{16}$/,
  naa: /^naa\.[0-9A-Fa-f]{32}$/,
};

function iscsi(source: any, path: string, found: Found): void {
  found.needed(source.targetPortal, `${path}.targetPortal`);
  const check = (name: string, at: string) => {
    const pattern = initiators[name.slice(0, 3)];
    if (pattern === undefined) found.add(invalid(at, name, "must be valid format starting with iqn, eui, or naa"));
    else if (!pattern.test(name)) found.add(invalid(at, name, "must be valid format"));
  };
  if (found.needed(source.iqn, `${path}.iqn`)) check(source.iqn, `${path}.iqn`);
  const { lun = 0 } = source;
  if (lun < 0 || lun > 255) found.add(invalid(`${path}.lun`, lun, inRange(0, 255)));
  if ((source.chapAuthDiscovery || source.chapAuthSession) && !source.secretRef)
    found.add(required(`${path}.secretRef`));
  if (source.initiatorName !== undefined) check(source.initiatorName, `${path}.initiatorname`);
}

function fibreChannel(source: any, path: string, found: Found): void {
  const names = source.targetWWNs ?? [];
  const ids = source.wwids ?? [];
  if (names.length === 0 && ids.length === 0) {
    found.add(required(`${path}.targetWWNs`, "must specify either targetWWNs or wwids, but not both"));
  }
  if (names.length > 0 && ids.length > 0) {
    found.add(invalid(`${path}.targetWWNs`, names, "targetWWNs and wwids can not be specified simultaneously"));
  }
  if (names.length === 0) return;
  if (source.lun === undefined) found.add(required(`${path}.lun`, "lun is required if targetWWNs is specified"));
  else if (source.lun < 0 || source.lun > 255) found.add(invalid(`${path}.lun`, source.lun, inRange(0, 255)));
}

const volumeFields = ["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];

function downwardFile(file: any, path: string, found: Found): void {
  found.needed(file.path, `${path}.path`);
  found.unreserved(file.path ?? "", `${path}.path`);
  if (file.fieldRef) {
    validateFieldRef(file.fieldRef, volumeFields, `${path}.fieldRef`, found);
    if (file.resourceFieldRef) {
      found.add(invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"));
    }
  } else if (file.resourceFieldRef) {
    validateResourceFieldRef(file.resourceFieldRef, `${path}.resourceFieldRef`, true, found);
  } else found.add(required(path, "one of fieldRef and resourceFieldRef is required"));
  found.fileMode(file.mode, `${path}.mode`);
}

function downward(source: any, path: string, found: Found): void {
  found.fileMode(source.defaultMode, `${path}.defaultMode`);
  for (const file of source.items ?? []) downwardFile(file, path, found);
}

const tenMinutes = 600;

function projected(source: any, path: string, found: Found): void {
  found.fileMode(source.defaultMode, `${path}.defaultMode`);
  const paths = new Set<string>();
  const once = (text: string, shown: string) => {
    if (!text) return;
    if (paths.has(text)) found.add(invalid(path, shown, "conflicting duplicate paths"));
    paths.add(text);
  };
  for (const [at, projection] of (source.sources ?? []).entries()) {
    const here = `${path}.sources[${at}]`;
    for (const kind of ["secret", "configMap"]) {
      const part = projection[kind];
      if (!part) continue;
      found.needed(part.name, `${here}.${kind}.name`);
      for (const [index, item] of (part.items ?? []).entries()) {
        keyToPath(item, `${here}.${kind}.items[${index}]`, found);
        once(item.path, part.name ?? "");
      }
    }
    for (const file of projection.downwardAPI?.items ?? []) {
      downwardFile(file, `${here}.downwardAPI`, found);
      once(file.path, file.path);
    }
    if (projection.serviceAccountToken) token(projection.serviceAccountToken, path, here, found);
    const kinds = Object.keys(projection);
    if (kinds.length > 1) found.add(forbidden(here, "may not specify more than 1 volume type per source"));
  }
}

function token({ expirationSeconds, path: file }: any, path: string, here: string, found: Found): void {
  const at = `${here}.serviceAccountToken.expirationSeconds`;
  if (expirationSeconds < tenMinutes) {
    found.add(invalid(at, expirationSeconds, "may not specify a duration less than 10 minutes"));
  }
  if (expirationSeconds > 2 ** 32) {
    found.add(invalid(at, expirationSeconds, "may not specify a duration larger than 2^32 seconds"));
  }
  if (found.needed(file, `${path}.path`)) found.unreserved(file, `${path}.path`);
}

const accessModes = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];

function ephemeral({ volumeClaimTemplate }: any, path: string, found: Found): void {
  if (!volumeClaimTemplate) {
    found.add(required(`${path}.volumeClaimTemplate`));
    return;
  }
  found.add(...validateClaimSpec(volumeClaimTemplate.spec ?? {}, `${path}.volumeClaimTemplate.spec`));
}

/** The spec of a PersistentVolumeClaim, also within other objects. */
export function validateClaimSpec(spec: any, path: string): FieldError[] {
  const found = new Found();
  const modes: string[] = spec.accessModes ?? [];
  if (modes.length === 0) found.add(required(`${path}.accessModes`, "at least 1 access mode is required"));
  found.add(...validateSelector(spec.selector, `${path}.selector`));
  for (const mode of modes) {
    if (!accessModes.includes(mode)) found.add(notSupported(`${path}.accessModes`, mode, accessModes));
  }
  if (modes.includes("ReadWriteOncePod") && modes.length > 1) {
    found.add(forbidden(`${path}.accessModes`, "may not use ReadWriteOncePod with other access modes"));
  }
  const storage = spec.resources?.requests?.storage;
  if (storage === undefined) found.add(required(`${path}.resources[storage]`));
  else if ((parseQuantity(storage)?.nanos ?? 0n) <= 0n) {
    found.add(invalid(`${path}.resources[storage]`, storage, "must be greater than zero"));
  }
  if (spec.volumeAttributesClassName) {
    found.named(isDnsSubdomain, spec.volumeAttributesClassName, `${path}.volumeAttributesClassName`);
  }
  if (spec.storageClassName) found.named(isDnsSubdomain, spec.storageClassName, `${path}.storageClassName`);
  found.option(spec.volumeMode, ["Block", "Filesystem"], `${path}.volumeMode`);
  for (const field of ["dataSource", "dataSourceRef"]) {
    const source = spec[field];
    if (!source) continue;
    found.needed(source.name, `${path}.${field}.name`);
    found.needed(source.kind, `${path}.${field}.kind`);
    if (!source.apiGroup && source.kind && source.kind !== "PersistentVolumeClaim") {
      const problem = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
      found.add(invalid(`${path}.${field}`, source.kind, problem));
    }
  }
  const [one, other] = [spec.dataSource, spec.dataSourceRef];
  if (one && other && !other.namespace) {
    const same = ["apiGroup", "kind", "name"].every((field) => (one[field] ?? "") === (other[field] ?? ""));
    if (!same) found.add(invalid(path, {}, "must match dataSourceRef"));
  }
  return found.errors;
}
