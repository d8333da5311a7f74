/** Kinds of volumes that are going or gone: the field as it is shown, and what is told of it. */
export const volumeKinds: Readonly<Record<string, readonly [shown: string, what: string]>> = {
  photonPersistentDisk: ["photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"],
  gitRepo: ["gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"],
  scaleIO: ["scaleIO", "deprecated in v1.16, non-functional in v1.22+"],
  flocker: ["flocker", "deprecated in v1.22, non-functional in v1.25+"],
  storageos: ["storageOS", "deprecated in v1.22, non-functional in v1.25+"],
  quobyte: ["quobyte", "deprecated in v1.22, non-functional in v1.25+"],
  glusterfs: ["glusterfs", "deprecated in v1.25, non-functional in v1.26+"],
  cephfs: ["cephfs", "deprecated in v1.28, non-functional in v1.31+"],
  rbd: ["rbd", "deprecated in v1.28, non-functional in v1.31+"],
};
