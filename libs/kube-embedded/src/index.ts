export type { LogSource, NodeConnection } from "./api/handle.js";
export {
  createEmbeddedKube,
  type EmbeddedKube,
  type EmbeddedKubeOptions,
  type Listening,
  type ListenOptions,
} from "./embedded-kube.js";
export { checkSnapshot, restoreStore, type SnapshotFacts, snapshotStore } from "./store/snapshot-file.js";
