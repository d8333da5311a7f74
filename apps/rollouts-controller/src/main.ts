import { randomBytes } from "node:crypto";
import { systemClock } from "@tiphys/clock";
import { explainService, serviceMain } from "@tiphys/service-host";
import { createRolloutsController } from "./create.js";

await serviceMain(
  "rollouts-controller",
  { env: process.env, clock: systemClock(), random: randomBytes, process },
  async (parts) => ({
    service: createRolloutsController(parts),
    rpc: [explainService(parts.journal, ["rollouts", "analysisruns"])],
  }),
);
