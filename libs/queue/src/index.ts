export * from "./bull-queue.js";
export * from "./local-queue.js";
export * from "./queue.js";
