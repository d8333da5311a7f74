import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@tiphys/clock";
import { createMemoryJournal } from "@tiphys/journal";
import { createEmbeddedKube } from "@tiphys/kube-embedded";
import type { KubeObject } from "@tiphys/resources";
import { createSimulatedNodes, type SimulatedFate } from "@tiphys/simulated-node";
import { noMetrics, silentLogger } from "@tiphys/telemetry";
import { createKubeControllers } from "../index.js";
import { ownIdentities } from "./own-identities.js";

/** An embedded cluster with controllers and the simulated node `n1`, served over HTTPS for stock programs. */
export interface ServedCluster {
  /** A folder for the programs that use it. */
  readonly home: string;
  readonly kubeconfig: string;
  stop(): Promise<void>;
}

export async function servedCluster(fate?: (pod: KubeObject) => SimulatedFate): Promise<ServedCluster> {
  const home = mkdtempSync(join(tmpdir(), "tiphys-served-"));
  const clock = systemClock();
  const log = silentLogger;
  const kube = await createEmbeddedKube({ clock, random: randomBytes, log });
  const { kubeconfig } = await kube.listen({ host: "127.0.0.1", port: 0 });
  writeFileSync(join(home, "kubeconfig"), kubeconfig);
  const identities = await ownIdentities(kube, clock);
  const { informers } = identities;
  const controllers = createKubeControllers({
    informers,
    identities: true,
    clock,
    log,
    metrics: noMetrics,
    journal: createMemoryJournal(),
    random: randomBytes,
    rootCa: "PEM",
  });
  const nodes = createSimulatedNodes({
    informers: identities.admin,
    clock,
    log,
    names: ["n1"],
    open: true,
    ...(fate ? { fate } : {}),
  });
  await controllers.start();
  await nodes.start();
  return {
    home,
    kubeconfig: join(home, "kubeconfig"),
    async stop() {
      await nodes.stop();
      await controllers.stop();
      await informers.stop();
      await kube.stop();
      rmSync(home, { recursive: true, force: true });
      identities.check();
    },
  };
}
