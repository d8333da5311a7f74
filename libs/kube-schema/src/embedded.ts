/** Members that a Go struct has from another one inside it: messages about their types name that one in between. */
interface Inside {
  readonly name: string;
  /** Members of the struct itself; absent: those of `has` alone are of the inner one. */
  readonly own?: readonly string[];
  readonly has?: readonly string[];
}

const reference: Inside = { name: "LocalObjectReference", has: ["name"] };

const inside: Readonly<Record<string, Inside>> = {
  ConfigMapEnvSource: reference,
  ConfigMapKeySelector: reference,
  ConfigMapProjection: reference,
  ConfigMapVolumeSource: reference,
  EphemeralContainer: { name: "EphemeralContainerCommon", own: ["targetContainerName"] },
  PersistentVolumeSpec: {
    name: "PersistentVolumeSource",
    own: [
      "accessModes",
      "capacity",
      "claimRef",
      "mountOptions",
      "nodeAffinity",
      "persistentVolumeReclaimPolicy",
      "storageClassName",
      "volumeAttributesClassName",
      "volumeMode",
    ],
  },
  Probe: { name: "ProbeHandler", has: ["exec", "grpc", "httpGet", "tcpSocket"] },
  RuleWithOperations: { name: "Rule", own: ["operations"] },
  SecretEnvSource: reference,
  SecretKeySelector: reference,
  SecretProjection: reference,
  Volume: { name: "VolumeSource", own: ["name"] },
};

/** How `member` of a struct is named in the path of a message about its type. */
export function inStruct(struct: string, member: string): string {
  const found = inside[struct];
  if (found === undefined) return member;
  const isInner = found.has ? found.has.includes(member) : !found.own?.includes(member);
  return isInner ? `${found.name}.${member}` : member;
}
