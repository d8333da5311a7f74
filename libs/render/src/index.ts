export * from "./directory.js";
export * from "./manifest-service.js";
export * from "./pool.js";
export * from "./renderer.js";
export * from "./rpc.js";
export * from "./rpc.js";
export {
  type DirectorySource,
  type HelmSource,
  type RenderedObject,
  renderHelm,
  renderJsonnet,
  renderSource,
  type SourceOptions,
  type SourceTree,
  type SourceType,
  sourceTypeOf,
} from "./source.js";
