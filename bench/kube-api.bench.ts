import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { setMaxListeners } from "node:events";
import { writeFile } from "node:fs/promises";
import { Agent, get } from "node:https";
import { join } from "node:path";
import { pooledRandom } from "@tiphys/identity";
import { createHttpKubeClient, type HttpKubeClient, loadKubeconfig } from "@tiphys/kube";
import { createEmbeddedKube } from "@tiphys/kube-embedded";
import { types } from "@tiphys/resources";
import { bench, inParallel, seconds } from "./harness.js";
import { clock, configMap, createNamespace, inTemporaryFolder, log, realKubeconfig, writeLimit } from "./world.js";

// What a Kubernetes API does most, over HTTPS from another process, ours and (with TIPHYS_REAL_KUBECONFIG) a real one in
// turn within one run. The client is the same, and reads long answers without looking into them.

const CREATES = 1_000;
const LISTED = 5_000;
const LISTS = 5;
const WATCHERS = 100;
const WATCHED = 100;
const APPLIES = 1_000;
const WIDTH = 64;
const CLIENT = "--client";

type Figures = Record<string, number>;

/** Processor time that the server has taken, in ms, told by the process that has it; 0 where nobody tells. */
function serverCpu(): Promise<number> {
  if (!process.send) return Promise.resolve(0);
  return new Promise((resolve) => {
    process.once("message", (milliseconds) => resolve(Number(milliseconds)));
    process.send?.("cpu");
  });
}

/** Bytes of a path's answer, told as they come; resolves at the end of the answer. */
function reader({ connection }: HttpKubeClient) {
  const agent = new Agent({
    keepAlive: true,
    ca: connection.ca,
    cert: connection.clientCert,
    key: connection.clientKey?.reveal(),
    maxSockets: Number.POSITIVE_INFINITY,
  });
  const token = typeof connection.token === "function" ? undefined : connection.token?.reveal();
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const read = (path: string, onChunk: (chunk: Buffer) => void, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const options = { agent, headers, ...(signal ? { signal } : {}) };
      const request = get(`${connection.server}${path}`, options, (answer) => {
        if (answer.statusCode !== 200) reject(new Error(`${path}: HTTP ${answer.statusCode}`));
        answer.on("data", onChunk);
        answer.on("end", resolve);
        answer.on("error", reject);
      });
      request.on("error", reject);
    });
  return { read, close: () => agent.destroy() };
}

async function drive(client: HttpKubeClient): Promise<Figures> {
  const { read, close } = reader(client);
  const namespace = `bench-${randomBytes(4).toString("hex")}`;
  await createNamespace(client, namespace);
  const create = (name: string) => client.create(types.configMaps, configMap(namespace, name));
  const figures: Figures = { write_limit_per_second: await writeLimit(client) };

  /** Seconds that `work` takes; what it costs the server is noted, in µs for each of `times`. */
  const measured = async (name: string, times: number, work: () => Promise<unknown>): Promise<number> => {
    const before = await serverCpu();
    const taken = await seconds(work);
    if (process.send) figures[`${name}_server_cpu_us`] = (((await serverCpu()) - before) * 1000) / times;
    return taken;
  };
  const creating = await measured("create", CREATES, () => inParallel(CREATES, WIDTH, (n) => create(`c${n}`)));
  figures["creates_per_second"] = CREATES / creating;

  await inParallel(LISTED - CREATES, WIDTH, (n) => create(`more-${n}`));
  const path = `/api/v1/namespaces/${namespace}/configmaps`;
  let bytes = 0;
  const list = () =>
    read(path, (chunk) => {
      bytes += chunk.length;
    });
  await list();
  bytes = 0;
  const listing = await measured("list_5000", LISTS, async () => {
    for (let n = 0; n < LISTS; n++) await list();
  });
  figures["list_5000_ms"] = (listing / LISTS) * 1000;
  figures["list_5000_bytes"] = bytes / LISTS;

  figures["fan_out_events_per_second"] = await fanOut(client, namespace, read, measured);

  const apply = (n: number, round: string) => {
    const name = `c${n % WIDTH}`;
    const body = { ...configMap(namespace, name), data: { round: `${round}-${n}` } };
    const options = { fieldManager: "bench", force: true };
    return client.patch(types.configMaps, { namespace, name }, { type: "apply", body }, options);
  };
  await inParallel(WIDTH, WIDTH, (n) => apply(n, "first"));
  const applying = await measured("apply", APPLIES, () => inParallel(APPLIES, WIDTH, (n) => apply(n, "next")));
  figures["applies_per_second"] = APPLIES / applying;
  await client.delete(types.namespaces, { name: namespace });
  close();
  return figures;
}

/** Events per second that reach all watchers together, from the first create until the last watcher has seen the last one. */
async function fanOut(
  client: HttpKubeClient,
  namespace: string,
  read: ReturnType<typeof reader>["read"],
  measured: (name: string, times: number, work: () => Promise<unknown>) => Promise<number>,
): Promise<number> {
  const { resourceVersion } = await client.list(types.configMaps, { namespace, limit: 1 });
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  const path = `/api/v1/namespaces/${namespace}/configmaps?watch=1&resourceVersion=${resourceVersion}`;
  const goal = 1 + WATCHED;
  let finished = 0;
  let opened = 0;
  let tellOpened = () => {};
  let tellFinished = () => {};
  const allOpen = new Promise<void>((resolve) => {
    tellOpened = resolve;
  });
  const all = new Promise<void>((resolve) => {
    tellFinished = resolve;
  });
  const watches = Array.from({ length: WATCHERS }, () => {
    let lines = 0;
    return read(
      path,
      (chunk) => {
        if (lines === 0 && ++opened === WATCHERS) tellOpened();
        for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) {
          if (++lines === goal && ++finished === WATCHERS) tellFinished();
        }
      },
      stop.signal,
    ).catch((error: Error) => {
      if (!stop.signal.aborted) throw error;
    });
  });
  // The first event shows that every watch is open; it is not counted.
  await client.create(types.configMaps, configMap(namespace, "opening"));
  await allOpen;
  const taken = await measured("fan_out_event", WATCHERS * WATCHED, async () => {
    await inParallel(WATCHED, 16, (n) => client.create(types.configMaps, configMap(namespace, `watched-${n}`)));
    await all;
  });
  stop.abort();
  await Promise.all(watches);
  return (WATCHERS * WATCHED) / taken;
}

/** The client in a process of its own, so that it does not take the server's processor time. */
function driveFromOutside(kubeconfig: string, ours: boolean): Promise<Figures> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [process.argv[1] ?? "", CLIENT, kubeconfig], {
      stdio: ["ignore", "pipe", "inherit", ...(ours ? (["ipc"] as const) : [])],
    });
    child.on("message", () => {
      const { user, system } = process.cpuUsage();
      child.send((user + system) / 1000);
    });
    let text = "";
    child.stdout?.on("data", (chunk) => {
      text += chunk;
    });
    child.once("close", (code) =>
      code === 0 ? resolve(JSON.parse(text)) : reject(new Error(`the client ended with ${code}`)),
    );
  });
}

const prefixed = (prefix: string, figures: Figures): Figures =>
  Object.fromEntries(Object.entries(figures).map(([name, value]) => [`${prefix}${name}`, value]));

if (process.argv.includes(CLIENT)) {
  const path = process.argv[process.argv.indexOf(CLIENT) + 1] ?? "";
  const client = createHttpKubeClient({ connection: await loadKubeconfig({ path }), log });
  process.stdout.write(JSON.stringify(await drive(client)));
  client.close();
  if (process.connected) process.disconnect();
} else {
  await bench({
    name: "kube-api",
    run: () =>
      inTemporaryFolder(async (dir) => {
        const opening = performance.now();
        const kube = await createEmbeddedKube({
          dir: join(dir, "cluster"),
          clock,
          random: pooledRandom(randomBytes),
          log,
        });
        const { kubeconfig } = await kube.listen({ host: "127.0.0.1", port: 0 });
        const figures: Figures = { start_ms: performance.now() - opening };
        const path = join(dir, "kubeconfig");
        await writeFile(path, kubeconfig, { mode: 0o600 });
        const ours = await driveFromOutside(path, true);
        await kube.stop();
        Object.assign(figures, prefixed("ours_", ours));
        if (!realKubeconfig) return figures;
        const real = await driveFromOutside(realKubeconfig, false);
        Object.assign(figures, prefixed("real_", real));
        for (const name of ["creates_per_second", "fan_out_events_per_second", "applies_per_second"])
          figures[`${name.replace("_per_second", "")}_ours_to_real_ratio`] = (ours[name] ?? 0) / (real[name] ?? 1);
        figures["list_5000_real_to_ours_ratio"] = (real["list_5000_ms"] ?? 0) / (ours["list_5000_ms"] ?? 1);
        return figures;
      }),
  });
}
