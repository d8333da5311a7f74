import { type KubeObject, types, type Workflow } from "@tiphys/resources";
import { Secret } from "@tiphys/secret";
import { createWorkflowController } from "@tiphys/workflow-controller";
import { bench, cpuMilliseconds, inParallel, seconds } from "./harness.js";
import { embeddedWorld, inTemporaryFolder, reached, writeLimit } from "./world.js";

const CHAIN = 10;
const FAN = 200;
const MANY = 200;
const namespace = "default";

const template = { name: "step", container: { image: "alpine", command: ["true"] } };
const workflow = (name: string, main?: object): KubeObject => ({
  apiVersion: "argoproj.io/v1alpha1",
  kind: "Workflow",
  metadata: { name, namespace },
  spec: main
    ? { entrypoint: "main", templates: [{ name: "main", ...main }, template] }
    : { entrypoint: "step", templates: [template] },
});

/** Chains, a wide fan-out and many small workflows over simulated pods that end at once. */
await bench({
  name: "workflows",
  isolated: true,
  run: () =>
    inTemporaryFolder(async (dir) => {
      const world = await embeddedWorld(dir, 0);
      const { client, informers, parts } = world;
      const controller = createWorkflowController({
        ...parts,
        executor: {
          bundle: "",
          node: process.execPath,
          signingKey: new Secret("benchmark"),
          listen: { host: "127.0.0.1", port: 0 },
        },
      });
      await controller.start();
      const done = (prefix: string, count: number) =>
        reached(informers, types.workflows, (objects) => {
          const found = (objects as readonly Workflow[]).filter(({ metadata }) => metadata.name.startsWith(prefix));
          const failed = found.find(({ status }) => status?.phase === "Failed" || status?.phase === "Error");
          if (failed) throw new Error(`${failed.metadata.name} failed: ${failed.status?.message}`);
          return found.filter(({ status }) => status?.phase === "Succeeded").length === count;
        });
      const one = async (name: string, main: object) => {
        await client.create(types.workflows, workflow(name, main));
        await done(name, 1);
      };
      const chainOf = (name: string) =>
        one(name, { steps: Array.from({ length: CHAIN }, (_, n) => [{ name: `s${n}`, template: "step" }]) });
      try {
        const limit = await writeLimit(client);
        await chainOf("warm");
        const chain = await seconds(() => chainOf("chain"));
        let fan = 0;
        const fanCpu = await cpuMilliseconds(async () => {
          const steps = [[{ name: "each", template: "step", withSequence: { count: String(FAN) } }]];
          fan = await seconds(() => one("fan", { steps }));
        });
        let many = 0;
        const manyCpu = await cpuMilliseconds(async () => {
          many = await seconds(async () => {
            await inParallel(MANY, 32, (n) => client.create(types.workflows, workflow(`many-${n}`)));
            await done("many-", MANY);
          });
        });
        return {
          write_limit_per_second: limit,
          chain_step_ms: (chain * 1000) / CHAIN,
          fan_out_200_seconds: fan,
          fan_out_cpu_ms: fanCpu,
          workflows_200_seconds: many,
          cpu_ms_per_workflow: manyCpu / MANY,
          rss_mb: process.memoryUsage().rss / 1024 / 1024,
        };
      } finally {
        await controller.stop();
        await world.close();
      }
    }),
});
