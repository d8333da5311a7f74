export * from "./artifacts.js";
export * from "./local-artifacts.js";
export * from "./s3-artifacts.js";
export * from "./s3-endpoint.js";
