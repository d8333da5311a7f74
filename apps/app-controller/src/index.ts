export * from "./create.js";
export * from "./rpc.js";
