export { type RenderJob, type RenderResult, type RootFiles, renderApplicationSource } from "./app-source.js";
export { buildEnvironment, type RenderContext, substitute } from "./build-environment.js";
export * from "./directory.js";
export * from "./manifest-service.js";
export { createObjectStore, type ObjectStore } from "./object-store.js";
export * from "./pool.js";
export * from "./questions.js";
export * from "./renderer.js";
export type { Asking, JobFiles, Objects, Outside, OutsideFound, Root } from "./roots.js";
export * from "./rpc.js";
export {
  type DirectoryOptions,
  type HelmOptions,
  type KustomizeOptions,
  type RenderedObject,
  renderHelm,
  renderJsonnet,
  renderSource,
  type SourceOptions,
  type SourceTree,
  type SourceType,
  sourceTypeOf,
} from "./source.js";
