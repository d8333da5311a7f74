import { fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { createLocalBus, openDurableMap } from "@tiphys/bus";
import { createDialer } from "@tiphys/dialer";
import { createEventsGateway } from "@tiphys/events-gateway";
import { clusterAdmin } from "@tiphys/identity";
import { createFileJournal } from "@tiphys/journal";
import { createInformers } from "@tiphys/kube";
import { createEmbeddedKube } from "@tiphys/kube-embedded";
import { allCrds, type Condition, type KubeObject, types } from "@tiphys/resources";
import { createMetrics } from "@tiphys/telemetry";
import { freePort } from "@tiphys/testing";
import { bench } from "./harness.js";
import { clock, inTemporaryFolder, log, reached, writeLimit } from "./world.js";

const EVENTS = 20_000;
const WIDTH = 128;
const STEADY_EVENTS = 3000;
const STEADY_PER_SECOND = 1500;
const IDLE_EVENTS = 50;
const GATEWAY = "--gateway";
const namespace = "default";

/** Runs the gateway over the embedded cluster in this process until it is told to end. */
async function gatewayProcess(dir: string, port: number, receiver: number): Promise<void> {
  const kube = await createEmbeddedKube({ dir: join(dir, "cluster"), clock, random: randomBytes, log, crds: allCrds });
  const client = kube.client(clusterAdmin);
  const limit = await writeLimit(client);
  const informers = createInformers({ client, clock, log });
  const bus = await createLocalBus({ dir: join(dir, "bus"), clock, log });
  const state = await openDurableMap({ dir: join(dir, "events"), name: "events", log });
  const journal = await createFileJournal({ dir: join(dir, "journal"), clock, log });
  const metrics = createMetrics();
  const dialer = createDialer({ clock, log, metrics });
  const create = (kind: string, spec: object) =>
    client.create(kind === "EventSource" ? types.eventSources : types.sensors, {
      apiVersion: "argoproj.io/v1alpha1",
      kind,
      metadata: { name: "bench", namespace },
      spec,
    });
  await create("EventSource", { webhook: { push: { endpoint: "/push", method: "POST", port: String(port) } } });
  await create("Sensor", {
    dependencies: [{ name: "push", eventSourceName: "bench", eventName: "push" }],
    triggers: [
      {
        template: {
          name: "forward",
          http: {
            url: `http://127.0.0.1:${receiver}/`,
            method: "POST",
            payload: [{ src: { dependencyName: "push", dataKey: "body.n" }, dest: "n" }],
          },
        },
      },
    ],
  });
  const gateway = createEventsGateway({
    informers,
    bus,
    state,
    journal,
    clock,
    log,
    metrics,
    random: randomBytes,
    dialer,
  });
  await gateway.start();
  const isReady = (object: KubeObject & { status?: { conditions?: Condition[] } }) =>
    object.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
  for (const type of [types.eventSources, types.sensors]) {
    await reached(informers, type, (objects) => objects.length === 1 && objects.every(isReady));
  }
  const usage = () => {
    const { user, system } = process.cpuUsage();
    return { cpu: user + system, rss: process.memoryUsage().rss, limit };
  };
  process.on("message", () => process.send?.(usage()));
  process.once("SIGTERM", async () => {
    await gateway.stop();
    await Promise.all([bus.close(), state.close(), journal.close()]);
    await informers.stop();
    await kube.stop();
    process.exit(0);
  });
  process.send?.(usage());
}

/** Answers every request at once and tells the number in its body; reads bytes itself, so that it costs little. */
async function startReceiver(arrived: (n: number) => void) {
  const answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let text = "";
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
        const length = Number(/content-length: (\d+)/i.exec(text.slice(0, end))?.[1] ?? 0);
        if (text.length < end + 4 + length) return;
        const body = text.slice(end + 4, end + 4 + length);
        text = text.slice(end + 4 + length);
        socket.write(answer);
        arrived(Number(/"n":"?(\d+)/.exec(body)?.[1]));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" && address ? address.port : 0,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** A connection that posts one event after the other and waits for each answer. */
async function openSender(port: number) {
  const socket = connect(port, "127.0.0.1");
  socket.setNoDelay(true);
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", () => resolve());
    socket.once("error", reject);
  });
  let answered: (status: string) => void = () => {};
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
    const end = text.indexOf("\r\n\r\n");
    if (end < 0) return;
    // One answer at a time, so its end is the end of what has come.
    const length = /content-length: (\d+)/i.exec(text.slice(0, end))?.[1];
    if (length === undefined ? !text.endsWith("\r\n0\r\n\r\n") : text.length < end + 4 + Number(length)) return;
    const status = text.slice(9, 12);
    text = "";
    answered(status);
  });
  return {
    post: (n: number) =>
      new Promise<void>((resolve, reject) => {
        answered = (status) =>
          status === "200" ? resolve() : reject(new Error(`event ${n} was answered with ${status}: ${text}`));
        const body = JSON.stringify({ n, padding: "x".repeat(200) });
        socket.write(
          `POST /push HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
        );
      }),
    close: () => socket.destroy(),
  };
}

const percentile = (values: readonly number[], part: number): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
};

/** Webhook, durable bus, HTTP trigger with its attempt record: the gateway in one process, sender and receiver in another. */
async function run(): Promise<Record<string, number>> {
  return await inTemporaryFolder(async (dir) => {
    const sentAt = new Map<number, number>();
    const latency = new Map<number, number>();
    let told = () => {};
    const receiver = await startReceiver((n) => {
      if (!latency.has(n)) latency.set(n, performance.now() - (sentAt.get(n) ?? 0));
      told();
    });
    const port = await freePort();
    const args = [GATEWAY, dir, String(port), String(receiver.port)];
    const gateway = fork(process.argv[1] ?? "", args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    const answered = () =>
      new Promise<{ cpu: number; rss: number; limit: number }>((resolve, reject) => {
        gateway.once("message", resolve as (message: unknown) => void);
        gateway.once("exit", (code) => reject(new Error(`the gateway ended with ${code}`)));
      });
    const usage = () => {
      gateway.send("usage");
      return answered();
    };
    // It speaks first, when it is ready.
    const started = await answered();
    const senders = await Promise.all(Array.from({ length: WIDTH }, () => openSender(port)));
    const send = async (sender: (typeof senders)[number] | undefined, n: number) => {
      sentAt.set(n, performance.now());
      await sender?.post(n);
    };
    const arrived = (from: number, to: number) =>
      new Promise<void>((resolve) => {
        told = () => {
          // Counting is cheap only at the end, so the size is looked at first.
          if (latency.size < to) return;
          for (let n = from; n < to; n++) if (!latency.has(n)) return;
          resolve();
        };
        told();
      });
    const wave = async (from: number, to: number) => {
      let next = from;
      const work = async (sender: (typeof senders)[number]) => {
        while (next < to) await send(sender, next++);
      };
      const all = arrived(from, to);
      await Promise.all(senders.map(work));
      await all;
    };
    try {
      await wave(0, WIDTH);
      let first = WIDTH;
      for (let n = first; n < first + IDLE_EVENTS; n++) {
        const all = arrived(n, n + 1);
        await send(senders[0], n);
        await all;
      }
      const idle = Array.from({ length: IDLE_EVENTS }, (_, n) => latency.get(first + n) ?? 0);
      first += IDLE_EVENTS;

      const before = await usage();
      const start = performance.now();
      await wave(first, first + EVENTS);
      const taken = (performance.now() - start) / 1000;
      const after = await usage();
      first += EVENTS;

      // Events at fixed times, whatever the gateway's speed.
      const free = [...senders];
      const steadyStart = performance.now();
      const all = arrived(first, first + STEADY_EVENTS);
      for (let n = 0; n < STEADY_EVENTS; ) {
        const due = Math.min(STEADY_EVENTS, ((performance.now() - steadyStart) / 1000) * STEADY_PER_SECOND);
        for (; n < due && free.length > 0; n++) {
          const sender = free.pop();
          void send(sender, first + n).then(() => sender && free.push(sender));
        }
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await all;
      const steady = Array.from({ length: STEADY_EVENTS }, (_, n) => latency.get(first + n) ?? 0);
      return {
        write_limit_per_second: started.limit,
        events_per_second: EVENTS / taken,
        gateway_cpu_us_per_event: (after.cpu - before.cpu) / EVENTS,
        gateway_rss_mb: after.rss / 1024 / 1024,
        idle_p50_ms: percentile(idle, 0.5),
        idle_p99_ms: percentile(idle, 0.99),
        steady_1500_p50_ms: percentile(steady, 0.5),
        steady_1500_p99_ms: percentile(steady, 0.99),
      };
    } finally {
      for (const sender of senders) sender.close();
      const exited = new Promise((resolve) => gateway.once("close", resolve));
      gateway.kill("SIGTERM");
      await exited;
      receiver.close();
    }
  });
}

const role = process.argv.indexOf(GATEWAY);
if (role >= 0) {
  const [dir = "", port, receiver] = process.argv.slice(role + 1);
  await gatewayProcess(dir, Number(port), Number(receiver));
} else await bench({ name: "events", isolated: true, run });
