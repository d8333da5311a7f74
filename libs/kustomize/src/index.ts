export { type BuildOptions, build, isRemote, KUSTOMIZE_VERSION } from "./build.js";
export { KustomizeError, MissingRemoteError } from "./errors.js";
export { type FileTree, joinPath, type Loader } from "./files.js";
export {
  FILE_NAMES,
  type HelmChart,
  type Kustomization,
  type PatchEntry,
  parseKustomization,
} from "./kustomization.js";
export { builtinSchema, type MergeSchema, strategicMerge } from "./merge.js";
export { looksLikeFile, parseRepoSpec, type RepoSpec } from "./repo-spec.js";
export type { ImageRule } from "./transformers/images.js";
export type { LabelRule } from "./transformers/metadata.js";
export type { ReplicaRule } from "./transformers/replicas.js";
