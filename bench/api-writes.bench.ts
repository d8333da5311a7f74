import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { clusterAdmin } from "@tiphys/identity";
import { createHttpKubeClient, type KubeClient, loadKubeconfig } from "@tiphys/kube";
import { createEmbeddedKube } from "@tiphys/kube-embedded";
import { types } from "@tiphys/resources";
import { bench, inParallel, seconds } from "./harness.js";
import { clock, configMap, createNamespace, inTemporaryFolder, log, realKubeconfig, writeLimit } from "./world.js";

const WRITES = 3000;
const WIDTH = 64;
const CLIENT = "--client";

/** Durable creates per second, then server-side applies per second that change one field of an existing object. */
async function drive(client: KubeClient): Promise<{ creates: number; applies: number }> {
  const namespace = `bench-${randomBytes(4).toString("hex")}`;
  await createNamespace(client, namespace);
  const taken = await seconds(() =>
    inParallel(WRITES, WIDTH, (n) => client.create(types.configMaps, configMap(namespace, `c${n}`))),
  );
  const apply = (n: number, round: string) => {
    const body = { ...configMap(namespace, `c${n % WIDTH}`), data: { round: `${round}-${n}` } };
    const options = { fieldManager: "bench", force: true };
    const key = { namespace, name: `c${n % WIDTH}` };
    return client.patch(types.configMaps, key, { type: "apply", body }, options);
  };
  await inParallel(WIDTH, WIDTH, (n) => apply(n, "first"));
  const applied = await seconds(() => inParallel(WRITES, WIDTH, (n) => apply(n, "next")));
  await client.delete(types.namespaces, { name: namespace });
  return { creates: WRITES / taken, applies: WRITES / applied };
}

async function driveOverHttps(kubeconfig: string): Promise<{ creates: number; applies: number }> {
  const client = createHttpKubeClient({ connection: await loadKubeconfig({ path: kubeconfig }), log });
  try {
    return await drive(client);
  } finally {
    client.close();
  }
}

/** The client in a process of its own, so that it does not take the server's processor time. */
function driveFromOutside(kubeconfig: string): Promise<{ creates: number; applies: number }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [process.argv[1] ?? "", CLIENT, kubeconfig], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let text = "";
    child.stdout.on("data", (chunk) => {
      text += chunk;
    });
    child.once("close", (code) =>
      code === 0 ? resolve(JSON.parse(text)) : reject(new Error(`the client ended with ${code}`)),
    );
  });
}

if (process.argv.includes(CLIENT)) {
  const kubeconfig = process.argv[process.argv.indexOf(CLIENT) + 1] ?? "";
  process.stdout.write(JSON.stringify(await driveOverHttps(kubeconfig)));
} else {
  await bench({
    name: "api-writes",
    run: () =>
      inTemporaryFolder(async (dir) => {
        const figures: Record<string, number> = {};
        const note = (prefix: string, { creates, applies }: { creates: number; applies: number }) => {
          figures[`${prefix}creates_per_second`] = creates;
          figures[`${prefix}applies_per_second`] = applies;
        };
        const kube = await createEmbeddedKube({ dir: join(dir, "cluster"), clock, random: randomBytes, log });
        try {
          const client = kube.client(clusterAdmin);
          figures["memory_write_limit_per_second"] = await writeLimit(client);
          note("memory_", await drive(client));
          const listener = await kube.listen({ host: "127.0.0.1", port: 0 });
          const kubeconfig = join(dir, "kubeconfig");
          await writeFile(kubeconfig, listener.kubeconfig, { mode: 0o600 });
          const before = process.cpuUsage();
          note("https_", await driveFromOutside(kubeconfig));
          const used = process.cpuUsage(before);
          figures["https_server_cpu_us_per_write"] = (used.user + used.system) / (2 * WRITES);
          await listener.close();
        } finally {
          await kube.stop();
        }
        if (realKubeconfig) {
          const real = await driveFromOutside(realKubeconfig);
          note("real_", real);
          figures["https_to_real_creates_ratio"] = (figures["https_creates_per_second"] ?? 0) / real.creates;
          figures["https_to_real_applies_ratio"] = (figures["https_applies_per_second"] ?? 0) / real.applies;
        }
        return figures;
      }),
  });
}
