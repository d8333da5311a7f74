import { spawn } from "node:child_process";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { createWriteStream, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@tiphys/clock";
import { clusterAdmin } from "@tiphys/identity";
import { createInformers } from "@tiphys/kube";
import { createEmbeddedKube } from "@tiphys/kube-embedded";
import { type KubeObject, type ResourceType, types } from "@tiphys/resources";
import { createSimulatedNodes } from "@tiphys/simulated-node";
import { silentLogger } from "@tiphys/telemetry";

// Kubernetes' own controller manager and scheduler on the embedded API, through a churn of workloads on simulated nodes.
// Run by hand, through tools/control-plane-churn.mjs.

const programs = process.argv[2] ?? "";
const dir = mkdtempSync(join(tmpdir(), "tiphys-churn-"));
const clock = systemClock();
const log = silentLogger;
const kube = await createEmbeddedKube({ clock, random: randomBytes, log });
const { kubeconfig } = await kube.listen({ host: "127.0.0.1", port: 0 });
const config = join(dir, "kubeconfig");
writeFileSync(config, kubeconfig);
const key = join(dir, "sa.key");
const pem = { type: "pkcs1", format: "pem" } as const;
writeFileSync(
  key,
  generateKeyPairSync("rsa", { modulusLength: 2048, privateKeyEncoding: pem, publicKeyEncoding: pem }).privateKey,
);
const client = kube.client(clusterAdmin);
const informers = createInformers({ client, clock, log });
const nodes = createSimulatedNodes({ informers, clock, log, names: ["n1", "n2"], open: true });

const logs: string[] = [];
const children = [
  ["kube-controller-manager", "--service-account-private-key-file", key, "--kube-api-qps=300", "--kube-api-burst=300"],
  ["kube-scheduler", "--kube-api-qps=300", "--kube-api-burst=300"],
].map(([name = "", ...args]) => {
  const file = join(dir, `${name}.log`);
  logs.push(file);
  const out = createWriteStream(file);
  const child = spawn(
    join(programs, name),
    ["--kubeconfig", config, "--leader-elect=false", "--secure-port=0", ...args],
    {
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  child.stdout.pipe(out);
  child.stderr.pipe(out);
  return child;
});

const statefulSets: ResourceType = {
  group: "apps",
  version: "v1",
  resource: "statefulsets",
  kind: "StatefulSet",
  namespaced: true,
};
const daemonSets: ResourceType = {
  group: "apps",
  version: "v1",
  resource: "daemonsets",
  kind: "DaemonSet",
  namespaced: true,
};
const namespace = "churn";
const pods = (app: string) => ({
  selector: { matchLabels: { app } },
  template: { metadata: { labels: { app } }, spec: { containers: [{ name: "c", image: "x:1" }] } },
});
const make = (type: ResourceType, name: string, spec: object) =>
  client.create(type, {
    apiVersion: type.group ? `${type.group}/${type.version}` : type.version,
    kind: type.kind,
    metadata: { name, ...(type.namespaced ? { namespace } : {}) },
    spec,
  });
const failures: string[] = [];
async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  // Real time: the programs that are waited for live in it.
  const start = performance.now();
  while (performance.now() - start < 60_000) {
    if (await check().catch(() => false)) {
      console.log(`${what}: ${Math.round(performance.now() - start)} ms`);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  failures.push(what);
  console.log(`${what}: not reached`);
}
const get = (type: ResourceType, name: string): Promise<KubeObject> =>
  client.get(type, { name, ...(type.namespaced ? { namespace } : {}) });

await nodes.start();
await client.create(types.namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
await until("a new namespace has its account", async () => Boolean(await get(types.serviceAccounts, "default")));
await until("and the root CA", async () => Boolean(await get(types.configMaps, "kube-root-ca.crt")));
for (let index = 0; index < 10; index++)
  await make(types.deployments, `d${index}`, { replicas: 3, ...pods(`d${index}`) });
await make(types.services, "d0", { selector: { app: "d0" }, ports: [{ port: 80 }] });
await make(statefulSets, "s", { replicas: 3, serviceName: "s", ...pods("s") });
await make(daemonSets, "ds", pods("ds"));
await make(types.jobs, "j", {
  completions: 3,
  parallelism: 3,
  template: {
    metadata: { annotations: { "tiphys.dev/fate": '{"exitCode":0,"endAfter":200}' } },
    spec: { restartPolicy: "Never", containers: [{ name: "c", image: "x" }] },
  },
});
const ready = (count: number) => async () => {
  for (let index = 0; index < 10; index++) {
    const { metadata, spec, status } = (await get(types.deployments, `d${index}`)) as KubeObject & {
      spec: { replicas: number };
      status: { observedGeneration?: number; availableReplicas?: number; updatedReplicas?: number; replicas?: number };
    };
    if (
      status.observedGeneration !== metadata.generation ||
      spec.replicas !== count ||
      (status.availableReplicas ?? 0) !== count ||
      status.updatedReplicas !== count ||
      status.replicas !== count
    )
      return false;
  }
  return true;
};
await until("10 deployments of 3 are available", ready(3));
await until("a StatefulSet of 3 is ready", async () => (await get(statefulSets, "s"))["status"].readyReplicas === 3);
await until("a DaemonSet runs on both nodes", async () => (await get(daemonSets, "ds"))["status"].numberReady === 2);
await until("a Job of 3 is complete", async () => (await get(types.jobs, "j"))["status"].succeeded === 3);
await until("a Service has 3 endpoints", async () => {
  const { items } = await client.list(types.endpointSlices, {
    namespace,
    labelSelector: "kubernetes.io/service-name=d0",
  });
  return items.flatMap((slice) => slice["endpoints"] ?? []).length === 3;
});
for (let index = 0; index < 10; index++) {
  await client.patch(
    types.deployments,
    { namespace, name: `d${index}` },
    { type: "merge", body: { spec: { replicas: 5 } } },
  );
}
await until("scaled to 5", ready(5));
for (let index = 0; index < 10; index++) {
  await client.patch(
    types.deployments,
    { namespace, name: `d${index}` },
    { type: "strategic", body: { spec: { template: { spec: { containers: [{ name: "c", image: "x:2" }] } } } } },
  );
}
await until("rolled to another image", ready(5));
await client.delete(types.deployments, { namespace, name: "d1" }, { propagation: "Foreground" });
await until("a deployment is deleted after its pods", async () =>
  get(types.deployments, "d1").then(
    () => false,
    () => true,
  ),
);
await client.delete(types.namespaces, { name: namespace });
await until("the namespace is gone", async () =>
  get(types.namespaces, namespace).then(
    () => false,
    () => true,
  ),
);

for (const child of children) child.kill("SIGTERM");
await nodes.stop();
await informers.stop();
await kube.stop();
const problems = new Map<string, number>();
for (const file of logs) {
  for (const line of readFileSync(file, "utf8").split("\n")) {
    const found = /^E\d+ [\d:.]+ +\d+ ([\w.-]+):\d+\] (.*)$/.exec(line);
    if (!found) continue;
    const text = `${found[1]} ${(found[2] ?? "").replace(/[0-9a-f-]{36}/g, "UID").slice(0, 220)}`;
    problems.set(text, (problems.get(text) ?? 0) + 1);
  }
}
console.log(`\nerrors in their logs (${dir}): ${problems.size}`);
for (const [text, count] of [...problems].sort(([, a], [, b]) => b - a).slice(0, 30)) console.log(`${count}x ${text}`);
process.exit(failures.length > 0 ? 1 : 0);
