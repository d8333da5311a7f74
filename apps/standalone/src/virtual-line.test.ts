import { cp, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createSqliteArchive } from "@tiphys/archive";
import { createLocalArtifacts } from "@tiphys/artifacts";
import { createLocalBus, openDurableMap } from "@tiphys/bus";
import { createLocalCache } from "@tiphys/cache";
import { type VirtualClock, virtualClock } from "@tiphys/clock";
import { createReplayDialer } from "@tiphys/dialer";
import { accountPrincipal, clusterAdmin } from "@tiphys/identity";
import { createMemoryJournal } from "@tiphys/journal";
import { createInformers, type Informers } from "@tiphys/kube";
import { createIngressStatusController, createKubeControllers, ensureRoles } from "@tiphys/kube-controllers";
import { createEmbeddedKube } from "@tiphys/kube-embedded";
import { createLocalQueue } from "@tiphys/queue";
import { renderInProcess } from "@tiphys/render";
import {
  type AccountName,
  type AnalysisRun,
  type Application,
  accountName,
  allCrds,
  type KubeObject,
  type ResourceType,
  type Rollout,
  serviceRoles,
  types,
  type Workflow,
} from "@tiphys/resources";
import { Secret } from "@tiphys/secret";
import type { Service } from "@tiphys/service-host";
import { createLogger, type Logger, noMetrics, silentLogger } from "@tiphys/telemetry";
import { createSimulatedKubelet, temporaryDirectory } from "@tiphys/testing";
import type { ArchiveJob } from "@tiphys/workflow-controller";
import { githubPush, headOf, pushOf } from "./demo/forge.js";
import { git } from "./demo/git.js";
import { CONTROL_NAMESPACE, seedCluster, seedRepositories } from "./demo/seed.js";
import { createSuite } from "./suite.js";

const START = new Date("2026-01-01T00:00:00Z");
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const EXAMPLES = join(dirname(fileURLToPath(import.meta.url)), "../../../examples/demo");
const log: Logger = process.env["TIPHYS_TEST_LOG"]
  ? createLogger({ service: "virtual", level: "debug" })
  : silentLogger;

/** The whole suite with the demo in it, on a clock that only the test moves. */
interface Line {
  readonly clock: VirtualClock;
  readonly informers: Informers;
  /** What the traffic's measure answers from now on. */
  errorRate: number;
  readonly measured: readonly unknown[];
  /** Commits a new version of the shop and tells the suite as the forge does. */
  release(version: string): Promise<void>;
  /** Virtual time passes until an object is as wanted. */
  until<T extends KubeObject>(type: ResourceType, check: (object: T) => unknown, limit: number): Promise<T>;
  close(): Promise<void>;
}

/** The demo's files with its seconds made hours and days. */
async function slowExamples(folder: string): Promise<string> {
  await cp(EXAMPLES, folder, { recursive: true });
  const edit = async (file: string, changes: readonly [string, string][]) => {
    let text = await readFile(join(folder, file), "utf8");
    for (const [from, to] of changes) {
      expect(text).toContain(from);
      text = text.replace(from, to);
    }
    await writeFile(join(folder, file), text);
  };
  await edit("config/rollout.yaml", [["duration: 2s", "duration: 72h"]]);
  await edit("config/analysis.yaml", [
    ["initialDelay: 1s", "initialDelay: 1h"],
    ["interval: 1s", "interval: 1h"],
    ["consecutiveSuccessLimit: 3", "consecutiveSuccessLimit: 12"],
  ]);
  return folder;
}

/** Deterministic bytes: names and keys only have to differ. */
function countedBytes(): (size: number) => Uint8Array {
  let next = 1;
  return (size) => {
    const bytes = new Uint8Array(size);
    for (let i = size - 1, n = next++; i >= 0 && n > 0; i--, n = Math.floor(n / 256)) bytes[i] = n % 256;
    return bytes;
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function openLine(): Promise<Line> {
  const folder = temporaryDirectory();
  const clock = virtualClock(START);
  const random = countedBytes();
  const metrics = noMetrics;
  const stops: (() => Promise<unknown>)[] = [async () => folder.dispose()];
  const run = async (service: Pick<Service, "start" | "stop">) => {
    stops.push(() => service.stop());
    await service.start();
  };
  const kube = await createEmbeddedKube({ clock, random, log, crds: allCrds });
  stops.push(() => kube.stop());
  const client = kube.client(clusterAdmin);
  const examples = await slowExamples(join(folder.path, "examples"));
  const gitFolder = await seedRepositories(folder.path, examples);
  const settings = {
    forgePort: 0,
    webhookPort: await freePort(),
    token: new Secret("token"),
    webhookSecret: new Secret("webhook secret"),
  };
  await seedCluster(client, examples, settings, `file://${gitFolder}`);

  const informers = createInformers({ client, clock, log });
  stops.push(() => informers.stop());
  const journal = createMemoryJournal();
  const shared = { informers, clock, random, log, metrics, journal };
  await run(createKubeControllers(shared));
  await run(createIngressStatusController({ ...shared, hostname: "localhost" }));
  await run(
    createSimulatedKubelet({
      ...shared,
      // Steps of workflows take half an hour, the shop needs ten seconds to be ready.
      fate: ({ metadata: { labels = {} } }) =>
        labels["workflows.argoproj.io/workflow"] ? { exitCode: 0, endAfter: 30 * MINUTE } : { readyAfter: 10_000 },
    }),
  );

  const line = { errorRate: 0, version: "1.0.0" };
  const dialer = createReplayDialer(({ url }) =>
    url.startsWith("http://traffic.tiphys.svc/")
      ? {
          status: 200,
          headers: {},
          body: Buffer.from(JSON.stringify({ requests: 100, errors: 100 * line.errorRate, errorRate: line.errorRate })),
        }
      : undefined,
  );
  const key = new Secret("0123456789abcdef0123456789abcdef");
  const bus = await createLocalBus({ clock, log });
  const cache = await createLocalCache({ clock, log });
  const archive = await createSqliteArchive({ path: ":memory:" });
  const eventState = await openDurableMap({ name: "events", log });
  stops.push(() => Promise.all([bus, cache, archive, eventState].map((part) => part.close())));
  await ensureRoles(client, serviceRoles(CONTROL_NAMESPACE));
  const accounts = new Map<AccountName, Informers>();
  const informersOf = (service: AccountName): Informers => {
    const principal = accountPrincipal(CONTROL_NAMESPACE, accountName(service));
    const own = accounts.get(service) ?? createInformers({ client: kube.client(principal), clock, log });
    if (!accounts.has(service)) stops.push(() => own.stop());
    accounts.set(service, own);
    return own;
  };
  const suite = createSuite({
    ...shared,
    informersOf,
    bus,
    cache,
    archive,
    artifacts: createLocalArtifacts({ dir: join(folder.path, "artifacts") }),
    archiveJobs: await createLocalQueue<ArchiveJob>({ name: "archive", clock, log }),
    eventState,
    dialer,
    renderPool: renderInProcess,
    internalKey: key,
    executor: { bundle: "", node: "node", signingKey: key, listen: { host: "127.0.0.1", port: 0 } },
    gitFolder: join(folder.path, "mirrors"),
    searchPath: process.env["PATH"] ?? "",
    namespace: CONTROL_NAMESPACE,
    host: "127.0.0.1",
    port: 0,
    pollMilliseconds: 12 * HOUR,
    encoded: true,
  });
  for (const service of suite.services) await run(service);

  const work = join(folder.path, "work");
  const commit = async (repository: string, message: string, edit: (text: string) => string, file: string) => {
    const checkout = join(work, repository);
    await git(folder.path, ["clone", "--quiet", `file://${gitFolder}/${repository}.git`, checkout]).catch(() => {});
    await git(checkout, ["pull", "--quiet", "origin", "main"]);
    await writeFile(join(checkout, file), edit(await readFile(join(checkout, file), "utf8")));
    await git(checkout, ["commit", "--quiet", "--all", "-m", message]);
    await git(checkout, ["push", "--quiet", "origin", "HEAD:main"]);
  };
  /** What the containers of the workflow would do and report: the kubelet is simulated, the reports are real. */
  const played = new Set<string>();
  const perform = async (pod: KubeObject) => {
    const env = new Map<string, string>(
      pod["spec"].containers
        .find((container: { name: string }) => container.name === "main")
        .env.map((entry: { name: string; value?: string }) => [entry.name, entry.value ?? ""]),
    );
    const template = JSON.parse(env.get("ARGO_TEMPLATE") ?? "{}");
    const parameters: { name: string; value: string }[] = [];
    if (template.name === "build")
      parameters.push({ name: "version", value: line.version }, { name: "server", value: "// the built shop" });
    if (template.name === "commit") {
      const version = env.get("VERSION");
      const message = `Release shop ${version}\n\nTiphys-Change: ${env.get("TIPHYS_CHANGE")}`;
      await commit(
        "config",
        message,
        (text) => text.replace(/shop\/version: .*/, `shop/version: ${version}`),
        "rollout.yaml",
      );
    }
    const response = await fetch(`${env.get("TIPHYS_REPORT_URL")}/tiphys.workflow.v1.TaskResultService/Report`, {
      method: "POST",
      headers: { authorization: `Bearer ${env.get("TIPHYS_REPORT_TOKEN")}`, connection: "close" },
      body: JSON.stringify({ outputs: { parameters } }),
    });
    expect(response.status).toBe(200);
    await response.text();
  };
  const pods = informers.informer(types.pods);
  pods.onChange(({ object }) => {
    const { uid = "", labels = {} } = object.metadata;
    if (!labels["workflows.argoproj.io/workflow"] || played.has(uid) || object.status?.phase !== "Running") return;
    played.add(uid);
    void clock.track(perform(object));
  });

  return {
    clock,
    informers,
    get errorRate() {
      return line.errorRate;
    },
    set errorRate(rate) {
      line.errorRate = rate;
    },
    get measured() {
      return dialer.requests;
    },
    async release(version) {
      line.version = version;
      await commit(
        "app",
        `Shop ${version}`,
        (text) => text.replace(/version = ".*"/, `version = "${version}"`),
        "server.mjs",
      );
      const head = await headOf(gitFolder, "app");
      if (!head) throw new Error("the repository of the shop is empty");
      const { headers, body } = githubPush(pushOf("app", head), `file://${gitFolder}/app.git`, settings.webhookSecret);
      const response = await clock.track(
        fetch(`http://127.0.0.1:${settings.webhookPort}/push`, {
          method: "POST",
          headers: { ...headers, connection: "close" },
          body,
        }),
      );
      expect(response.status).toBe(200);
      await response.text();
    },
    async until(type, check, limit) {
      const informer = informers.informer(type);
      await informer.synced;
      const found = () => informer.list().find((object) => check(object as never));
      await clock
        .runUntil(() => found() !== undefined, limit)
        .catch((cause) => {
          const seen = informer.list().map(({ metadata, status }) => ({ name: metadata.name, status }));
          throw new Error(`${type.resource}: ${JSON.stringify(seen).slice(0, 4000)}`, { cause });
        });
      return found() as never;
    },
    async close() {
      for (const stop of stops.splice(0).reverse()) await stop();
    },
  };
}

const versionOf = (rollout: Rollout) =>
  (rollout.spec.template as KubeObject | undefined)?.metadata.annotations?.["shop/version"];
const settled = (version: string, phase: string) => (rollout: Rollout) =>
  versionOf(rollout) === version &&
  rollout.status?.phase === phase &&
  rollout.status.observedGeneration === String(rollout.metadata.generation);

let line: Line;
beforeEach(async () => {
  line = await openLine();
});
afterEach(() => line.close());

it("walks the demo's canary through days of virtual time, and aborts the bad one", async () => {
  const { clock } = line;
  await line.until<Application>(types.applications, ({ status }) => status?.health?.status === "Healthy", HOUR);
  await line.until<Rollout>(types.rollouts, settled("1.0.0", "Healthy"), HOUR);

  await line.release("1.1.0");
  const succeeded = await line.until<Workflow>(types.workflows, ({ status }) => status?.phase === "Succeeded", DAY);
  expect(Object.values(succeeded.status?.nodes ?? {}).filter(({ type }) => type === "Pod")).toHaveLength(3);

  await line.until<Rollout>(types.rollouts, settled("1.1.0", "Progressing"), DAY);
  const began = { time: clock.now().getTime(), cpu: process.cpuUsage(), wall: performance.now() };
  const walking = await line.until<Rollout>(types.rollouts, settled("1.1.0", "Healthy"), 10 * DAY);
  const days = (clock.now().getTime() - began.time) / DAY;
  const { user, system } = process.cpuUsage(began.cpu);
  const cpu = (user + system) / 1e6;
  console.log(
    `${days.toFixed(2)} virtual days of canary: ${cpu.toFixed(3)} s CPU, ${((performance.now() - began.wall) / 1000).toFixed(3)} s wall`,
  );
  expect(days).toBeGreaterThan(3);
  expect(walking.status?.canary?.weights?.canary?.weight ?? 0).toBe(0);
  const [run] = (await line.informers.client.list(types.analysisRuns)).items as AnalysisRun[];
  expect(run?.status?.metricResults?.[0]?.consecutiveSuccess).toBe(12);
  await line.until<Application>(
    types.applications,
    ({ status }) => status?.sync?.status === "Synced" && status.health?.status === "Healthy",
    HOUR,
  );

  line.errorRate = 0.5;
  await line.release("1.2.0");
  const aborted = await line.until<Rollout>(types.rollouts, settled("1.2.0", "Degraded"), 10 * DAY);
  expect(aborted.status?.abort).toBe(true);
  expect(aborted.status?.stableRS).toBe(walking.status?.stableRS);
});
