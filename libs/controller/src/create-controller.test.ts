import { type VirtualClock, virtualClock } from "@tiphys/clock";
import { InvalidArgumentError, WaitError } from "@tiphys/errors";
import { createMemoryJournal, type Journal } from "@tiphys/journal";
import { createInformers, type Informers, isAlreadyExists, type KubeClient } from "@tiphys/kube";
import { controllerRef, type KubeObject, keyOf, type ResourceType, types } from "@tiphys/resources";
import { noMetrics, silentLogger, type Tracer } from "@tiphys/telemetry";
import {
  type ControllerOptions,
  createController,
  type Plan,
  type Reconciler,
  type RunningController,
} from "./index.js";
import { smallCluster } from "./small-cluster.js";

const start = new Date("2026-01-01T00:00:00Z");
const later = (milliseconds: number) => new Date(start.getTime() + milliseconds);
const toys: ResourceType = { group: "example.com", version: "v1", resource: "toys", kind: "Toy", namespaced: true };
const toy = (name: string, spec: object = {}): KubeObject => ({
  apiVersion: "example.com/v1",
  kind: "Toy",
  metadata: { name, namespace: "shop", uid: `uid-${name}`, generation: 1 },
  spec,
});

interface World {
  clock: VirtualClock;
  cluster: ReturnType<typeof smallCluster>;
  informers: Informers;
  journal: Journal;
}

function world(client?: (client: KubeClient) => KubeClient): World {
  const clock = virtualClock(start);
  const cluster = smallCluster();
  const informers = createInformers({ client: client?.(cluster.client) ?? cluster.client, clock, log: silentLogger });
  return { clock, cluster, informers, journal: createMemoryJournal() };
}

const nothing: Plan<never> = { actions: [], reasons: [] };

async function run<State, Action, Fact>(
  { clock, informers, journal }: World,
  reconciler: Partial<Reconciler<State, Action, Fact>>,
  options: Partial<ControllerOptions<State, Action, Fact>> = {},
) {
  const controller = createController<State, Action, Fact>({
    name: "toys",
    resource: toys,
    statusSubresource: true,
    reconciler: {
      observe: async (object) => object as State,
      plan: () => nothing,
      act: async () => undefined as Fact,
      describe: String,
      ...reconciler,
    },
    informers,
    clock,
    journal,
    log: silentLogger,
    metrics: noMetrics,
    ...options,
  });
  await controller.start();
  await clock.quiet();
  return controller;
}

it("acts in order, then writes the status once, and only when it differs", async () => {
  const w = world();
  w.cluster.set(toys, toy("a"));
  const acted: string[] = [];
  const controller = await run<KubeObject, string, void>(w, {
    plan: () => ({ actions: ["one", "two"], reasons: [], status: { phase: "Done", gone: undefined } }),
    act: async (action) => void acted.push(action),
  });
  expect(w.cluster.writes).toEqual(["ADDED toys shop/a", "MODIFIED toys shop/a"]);
  expect((await w.cluster.client.get(toys, { namespace: "shop", name: "a" })).status).toEqual({ phase: "Done" });
  // The status write itself called for one more pass, which wrote nothing.
  expect(acted).toEqual(["one", "two", "one", "two"]);
  await controller.stop();
});

it("writes metadata and status of kinds without the subresource as one patch", async () => {
  const w = world();
  w.cluster.set(toys, toy("a"));
  const controller = await run(
    w,
    { plan: () => ({ ...nothing, status: { phase: "Done" }, patch: { metadata: { labels: { done: "yes" } } } }) },
    { statusSubresource: false },
  );
  expect(w.cluster.writes).toHaveLength(2);
  const object = await w.cluster.client.get(toys, { namespace: "shop", name: "a" });
  expect(object).toMatchObject({ status: { phase: "Done" }, metadata: { labels: { done: "yes" } } });
  await controller.stop();
});

it("removes status members that are no longer wanted", async () => {
  const w = world();
  w.cluster.set(toys, { ...toy("a"), status: { old: 1, nested: { keep: 1, drop: 2 } } });
  const controller = await run(w, { plan: () => ({ ...nothing, status: { nested: { keep: 1 } } }) });
  expect((await w.cluster.client.get(toys, { namespace: "shop", name: "a" })).status).toEqual({ nested: { keep: 1 } });
  await controller.stop();
});

it("decides anew when somebody else changed the object during the pass", async () => {
  const w = world();
  w.cluster.set(toys, toy("a", { size: 1 }));
  let disturbed = false;
  const controller = await run<KubeObject, never, void>(w, {
    async observe(object) {
      if (!disturbed) {
        disturbed = true;
        await w.cluster.client.patch(toys, keyOf(object), { type: "merge", body: { spec: { size: 2 } } });
      }
      return object;
    },
    plan: (object) => ({ ...nothing, status: { size: object.spec.size } }),
  });
  await w.clock.advance(100);
  expect((await w.cluster.client.get(toys, { namespace: "shop", name: "a" })).status).toEqual({ size: 2 });
  await controller.stop();
});

it("retries a failure with doubling waits, starts over after a success, and explains why", async () => {
  const w = world();
  w.cluster.set(toys, toy("a"));
  const at: number[] = [];
  let broken = true;
  const controller = await run(w, {
    async observe() {
      at.push(w.clock.now().getTime() - start.getTime());
      if (broken) throw new Error("the shop is closed");
      return {};
    },
  });
  await w.clock.advance(100);
  expect(at).toEqual([0, 5, 15, 35, 75]);
  const explained = await controller.explain({ namespace: "shop", name: "a" });
  expect(explained.reasons).toEqual([{ code: "Unknown", message: "the shop is closed" }]);
  expect(explained.decisions).toHaveLength(1);
  broken = false;
  await w.clock.advance(1000);
  broken = true;
  const before = at.length;
  controller.enqueue({ namespace: "shop", name: "a" });
  await w.clock.advance(20);
  expect(at.slice(before).map((time) => time - (at[before] as number))).toEqual([0, 5, 15]);
  await controller.stop();
});

it("waits exactly as long as a WaitError says", async () => {
  const w = world();
  w.cluster.set(toys, toy("a"));
  const at: number[] = [];
  const controller = await run(w, {
    async observe() {
      at.push(w.clock.now().getTime() - start.getTime());
      throw new WaitError({ after: 1234, reason: "window closed" });
    },
  });
  await w.clock.advance(2500);
  expect(at).toEqual([0, 1234, 2468]);
  await controller.stop();
});

it("leaves a terminal failure alone until the object changes", async () => {
  const w = world();
  w.cluster.set(toys, toy("a"));
  let passes = 0;
  const controller = await run(w, {
    async observe() {
      passes++;
      throw new InvalidArgumentError("spec.size", "must be a number");
    },
  });
  await w.clock.advance(3_600_000);
  expect(passes).toBe(1);
  await w.cluster.client.patch(toys, { namespace: "shop", name: "a" }, { type: "merge", body: { spec: { size: 1 } } });
  await w.clock.quiet();
  expect(passes).toBe(2);
  await controller.stop();
});

it("looks again at the exact time, and at none that an earlier pass asked for", async () => {
  const w = world();
  w.cluster.set(toys, toy("a"));
  const at: number[] = [];
  const controller = await run(w, {
    plan(_state, now) {
      at.push(now.getTime() - start.getTime());
      return at.length === 1 ? { ...nothing, lookAgainAt: later(86_400_000) } : nothing;
    },
  });
  await w.clock.advance(10 * 86_400_000);
  expect(at).toEqual([0, 86_400_000]);
  await controller.stop();
});

it("folds failed actions into the status, and still retries them", async () => {
  const w = world();
  w.cluster.set(toys, toy("a"));
  let refuse = true;
  const controller = await run<KubeObject, string, string>(w, {
    plan: () => ({ actions: ["one", "two"], reasons: [] }),
    async act(action) {
      if (action === "one" && refuse) throw new Error("refused");
      return `${action} done`;
    },
    report: (_state, plan, outcomes) => ({
      ...plan,
      status: { results: outcomes.map((outcome) => (outcome.ok ? outcome.fact : String(outcome.error))) },
    }),
  });
  const status = async () => (await w.cluster.client.get(toys, { namespace: "shop", name: "a" })).status;
  expect(await status()).toEqual({ results: ["Error: refused", "two done"] });
  refuse = false;
  await w.clock.advance(1000);
  expect(await status()).toEqual({ results: ["one done", "two done"] });
  await controller.stop();
});

it("never runs two passes of one key, and lets no key starve another", async () => {
  const w = world();
  for (const name of ["a", "b", "c"]) w.cluster.set(toys, toy(name));
  const order: string[] = [];
  const inside = new Set<string>();
  let itself: RunningController | undefined;
  const controller = await run<KubeObject, never, void>(
    w,
    {
      async observe(object) {
        const { name } = object.metadata;
        expect(inside.has(name)).toBe(false);
        inside.add(name);
        order.push(name);
        if (order.length < 8) {
          itself?.enqueue(keyOf(object));
          itself?.enqueue(keyOf(object));
        }
        await new Promise((resolve) => setImmediate(resolve));
        inside.delete(name);
        return undefined;
      },
    },
    { workers: 1, killPoint: () => {} },
  );
  itself = controller;
  order.length = 0;
  for (const name of ["a", "b", "c"]) controller.enqueue({ namespace: "shop", name });
  await w.clock.quiet();
  expect(order.slice(0, 6)).toEqual(["a", "b", "c", "a", "b", "c"]);
  await controller.stop();
});

it("passes when an owned or a mapped object changes", async () => {
  const w = world();
  const owner = toy("a");
  w.cluster.set(toys, owner);
  const passes: string[] = [];
  const controller = await run<KubeObject, never, void>(
    w,
    { observe: async (object) => void passes.push(object.metadata.name) },
    {
      watches: [
        { resource: types.pods, keys: "owner" },
        { resource: types.secrets, keys: ({ object }) => [{ namespace: "shop", name: object.metadata.name }] },
      ],
    },
  );
  passes.length = 0;
  w.cluster.set(types.pods, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace: "shop", ownerReferences: [controllerRef(owner)] },
  });
  await w.clock.quiet();
  w.cluster.set(types.secrets, { apiVersion: "v1", kind: "Secret", metadata: { name: "a", namespace: "shop" } });
  await w.clock.quiet();
  expect(passes).toEqual(["a", "a"]);
  await controller.stop();
});

it("asks before every pass whether the key is its own", async () => {
  const w = world();
  for (const name of ["a", "b"]) w.cluster.set(toys, toy(name));
  const passes: string[] = [];
  const controller = await run<KubeObject, never, void>(
    w,
    { observe: async (object) => void passes.push(object.metadata.name) },
    { owns: ({ name }) => name === "b" },
  );
  expect(passes).toEqual(["b"]);
  await controller.stop();
});

it("aborts the passes under way when it stops, and writes nothing afterwards", async () => {
  const w = world();
  w.cluster.set(toys, toy("a"));
  let reason: unknown;
  const controller = createController<object, never, void>({
    name: "toys",
    resource: toys,
    statusSubresource: true,
    reconciler: {
      observe: (_object, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => {
            reason = signal.reason;
            reject(signal.reason);
          });
        }),
      plan: () => ({ ...nothing, status: { phase: "Late" } }),
      act: async () => {},
      describe: String,
    },
    ...w,
    log: silentLogger,
    metrics: noMetrics,
  });
  await controller.start();
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  await controller.stop();
  expect(String(reason)).toContain("controller toys is stopping");
  expect(w.cluster.writes).toHaveLength(1);
  expect(controller.ready()).toBe("controller toys is stopped");
});

it("journals a decision once, with its state behind a digest", async () => {
  const w = world();
  w.cluster.set(toys, toy("a", { size: 1 }));
  const controller = await run<KubeObject, string, void>(w, {
    plan: () => ({ actions: ["paint"], reasons: [{ code: "Grey", message: "the toy is grey" }] }),
  });
  for (let again = 0; again < 3; again++) {
    controller.enqueue({ namespace: "shop", name: "a" });
    await w.clock.quiet();
  }
  const entries = await w.journal.read("toys/shop/a");
  expect(entries).toMatchObject([{ decision: { actions: ["paint"] }, reasons: [{ code: "Grey" }] }]);
  expect(await w.journal.state(entries[0]?.stateDigest as string)).toEqual({ spec: { size: 1 } });
  await controller.stop();
});

describe("a crash at any border", () => {
  type Step = { create: string };
  /** Wants one ConfigMap per part, counts them in the status, and puts a label on itself first. */
  const parts = (informers: Informers): Reconciler<{ toy: KubeObject; present: string[] }, Step, void> => ({
    async observe(object) {
      const present = informers
        .informer(types.configMaps)
        .byIndex("owner", object.metadata.uid as string)
        .map((item) => item.metadata.name);
      return { toy: object, present: present.sort() };
    },
    plan({ toy: { spec }, present }) {
      const missing = (spec.parts as string[]).filter((part) => !present.includes(part));
      return {
        status: { parts: present.length },
        patch: { metadata: { labels: { seen: "yes" } } },
        actions: missing.map((create) => ({ create })),
        reasons: missing.map((part) => ({ code: "Missing", message: `${part} is missing` })),
      };
    },
    async act({ create }) {
      const owner = informers.informer(toys).get({ namespace: "shop", name: "a" }) as KubeObject;
      const part = {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: create, namespace: "shop", ownerReferences: [controllerRef(owner)] },
      };
      await informers.client.create(types.configMaps, part).catch((error) => {
        if (!isAlreadyExists(error)) throw error;
      });
    },
    describe: ({ create }) => `create ${create}`,
  });

  const life = async (cluster: ReturnType<typeof smallCluster>, killPoint?: (name: string) => void) => {
    const clock = virtualClock(start);
    const informers = createInformers({ client: cluster.client, clock, log: silentLogger });
    const controller = await run({ clock, cluster, informers, journal: createMemoryJournal() }, parts(informers), {
      watches: [{ resource: types.configMaps, keys: "owner" }],
      ...(killPoint ? { killPoint } : {}),
    });
    await clock.advance(1000);
    await controller.stop();
    await informers.stop();
  };
  const end = async (cluster: ReturnType<typeof smallCluster>) => {
    const { items } = await cluster.client.list(types.configMaps);
    const { status, metadata } = await cluster.client.get(toys, { namespace: "shop", name: "a" });
    return { parts: items.map((item) => item.metadata.name).sort(), status, labels: metadata.labels };
  };
  const fresh = () => {
    const cluster = smallCluster();
    cluster.set(toys, toy("a", { parts: ["x", "y", "z"] }));
    return cluster;
  };

  it("leads to the same end as no crash", async () => {
    const points: string[] = [];
    const undisturbed = fresh();
    await life(undisturbed, (name) => points.push(name));
    const want = await end(undisturbed);
    expect(want).toEqual({ parts: ["x", "y", "z"], status: { parts: 3 }, labels: { seen: "yes" } });
    expect(new Set(points)).toEqual(
      new Set([
        "observe",
        "plan",
        "act:0",
        "act:1",
        "act:2",
        "acted:0",
        "acted:1",
        "acted:2",
        "metadata",
        "status",
        "done",
      ]),
    );
    for (let crash = 0; crash < points.length; crash++) {
      const cluster = fresh();
      let passed = 0;
      await life(cluster, () => {
        if (passed++ === crash) throw new Error("killed");
      });
      const writes = cluster.writes.length;
      await life(cluster);
      expect({ crash: points[crash], ...(await end(cluster)) }).toEqual({ crash: points[crash], ...want });
      expect(cluster.writes.length).toBeGreaterThanOrEqual(writes);
      // Nothing is done twice: one write for the toy, three parts, a label, at most two states of the status.
      expect(cluster.writes.filter((write) => write.startsWith("ADDED configmaps"))).toHaveLength(3);
    }
  });
});

it("makes every action a span of the trace that the object's change began", async () => {
  const w = world();
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const changed = toy("a");
  changed.metadata.annotations = {
    "tiphys.dev/change": "01J0000000000000000000000A",
    "tiphys.dev/traceparent": traceparent,
  };
  w.cluster.set(toys, changed);
  const spans: unknown[] = [];
  const tracer: Tracer = {
    span(name, options, work) {
      spans.push({ name, ...options });
      return work(undefined as never);
    },
    stop: async () => {},
  };
  const controller = await run<KubeObject, string, void>(
    w,
    { plan: () => ({ actions: ["paint"], reasons: [] }) },
    { tracer },
  );
  expect(spans).toContainEqual({
    name: "paint",
    traceparent,
    attributes: { "tiphys.controller": "toys", "tiphys.object": "shop/a" },
  });
  await controller.stop();
});
