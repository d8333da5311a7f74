export * from "./nginx.js";
export * from "./routers.js";
