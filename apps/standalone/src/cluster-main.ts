import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "@tiphys/clock";
import { InvalidArgumentError } from "@tiphys/errors";
import { clusterAdmin, pooledRandom } from "@tiphys/identity";
import { createFileJournal } from "@tiphys/journal";
import { createInformers } from "@tiphys/kube";
import { controllerRoles, createKubeControllers, ensureRoles, sharedReader } from "@tiphys/kube-controllers";
import { createEmbeddedKube } from "@tiphys/kube-embedded";
import { createClusterResolver, reachThrough } from "@tiphys/node-runtime";
import { allCrds } from "@tiphys/resources";
import { runUntilSignal, type Service } from "@tiphys/service-host";
import { createLogger, createMetrics } from "@tiphys/telemetry";
import { kubeletCredentials } from "./kubelet-client.js";
import { kubeletLogs } from "./kubelet-logs.js";
import { kubeletConnection } from "./kubelet-streams.js";
import { stablePorts } from "./ports.js";

// The embedded Kubernetes API and its controllers alone, as a control plane for services and nodes in other processes.
// Prints one line of JSON: the kubeconfig, and the authority whose certificates kubelets should trust.
const data = process.env["TIPHYS_DATA"];
if (!data) throw new InvalidArgumentError("TIPHYS_DATA", "must be set");
await mkdir(data, { recursive: true });
const clock = systemClock();
const random = pooledRandom(randomBytes);
const log = createLogger({ service: "cluster", level: "warn" });
const metrics = createMetrics();
const ports = await stablePorts(data);
const kube = await createEmbeddedKube({ dir: join(data, "cluster"), clock, random, log, crds: allCrds });
await ensureRoles(kube.client(clusterAdmin), controllerRoles());
const informers = createInformers({ client: kube.client(sharedReader), clock, log });
const admin = kube.client(clusterAdmin);
const journal = await createFileJournal({ dir: join(data, "journal"), clock, log });
const { rootCa } = kube;
const controllers = createKubeControllers({
  informers,
  identities: true,
  clock,
  log,
  metrics,
  journal,
  random,
  rootCa,
});
const server: Service = {
  name: "api",
  async start() {
    const { kubeconfig } = await kube.listen({ host: "127.0.0.1", port: ports.kube });
    const path = join(data, "kubeconfig");
    await writeFile(path, kubeconfig, { mode: 0o600 });
    const credentials = await kubeletCredentials(data, clock);
    const kubeletClientCa = join(data, "kubelet-client-ca.crt");
    await writeFile(kubeletClientCa, credentials.ca);
    kube.registerLogSource("", kubeletLogs(admin, credentials));
    kube.registerNode("", (node) => kubeletConnection(admin, node, credentials));
    kube.registerNetwork(reachThrough(createClusterResolver({ informers })));
    console.log(JSON.stringify({ kubeconfig: path, kubeletClientCa }));
  },
  async stop() {
    await informers.stop();
    await kube.stop();
    await journal.close();
  },
  ready: async () => undefined,
};
await runUntilSignal([server, controllers], log, process);
