import { tiphysDeliveryV1Delivery as delivery } from "@tiphys/proto";
import { type ServedService, serve } from "@tiphys/rpc";
import type { AppController } from "./create.js";

/** tiphys.delivery.v1.DeliveryService of an app-controller, ready to be served. */
export const deliveryService = (controller: Pick<AppController, "refreshRepository">): ServedService =>
  serve(delivery.DeliveryServiceDefinition, {
    refreshRepository: async ({ url = "" }) => ({ applications: [...controller.refreshRepository(url)] }),
  });
