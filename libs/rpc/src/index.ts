export * from "./grpc-client.js";
export * from "./grpc-server.js";
export * from "./memory-client.js";
export * from "./service.js";
export * from "./status.js";
export * from "./token.js";
