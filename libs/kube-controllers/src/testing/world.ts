import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { canonicalJson } from "@tiphys/canonical-json";
import { type Clock, systemClock, type VirtualClock, virtualClock } from "@tiphys/clock";
import { clusterAdmin } from "@tiphys/identity";
import { createMemoryJournal } from "@tiphys/journal";
import { createHttpKubeClient, createInformers, type KubeClient, loadKubeconfig } from "@tiphys/kube";
import { createEmbeddedKube } from "@tiphys/kube-embedded";
import { type KubeObject, type ResourceType, types } from "@tiphys/resources";
import type { Service } from "@tiphys/service-host";
import { createSimulatedNodes, type SimulatedFate, type SimulatedNodesDeps } from "@tiphys/simulated-node";
import { noMetrics, silentLogger } from "@tiphys/telemetry";
import { eventually, realClusterKubeconfig, workspaceRoot } from "@tiphys/testing";
import { createKubeControllers } from "../index.js";
import { ownIdentities } from "./own-identities.js";

/**
 * A cluster with controllers, a scheduler and simulated nodes, embedded or real: one scenario runs on both and says the
 * same of both. On the embedded one time is virtual and passes only in `until` and `pass`.
 */
export interface World {
  readonly clock: Clock;
  readonly client: KubeClient;
  readonly namespace: string;
  readonly real: boolean;
  create(type: ResourceType, object: object): Promise<KubeObject>;
  get(type: ResourceType, name: string): Promise<KubeObject>;
  list(type: ResourceType): Promise<readonly KubeObject[]>;
  /** A JSON merge patch. */
  change(type: ResourceType, name: string, body: object, subresource?: string): Promise<KubeObject>;
  /** Time passes until `check` gives something; fails after `seconds`. */
  until<T>(check: () => Promise<T | undefined | false>, seconds?: number): Promise<T>;
  /** This much time passes. Use seldom: a real cluster really waits. */
  pass(seconds: number): Promise<void>;
  /** Events about an object of the scenario: `Normal ScalingReplicaSet Scaled up…`, with how often, in the order of their texts. */
  events(kind: string, name?: string): Promise<string[]>;
  stop(): Promise<void>;
}

export interface WorldOptions {
  readonly fate?: (pod: KubeObject) => SimulatedFate;
  readonly nodes?: readonly string[];
  readonly shape?: SimulatedNodesDeps["shape"];
  /** Seconds between two renewals of a node's lease. */
  readonly renewSeconds?: number;
  /**
   * Whether the original lost a race with itself, so that what was seen on the real cluster is not what it gives as a rule: it is
   * played again, a few times. The embedded cluster is never asked twice.
   */
  // biome-ignore lint/suspicious/noExplicitAny: what a scenario saw is plain data
  readonly raced?: (seen: any) => boolean;
}

/** Times that a scenario is played on the real cluster at most. */
const MOST_RUNS = 4;

const START = new Date("2026-01-01T00:00:00Z");
const STEP_MS = 500;

export async function embeddedWorld(options: WorldOptions = {}): Promise<World> {
  const { fate, nodes = ["n1"], shape, renewSeconds } = options;
  const clock = virtualClock(START);
  const kube = await createEmbeddedKube({ clock, random: randomBytes, log: silentLogger });
  const client = kube.client(clusterAdmin);
  const identities = await ownIdentities(kube, clock);
  const { informers } = identities;
  const deps = { informers: identities.admin, clock, log: silentLogger };
  const controllers = createKubeControllers({
    ...deps,
    informers,
    identities: true,
    metrics: noMetrics,
    journal: createMemoryJournal(),
    random: randomBytes,
    rootCa: "PEM",
  });
  const kubelet = createSimulatedNodes({
    ...deps,
    names: nodes,
    open: true,
    ...(fate ? { fate } : {}),
    ...(shape ? { shape } : {}),
    ...(renewSeconds === undefined ? {} : { renewSeconds }),
  });
  await controllers.start();
  await kubelet.start();
  return worldOf(client, clock, false, nodes, async () => {
    await kubelet.stop();
    await controllers.stop();
    await informers.stop();
    await kube.stop();
    identities.check();
  });
}

/** Simulated nodes of the real cluster, and the way to it. */
interface RealNodes {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly names: readonly string[];
  stop(): Promise<void>;
}

async function realNodes(kubeconfig: string, { fate, nodes = ["n1"], shape }: WorldOptions): Promise<RealNodes> {
  const clock = systemClock();
  const client = createHttpKubeClient({ connection: await loadKubeconfig({ path: kubeconfig }), log: silentLogger });
  const informers = createInformers({ client, clock, log: silentLogger });
  const kubelet: Service = createSimulatedNodes({
    informers,
    clock,
    log: silentLogger,
    names: nodes,
    open: true,
    ...(fate ? { fate } : {}),
    ...(shape ? { shape } : {}),
  });
  await kubelet.start();
  // A new node keeps pods away until it has been seen ready: what comes first would be told so.
  const open = async (name: string) =>
    !(await client.get(types.nodes, { name }))["spec"]?.taints?.some(
      ({ key }: { key: string }) => key === "node.kubernetes.io/not-ready",
    );
  await eventually(async () => (await Promise.all(nodes.map(open))).every(Boolean), { limit: 60_000 });
  const stop = async () => {
    for (const name of nodes) await client.delete(types.nodes, { name }).catch(() => {});
    await kubelet.stop();
    await informers.stop();
    client.close();
  };
  return { client, clock, names: nodes, stop };
}

async function realWorld(kubeconfig: string, options: WorldOptions): Promise<World> {
  const { client, clock, names, stop } = await realNodes(kubeconfig, options);
  return worldOf(client, clock, true, names, stop);
}

const newNamespace = () => `scenario-${randomBytes(4).toString("hex")}`;

async function worldOf(
  client: KubeClient,
  clock: Clock,
  real: boolean,
  nodes: readonly string[],
  stop: () => Promise<void>,
  namespace = newNamespace(),
): Promise<World> {
  await client.create(types.namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
  const place = (type: ResourceType, name: string) => (type.namespaced ? { namespace, name } : { name });
  const world: World = {
    client,
    clock,
    namespace,
    real,
    create: (type, object) => {
      const { metadata, ...rest } = object as KubeObject;
      const apiVersion = type.group ? `${type.group}/${type.version}` : type.version;
      const placed = type.namespaced ? { ...metadata, namespace } : metadata;
      return client.create(type, { ...rest, apiVersion, kind: type.kind, metadata: placed });
    },
    get: (type, name) => client.get(type, place(type, name)),
    list: async (type) => (await client.list(type, type.namespaced ? { namespace } : {})).items,
    change: (type, name, body, subresource) =>
      client.patch(type, place(type, name), { type: "merge", body }, subresource ? { subresource } : {}),
    async until(check, seconds = 60) {
      if (real) return eventually(check, { limit: seconds * 1000, interval: 50 });
      const virtual = clock as VirtualClock;
      for (let passed = 0; ; passed += STEP_MS) {
        await virtual.quiet();
        const found = await check().catch(() => undefined);
        if (found !== undefined && found !== false) return found as never;
        if (passed >= seconds * 1000) {
          await check();
          throw new Error(`not reached within ${seconds} s`);
        }
        await virtual.advance(STEP_MS);
      }
    },
    pass: (seconds) =>
      real
        ? new Promise((resolve) => setTimeout(resolve, seconds * 1000))
        : (clock as VirtualClock).advance(seconds * 1000),
    async events(kind, name) {
      const all = await world.list(types.events);
      const about = all.filter(
        ({ involvedObject }) => involvedObject.kind === kind && (name === undefined || involvedObject.name === name),
      );
      return about.map(({ type, reason, message, count = 1 }) => `${type} ${reason} ${message} ×${count}`).sort();
    },
    async stop() {
      await client.delete(types.namespaces, { name: namespace });
      if (real) {
        await eventually(async () => {
          try {
            await client.get(types.namespaces, { name: namespace });
            return false;
          } catch {
            return true;
          }
        });
      }
      await stop();
    },
  };
  // Nothing can be created before the namespace has its account.
  await world.until(() => world.get(types.serviceAccounts, "default").then(() => true));
  await world.until(async () => (await client.list(types.nodes)).items.length >= nodes.length);
  return world;
}

const folder = join(workspaceRoot(), "libs/kube-controllers/src/scenarios/recorded");
const recording = process.env["TIPHYS_RECORD"] === "1";

interface Scenario {
  readonly options: WorldOptions;
  readonly body: (world: World) => Promise<unknown>;
}

/** What the scenario sees in the world. */
async function play({ body }: Scenario, world: World): Promise<string> {
  try {
    return `${JSON.stringify(picture(world, await body(world)), null, 2)}\n`;
  } finally {
    await world.stop();
  }
}

/** What it sees on the real cluster, `open` giving a fresh world. */
async function playReal(scenario: Scenario, open: () => Promise<World>): Promise<string> {
  for (let runs = 1; ; runs++) {
    const seen = await play(scenario, await open());
    if (runs === MOST_RUNS || scenario.options.raced?.(JSON.parse(seen)) !== true) return seen;
  }
}

/** More at a time would make the real controllers slow. */
const LANES = 6;

/** Scenarios that share one node of the real cluster, each in its own namespace: they wait for its clock, not for each other. */
class SideBySide {
  readonly #scenarios: Scenario[] = [];
  #played: readonly Promise<string>[] | undefined;
  #nodes: Promise<RealNodes> | undefined;

  /** Gives the way to what it sees; the first that asks starts them all. */
  add(scenario: Scenario): (kubeconfig: string) => Promise<string> {
    const index = this.#scenarios.push(scenario) - 1;
    return (kubeconfig) => {
      this.#played ??= this.#start(kubeconfig);
      return this.#played[index] as Promise<string>;
    };
  }

  #start(kubeconfig: string): readonly Promise<string>[] {
    const fates = new Map<string | undefined, WorldOptions["fate"]>();
    const started = realNodes(kubeconfig, { fate: (pod) => fates.get(pod.metadata.namespace)?.(pod) ?? {} });
    this.#nodes = started;
    const lanes: Promise<unknown>[] = Array(LANES).fill(started);
    return this.#scenarios.map((scenario, index) => {
      const open = async () => {
        const { client, clock, names } = await started;
        const namespace = newNamespace();
        fates.set(namespace, scenario.options.fate);
        return worldOf(client, clock, true, names, async () => {}, namespace);
      };
      const played = (lanes[index % LANES] as Promise<unknown>).then(() => playReal(scenario, open));
      lanes[index % LANES] = played.catch(() => {});
      return played;
    });
  }

  async stop(): Promise<void> {
    await Promise.allSettled(this.#played ?? []);
    await (await this.#nodes)?.stop();
  }
}

let together: SideBySide | undefined;

/** From here on the scenarios of this file are played side by side on the real cluster. Not for those that name or change nodes. */
export function playTogether(): void {
  const own = new SideBySide();
  together = own;
  afterAll(() => own.stop());
}

/**
 * Runs `body` on an embedded cluster and, where there is one, on a real one. What it answers is the same on both: what the
 * real one gave is kept in `scenarios/recorded`, and made anew with TIPHYS_RECORD=1.
 */
export function scenario(name: string, options: WorldOptions, body: (world: World) => Promise<unknown>): void {
  const kubeconfig = realClusterKubeconfig();
  const file = join(folder, `${name.replaceAll(/[^A-Za-z0-9]+/g, "-").toLowerCase()}.json`);
  const known = { options, body };
  const onReal = together?.add(known) ?? ((path: string) => playReal(known, () => realWorld(path, options)));
  const recorded = () => JSON.parse(readFileSync(file, "utf8"));
  (kubeconfig ? it : it.skip)(
    `${name} (real)`,
    async () => {
      const seen = await onReal(kubeconfig as string);
      if (recording) writeFileSync(file, seen);
      expect(JSON.parse(seen)).toEqual(recorded());
    },
    240_000,
  );
  it(`${name} (embedded)`, async () => {
    expect(JSON.parse(await play(known, await embeddedWorld(options)))).toEqual(recorded());
  });
}

const TIMES = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g;
const UIDS = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
/** Ends of generated names. */
const ENDS = /\b([a-z0-9.-]+-)[bcdfghjklmnpqrstvwxz2456789]{5}\b(?!-)/g;

/** `value` without what differs from run to run: times, uids, versions, ends of generated names, the namespace. */
export function picture(world: World, value: unknown): unknown {
  const text = JSON.stringify(value ?? null, (key, member) =>
    key === "resourceVersion" || key === "managedFields" ? undefined : member,
  );
  return JSON.parse(
    text.replaceAll(world.namespace, "NS").replace(TIMES, "TIME").replace(UIDS, "UID").replace(ENDS, "$1*"),
  );
}

const byText = (a: unknown, b: unknown) => (canonicalJson(a) < canonicalJson(b) ? -1 : 1);

/** Conditions are a set: sorted by type. */
export const sortedConditions = (status: KubeObject | undefined) =>
  status?.conditions
    ? {
        ...status,
        conditions: [...status.conditions].sort((a: { type: string }, b: { type: string }) =>
          a.type.localeCompare(b.type),
        ),
      }
    : status;

/** All objects of a kind in the scenario's namespace, in an order of their content. */
export async function all(
  world: World,
  type: ResourceType,
  pick: (object: KubeObject) => unknown = ({ metadata, spec, status }) => ({
    metadata,
    spec,
    status: sortedConditions(status),
  }),
): Promise<unknown[]> {
  return (await world.list(type)).map((object) => picture(world, pick(object))).sort(byText);
}
