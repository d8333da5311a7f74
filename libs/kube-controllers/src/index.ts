export { createKubeControllers, type KubeControllersDeps } from "./create.js";
export * from "./gateway-status.js";
export * from "./ingress-status.js";
