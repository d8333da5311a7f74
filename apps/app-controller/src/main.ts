import { randomBytes } from "node:crypto";
import { systemClock } from "@tiphys/clock";
import { tiphysRepoV1Repo as repo } from "@tiphys/proto";
import { manifestsOver } from "@tiphys/render";
import { explainService, serviceMain } from "@tiphys/service-host";
import { createAppController } from "./create.js";
import { deliveryService } from "./rpc.js";

await serviceMain(
  "app-controller",
  { env: process.env, clock: systemClock(), random: randomBytes, process },
  async (parts) => {
    const manifests = manifestsOver(parts.peer("repo-server").client(repo.ManifestServiceDefinition));
    const service = createAppController({ ...parts, manifests, namespace: parts.settings.namespace });
    return { service, rpc: [deliveryService(service), explainService(parts.journal, ["applications"])] };
  },
);
