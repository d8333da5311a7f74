export * from "./controller.js";
export { createController, type RunningController } from "./create-controller.js";
export { type Explanation, explainFrom } from "./explain.js";
export { createLeaseElector, type LeaseElector, type LeaseElectorOptions } from "./lease-elector.js";
export * from "./reconciler.js";
export { WorkQueue, type WorkQueueOptions } from "./work-queue.js";
