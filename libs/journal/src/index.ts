export * from "./file-journal.js";
export * from "./jetstream-journal.js";
export * from "./journal.js";
export * from "./memory-journal.js";
