export * as tiphysControllerV1Controller from "./tiphys/controller/v1/controller.js";
export * as tiphysDeliveryV1Delivery from "./tiphys/delivery/v1/delivery.js";
export * as tiphysFactsV1Facts from "./tiphys/facts/v1/facts.js";
export { descriptorSet } from "./descriptors.js";
