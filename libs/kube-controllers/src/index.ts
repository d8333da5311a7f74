export { createKubeControllers, type KubeControllersDeps } from "./create.js";
export * from "./gateway-status.js";
export {
  actingAs,
  type ControllerName,
  controllerPrincipal,
  controllerRoles,
  ensureRoles,
  sharedReader,
} from "./identities.js";
export * from "./ingress-status.js";
