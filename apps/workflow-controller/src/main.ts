import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "@tiphys/clock";
import { InvalidArgumentError } from "@tiphys/errors";
import { explainService, type Service, serviceMain } from "@tiphys/service-host";
import { type ArchiveJob, createArchiver } from "./archiver.js";
import { createWorkflowController } from "./create.js";

await serviceMain(
  "workflow-controller",
  { env: process.env, clock: systemClock(), random: randomBytes, process },
  async (parts) => {
    const { client, log } = parts;
    const listen = process.env["TIPHYS_REPORT_LISTEN"] ?? "";
    const port = Number(listen.slice(listen.lastIndexOf(":") + 1));
    if (!listen.includes(":") || !Number.isInteger(port))
      throw new InvalidArgumentError(
        "TIPHYS_REPORT_LISTEN",
        "must be host:port, the same after a restart: running pods report there",
      );
    const archiver = createArchiver({
      client,
      log,
      archive: await parts.archive(),
      artifacts: await parts.artifacts(),
      queue: await parts.queue<ArchiveJob>("workflow-archive"),
    });
    const reportUrl = process.env["TIPHYS_REPORT_URL"];
    const controller = createWorkflowController({
      ...parts,
      archive: archiver.archive,
      executor: {
        bundle: await readFile(
          join(dirname(fileURLToPath(import.meta.url)), "../../executor/dist/executor.mjs"),
          "utf8",
        ),
        node: process.env["TIPHYS_NODE"] ?? process.execPath,
        signingKey: parts.internalKey,
        listen: { host: listen.slice(0, listen.lastIndexOf(":")), port },
        ...(reportUrl ? { reportUrl } : {}),
      },
    });
    const service: Service = {
      name: controller.name,
      async start() {
        await archiver.start();
        await controller.start();
      },
      async stop() {
        await controller.stop();
        await archiver.stop();
      },
      ready: () => controller.ready(),
    };
    return { service, rpc: [explainService(parts.journal, ["workflows"])] };
  },
);
