export * from "./commit.js";
export * from "./credentials.js";
export * from "./errors.js";
export type { Repository } from "./mirror.js";
export type { GitObject } from "./objects.js";
export * from "./repositories.js";
export * from "./revision.js";
export * from "./tree.js";
export * from "./url.js";
