import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { openDurableMap } from "@tiphys/bus";
import { systemClock } from "@tiphys/clock";
import { explainService, serviceMain } from "@tiphys/service-host";
import { createEventsGateway } from "./create.js";
import { publishFacts } from "./facts.js";
import { serveEvents } from "./rpc.js";

await serviceMain(
  "events-gateway",
  { env: process.env, clock: systemClock(), random: randomBytes, process },
  async (parts) => {
    const { settings, log, bus } = parts;
    const state = await openDurableMap({ dir: join(settings.data, "events-gateway", "state"), name: "events", log });
    const listenHost = process.env["TIPHYS_WEBHOOK_HOST"];
    const service = createEventsGateway({
      ...parts,
      state,
      onFact: publishFacts(bus),
      ...(listenHost ? { listenHost } : {}),
    });
    return {
      service,
      rpc: [serveEvents(service.api), explainService(parts.journal, ["eventsources", "sensors", "eventbuses"])],
    };
  },
);
