export { createKubeControllers, type KubeControllersDeps } from "./create.js";
export * from "./ingress-status.js";
