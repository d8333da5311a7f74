import type { Group } from "../../play.js";
import { fieldsOf, long, type Members } from "./tried.js";

const spec = (more: Members): Members => ({ spec: more });
const storage = (size: string): Members => spec({ resources: { requests: { storage: size } } });
const selector = { matchLabels: { "a b": "c d" } };

const claims = fieldsOf(
  {
    group: "",
    version: "v1",
    resource: "persistentvolumeclaims",
    kind: "PersistentVolumeClaim",
    base: { spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } } },
  },
  {
    "no spec": { spec: null },
    "no modes": spec({ accessModes: null }),
    "an unknown mode": spec({ accessModes: ["Sometimes"] }),
    "alone and with others": spec({ accessModes: ["ReadWriteOncePod", "ReadWriteOnce"] }),
    "no size": spec({ resources: null }),
    "size 0": storage("0"),
    "a negative size": storage("-1"),
    "a fraction of a byte": storage("1m"),
    "a size that is none": storage("big"),
    "another resource": spec({ resources: { requests: { storage: "1Gi", cpu: "1" } } }),
    "a limit below": spec({ resources: { requests: { storage: "1Gi" }, limits: { storage: "1Mi" } } }),
    "a bad selector": spec({ selector }),
    "a class": spec({ storageClassName: "a" }),
    "a bad class": spec({ storageClassName: "A_" }),
    "an empty class": spec({ storageClassName: "" }),
    "an unknown volume mode": spec({ volumeMode: "Tape" }),
    "a volume": spec({ volumeName: "v" }),
    "a source": spec({ dataSource: { kind: "PersistentVolumeClaim", name: "c" } }),
    "a source without a name": spec({ dataSource: { kind: "PersistentVolumeClaim" } }),
    "a source of another group": spec({
      dataSource: { kind: "VolumeSnapshot", name: "c", apiGroup: "snapshot.storage.k8s.io" },
    }),
    "a source of the core": spec({ dataSource: { kind: "Pod", name: "c" } }),
    "a source reference": spec({ dataSourceRef: { kind: "Pod", name: "c" } }),
    "a source and another reference": spec({
      dataSource: { kind: "PersistentVolumeClaim", name: "c" },
      dataSourceRef: { kind: "PersistentVolumeClaim", name: "d" },
    }),
    "an attributes class": spec({ volumeAttributesClassName: "a" }),
    "a bad attributes class": spec({ volumeAttributesClassName: "A_" }),
    "a class in an annotation": { metadata: { annotations: { "volume.beta.kubernetes.io/storage-class": "A_" } } },
    "a status": { status: { phase: "Bound" } },
  },
  {
    "its modes": spec({ accessModes: ["ReadOnlyMany"] }),
    "its size": storage("2Gi"),
    "a smaller size": storage("1Mi"),
    "its class": spec({ storageClassName: "b" }),
    "its volume": spec({ volumeName: "v" }),
    "its selector": spec({ selector: { matchLabels: { a: "b" } } }),
    "its attributes class": spec({ volumeAttributesClassName: "b" }),
  },
  {
    "a phase": { phase: "Bound", capacity: { storage: "1Gi" }, accessModes: ["ReadWriteOnce"] },
    "an unknown phase": { phase: "Odd" },
    "a bad capacity": { capacity: { storage: "-1" } },
    "a resource that is none": { allocatedResources: { "a b": "1" } },
    "a resource status": { allocatedResourceStatuses: { storage: "NodeResizePending" } },
    "a bad resource status": { allocatedResourceStatuses: { storage: "x" } },
    conditions: { conditions: [{ type: "Resizing", status: "True" }] },
  },
);

const source = (more: Members): Members => spec({ hostPath: null, ...more });
const volumes = fieldsOf(
  {
    group: "",
    version: "v1",
    resource: "persistentvolumes",
    kind: "PersistentVolume",
    cluster: true,
    base: { spec: { capacity: { storage: "1Gi" }, accessModes: ["ReadWriteOnce"], hostPath: { path: "/data" } } },
  },
  {
    "no spec": { spec: null },
    "no modes": spec({ accessModes: [] }),
    "an unknown mode": spec({ accessModes: ["Sometimes"] }),
    "alone and with others": spec({ accessModes: ["ReadWriteOncePod", "ReadWriteOnce"] }),
    "no capacity": spec({ capacity: null }),
    "another capacity": spec({ capacity: { cpu: "1" } }),
    "two capacities": spec({ capacity: { storage: "1Gi", cpu: "1" } }),
    "capacity 0": spec({ capacity: { storage: "0" } }),
    "a negative capacity": spec({ capacity: { storage: "-1" } }),
    "no source": source({}),
    "two sources": spec({ nfs: { server: "s", path: "/" } }),
    "a path that leads back": spec({ hostPath: { path: "/a/../b" } }),
    "no path": spec({ hostPath: {} }),
    "a path of a kind": spec({ hostPath: { path: "/a", type: "Odd" } }),
    nfs: source({ nfs: { server: "s", path: "/a" } }),
    "nfs without anything": source({ nfs: {} }),
    "nfs with a relative path": source({ nfs: { server: "s", path: "a" } }),
    csi: source({ csi: { driver: "d.example.com", volumeHandle: "h" } }),
    "csi without anything": source({ csi: {} }),
    "csi with a bad driver": source({ csi: { driver: "A_", volumeHandle: "h" } }),
    "csi with secrets": source({
      csi: {
        driver: "d",
        volumeHandle: "h",
        nodeStageSecretRef: { name: "", namespace: "" },
        controllerPublishSecretRef: {},
      },
    }),
    "local without affinity": source({ local: { path: "/a" } }),
    local: source({
      local: { path: "/a" },
      nodeAffinity: {
        required: { nodeSelectorTerms: [{ matchExpressions: [{ key: "a", operator: "In", values: ["b"] }] }] },
      },
    }),
    "local with a path that leads back": source({
      local: { path: "../a" },
      nodeAffinity: {
        required: { nodeSelectorTerms: [{ matchExpressions: [{ key: "a", operator: "In", values: ["b"] }] }] },
      },
    }),
    "an affinity without anything": spec({ nodeAffinity: {} }),
    "an affinity without terms": spec({ nodeAffinity: { required: { nodeSelectorTerms: [] } } }),
    "a bad affinity": spec({
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: "a b", operator: "Near" }] }] } },
    }),
    "iscsi without anything": source({ iscsi: {} }),
    "fc without anything": source({ fc: {} }),
    "an unknown policy": spec({ persistentVolumeReclaimPolicy: "Burn" }),
    recycling: spec({ persistentVolumeReclaimPolicy: "Recycle" }),
    "recycling the root": spec({ persistentVolumeReclaimPolicy: "Recycle", hostPath: { path: "/" } }),
    deletion: spec({ persistentVolumeReclaimPolicy: "Delete" }),
    "a class": spec({ storageClassName: "a" }),
    "a bad class": spec({ storageClassName: "A_" }),
    "an unknown volume mode": spec({ volumeMode: "Tape" }),
    "no mode": spec({ volumeMode: "" }),
    "mount options": spec({ mountOptions: ["ro"] }),
    "a claim": spec({ claimRef: { namespace: "n", name: "c" } }),
    "an attributes class": spec({ volumeAttributesClassName: "a" }),
    "a class in an annotation": { metadata: { annotations: { "volume.beta.kubernetes.io/storage-class": "a" } } },
    "a bad name": { metadata: { name: "A_" } },
  },
  {
    "its path": spec({ hostPath: { path: "/b" } }),
    "its volume mode": spec({ volumeMode: "Block" }),
    "its capacity": spec({ capacity: { storage: "2Gi" } }),
    "its modes": spec({ accessModes: ["ReadOnlyMany"] }),
    "its class": spec({ storageClassName: "b" }),
    "its claim": spec({ claimRef: { namespace: "n", name: "c" } }),
    "a node affinity": spec({
      nodeAffinity: {
        required: { nodeSelectorTerms: [{ matchExpressions: [{ key: "a", operator: "In", values: ["b"] }] }] },
      },
    }),
  },
  { "a phase": { phase: "Bound" }, "a reason": { phase: "Failed", reason: "R", message: "m" } },
);

const storageClasses = fieldsOf(
  {
    group: "storage.k8s.io",
    version: "v1",
    resource: "storageclasses",
    kind: "StorageClass",
    cluster: true,
    base: { provisioner: "example.com/p" },
  },
  {
    "no provisioner": { provisioner: null },
    "a bad provisioner": { provisioner: "A_ b" },
    "a provisioner in capitals": { provisioner: "Example.com/P" },
    "a long provisioner": { provisioner: `example.com/${long(70)}` },
    parameters: { parameters: { a: "b" } },
    "a parameter without a name": { parameters: { "": "b" } },
    "no parameters": { parameters: {} },
    "too many parameters": { parameters: Object.fromEntries(Array.from({ length: 513 }, (_, at) => [`k${at}`, "v"])) },
    "too large parameters": { parameters: { a: long(270_000) } },
    "an unknown policy": { reclaimPolicy: "Burn" },
    recycling: { reclaimPolicy: "Recycle" },
    retention: { reclaimPolicy: "Retain" },
    "an unknown binding": { volumeBindingMode: "Later" },
    "binding at the first consumer": { volumeBindingMode: "WaitForFirstConsumer" },
    expansion: { allowVolumeExpansion: true },
    topologies: { allowedTopologies: [{ matchLabelExpressions: [{ key: "a", values: ["b"] }] }] },
    "bad topologies": { allowedTopologies: [{ matchLabelExpressions: [{ key: "a b", values: [] }] }] },
    "topology values twice": { allowedTopologies: [{ matchLabelExpressions: [{ key: "a", values: ["b", "b"] }] }] },
    "topologies twice": {
      allowedTopologies: [
        { matchLabelExpressions: [{ key: "a", values: ["b"] }] },
        { matchLabelExpressions: [{ key: "a", values: ["b"] }] },
      ],
    },
    "topology keys twice": {
      allowedTopologies: [
        {
          matchLabelExpressions: [
            { key: "a", values: ["b"] },
            { key: "a", values: ["c"] },
          ],
        },
      ],
    },
  },
  {
    "its provisioner": { provisioner: "example.com/q" },
    "its parameters": { parameters: { a: "b" } },
    "its policy": { reclaimPolicy: "Retain" },
    "its binding": { volumeBindingMode: "WaitForFirstConsumer" },
    expansion: { allowVolumeExpansion: true },
    "mount options": { mountOptions: ["ro"] },
  },
);

const rest: readonly Group[] = [
  fieldsOf(
    {
      group: "storage.k8s.io",
      version: "v1",
      resource: "csidrivers",
      kind: "CSIDriver",
      cluster: true,
      base: { spec: {} },
    },
    {
      "an unknown life cycle": spec({ volumeLifecycleModes: ["Often"] }),
      "an unknown group policy": spec({ fsGroupPolicy: "Odd" }),
      tokens: spec({ tokenRequests: [{ audience: "a" }] }),
      "tokens twice": spec({ tokenRequests: [{ audience: "a" }, { audience: "a" }] }),
      "short tokens": spec({ tokenRequests: [{ audience: "a", expirationSeconds: 5 }] }),
      "a long name": { metadata: { name: long(64) } },
    },
    { attachment: spec({ attachRequired: false }), "life cycles": spec({ volumeLifecycleModes: ["Ephemeral"] }) },
  ),
  fieldsOf(
    {
      group: "storage.k8s.io",
      version: "v1",
      resource: "volumeattributesclasses",
      kind: "VolumeAttributesClass",
      cluster: true,
      base: { driverName: "example.com/d", parameters: { a: "b" } },
    },
    {
      "no driver": { driverName: null },
      "a bad driver": { driverName: "A_ b" },
      "no parameters": { parameters: null },
      "a parameter without a name": { parameters: { "": "b" } },
    },
    { "its driver": { driverName: "example.com/e" }, "its parameters": { parameters: { c: "d" } } },
  ),
];

export const storageFields: readonly Group[] = [claims, volumes, storageClasses, ...rest];
