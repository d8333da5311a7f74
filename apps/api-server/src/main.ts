import { randomBytes } from "node:crypto";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "@tiphys/clock";
import {
  tiphysControllerV1Controller as controller,
  tiphysDeliveryV1Delivery as delivery,
  tiphysEventsV1Events as events,
} from "@tiphys/proto";
import { type Peer, serviceMain } from "@tiphys/service-host";
import { createApiServer } from "./create.js";
import { eventRecord } from "./history.js";

await serviceMain(
  "api-server",
  { env: process.env, clock: systemClock(), random: randomBytes, process },
  async (parts) => {
    const { settings, peer } = parts;
    const listen = process.env["TIPHYS_LISTEN"] ?? "127.0.0.1:8080";
    const at = listen.lastIndexOf(":");
    const explain = (name: Peer) => peer(name).client(controller.ControllerServiceDefinition);
    const eventClient = peer("events-gateway").client(events.EventsServiceDefinition);
    const deliveryClient = peer("app-controller").client(delivery.DeliveryServiceDefinition);
    const service = createApiServer({
      ...parts,
      namespace: settings.namespace,
      host: listen.slice(0, at),
      port: Number(listen.slice(at + 1)),
      consoleFolder: join(dirname(fileURLToPath(import.meta.url)), "../../console/dist"),
      history: {
        controllers: {
          delivery: explain("app-controller"),
          workflows: explain("workflow-controller"),
          rollouts: explain("rollouts-controller"),
          events: explain("events-gateway"),
        },
        events: async (query) => ((await eventClient.listEvents(query)).events ?? []).map(eventRecord),
      },
      refreshRepository: async (request) => (await deliveryClient.refreshRepository(request)).applications ?? [],
    });
    return { service, rpc: [] };
  },
);
