export * from "./context.js";
export * from "./execute.js";
export * from "./http.js";
export * from "./kube-object.js";
