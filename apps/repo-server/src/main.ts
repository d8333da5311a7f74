import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createSpawner } from "@tiphys/child-process";
import { systemClock } from "@tiphys/clock";
import { createRenderPool, serveManifests } from "@tiphys/render";
import { findSandbox } from "@tiphys/sandbox";
import { serviceMain } from "@tiphys/service-host";
import { createRepoServer } from "./create.js";

await serviceMain(
  "repo-server",
  { env: process.env, clock: systemClock(), random: randomBytes, process },
  async (parts) => {
    const worker = join(dirname(fileURLToPath(import.meta.url)), "render-worker.mjs");
    const pool = createRenderPool({ worker, log: parts.log });
    const service = createRepoServer({
      ...parts,
      namespace: parts.settings.namespace,
      directory: join(parts.settings.data, "repo-server", "git"),
      searchPath: process.env["PATH"] ?? "",
      pool,
      readFile: (path) => readFile(path, "utf8"),
      plugins: {
        // Argo CD's own names, so that its sidecars' manifests fit.
        socketFolder: process.env["ARGOCD_PLUGINSOCKFILEPATH"] ?? "/home/argocd/cmp-server/plugins",
        sandbox: () =>
          findSandbox({ spawner: createSpawner({ log: parts.log }), searchPath: process.env["PATH"] ?? "" }),
      },
    });
    return { service, rpc: [serveManifests(service.api), service.stock] };
  },
);
