export * from "./directory.js";
export * from "./manifest-service.js";
export * from "./pool.js";
export * from "./renderer.js";
export * from "./rpc.js";
export * from "./rpc.js";
