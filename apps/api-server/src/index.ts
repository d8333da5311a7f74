export * from "./create.js";
export { eventRecord } from "./history.js";
