import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { createSpawner } from "@tiphys/child-process";
import { systemClock } from "@tiphys/clock";
import { clusterAdmin } from "@tiphys/identity";
import { createInformers, isAlreadyExists } from "@tiphys/kube";
import { createEmbeddedKube } from "@tiphys/kube-embedded";
import { types } from "@tiphys/resources";
import { silentLogger as log, noMetrics } from "@tiphys/telemetry";
import { createNodeRuntime } from "../runtime.js";

// A whole node in one bundled file, as in production: started, killed and started again by a test.
const dir = process.argv[2]!;
const clock = systemClock();
const kube = await createEmbeddedKube({ dir: join(dir, "kube"), clock, random: randomBytes, log });
const client = kube.client(clusterAdmin);
const informers = createInformers({ client, clock, log });
const spawner = createSpawner({ log });
const node = createNodeRuntime({
  client,
  informers,
  nodeName: "crash",
  dir: join(dir, "node"),
  clock,
  random: randomBytes,
  log,
  metrics: noMetrics,
  spawner,
});
informers.informer(types.pods).onChange(({ object }) => console.log(JSON.stringify(object)));
await node.start();
const script = "echo begin >> $OUT/runs; until test -e $OUT/go; do sleep 0.02; done; echo end >> $OUT/runs; exit 4";
const out = { name: "OUT", value: "/out" };
for (const name of ["one", "two"]) {
  const container = {
    name: "main",
    image: "alpine",
    command: ["sh", "-c", script],
    env: [out],
    volumeMounts: [{ name: "out", mountPath: "/out" }],
  };
  await client
    .create(types.pods, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace: "default" },
      spec: {
        nodeName: "crash",
        restartPolicy: "Never",
        containers: [container],
        volumes: [{ name: "out", emptyDir: {} }],
      },
    })
    .catch((error) => {
      if (!isAlreadyExists(error)) throw error;
    });
}
console.log("created");
for (const pod of informers.informer(types.pods).list()) console.log(JSON.stringify(pod));
