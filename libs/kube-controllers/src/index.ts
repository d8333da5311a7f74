export { createKubeControllers, type KubeControllersDeps } from "./create.js";
