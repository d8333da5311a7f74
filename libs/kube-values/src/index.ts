export * from "./ip.js";
export * from "./names.js";
export * from "./pod-requests.js";
export * from "./quantity.js";
