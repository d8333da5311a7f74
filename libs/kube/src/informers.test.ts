import { type VirtualClock, virtualClock } from "@tiphys/clock";
import { type KubeObject, types } from "@tiphys/resources";
import { silentLogger } from "@tiphys/telemetry";
import { type CacheChange, createInformers, type KubeClient, statusError, type WatchEvent } from "./index.js";

const start = new Date("2026-01-01T00:00:00Z");
const object = (name: string, resourceVersion: number, more: Partial<KubeObject["metadata"]> = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "shop", uid: `uid-${name}`, resourceVersion: String(resourceVersion), ...more },
});

/** A server whose lists and watch events the test gives by hand. */
function server(clock: VirtualClock) {
  const calls: string[] = [];
  const state = {
    list: { items: [] as KubeObject[], resourceVersion: "1" },
    listFails: undefined as unknown,
    watchFails: undefined as unknown,
  };
  let queue: WatchEvent[] = [];
  let wake = () => {};
  const written = (answer: KubeObject) => async () => {
    calls.push("write");
    return answer;
  };
  const client = {
    async list(_type: unknown, options: { continue?: string }) {
      calls.push(options.continue ? `list from ${options.continue}` : "list");
      if (state.listFails) throw state.listFails;
      return state.list;
    },
    async *watch(_type: unknown, options: { resourceVersion?: string }, signal: AbortSignal) {
      calls.push(`watch from ${options.resourceVersion}`);
      signal.addEventListener("abort", () => wake());
      for (;;) {
        for (const event of queue.splice(0)) yield event;
        if (state.watchFails) {
          const failure = state.watchFails;
          state.watchFails = undefined;
          throw failure;
        }
        if (signal.aborted) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    get: async () => {
      throw statusError(404, "NotFound", "gone");
    },
    delete: async () => {},
  } as unknown as KubeClient;
  const informers = createInformers({ client, clock, log: silentLogger });
  return {
    informers,
    client,
    calls,
    state,
    written,
    async send(...events: WatchEvent[]) {
      queue = queue.concat(events);
      wake();
      await clock.quiet();
    },
    async failWatch(error: unknown) {
      state.watchFails = error;
      wake();
      await clock.quiet();
    },
  };
}

const changes = (seen: CacheChange[]) =>
  seen.map(({ type, object: { metadata } }) => `${type} ${metadata.name}@${metadata.resourceVersion}`);

async function begin(items: KubeObject[]) {
  const clock = virtualClock(start);
  const world = server(clock);
  world.state.list = { items, resourceVersion: "10" };
  const informer = world.informers.informer(types.configMaps);
  await informer.synced;
  await clock.quiet();
  const seen: CacheChange[] = [];
  informer.onChange((change) => seen.push(change));
  return { clock, informer, seen, ...world };
}

it("lists once, then follows the watch", async () => {
  const { informer, seen, send, calls, informers } = await begin([object("a", 3)]);
  expect(informer.list("shop")).toHaveLength(1);
  await send(
    { type: "ADDED", object: object("b", 11) },
    { type: "MODIFIED", object: object("a", 12) },
    { type: "DELETED", object: object("b", 13) },
  );
  expect(changes(seen)).toEqual(["added b@11", "modified a@12", "deleted b@13"]);
  expect(informer.get({ namespace: "shop", name: "b" })).toBeUndefined();
  expect(calls).toEqual(["list", "watch from 10"]);
  await informers.stop();
});

it("shares one watch between all who ask for the same", async () => {
  const { informer, informers } = await begin([]);
  expect(informers.informer(types.configMaps)).toBe(informer);
  expect(informers.informer(types.configMaps, { namespace: "other" })).not.toBe(informer);
  await informers.stop();
});

it("indexes by owner and by functions of the user, also when asked late", async () => {
  const owned = object("a", 3, { ownerReferences: [{ apiVersion: "v1", kind: "X", name: "x", uid: "u1" }] });
  const { informer, send, informers } = await begin([owned]);
  informers.informer(types.configMaps, { indexes: { first: ({ metadata }) => [metadata.name.slice(0, 1)] } });
  expect(informer.byIndex("owner", "u1")).toEqual([owned]);
  expect(informer.byIndex("first", "a")).toEqual([owned]);
  await send({ type: "MODIFIED", object: object("a", 12) });
  expect(informer.byIndex("owner", "u1")).toEqual([]);
  expect(() => informer.byIndex("none", "x")).toThrow('has no index "none"');
  await informers.stop();
});

it("shows own writes at once and tells of each of them once", async () => {
  const { informer, seen, send, client, informers, written } = await begin([object("a", 3)]);
  client.patch = written(object("a", 15));
  await informers.client.patch(types.configMaps, { namespace: "shop", name: "a" }, { type: "merge", body: {} });
  expect(informer.get({ namespace: "shop", name: "a" })?.metadata.resourceVersion).toBe("15");
  await send({ type: "MODIFIED", object: object("a", 14) }, { type: "MODIFIED", object: object("a", 15) });
  expect(informer.get({ namespace: "shop", name: "a" })?.metadata.resourceVersion).toBe("15");
  expect(changes(seen)).toEqual(["modified a@15"]);
  await informers.stop();
});

it("compares versions as numbers", async () => {
  const { informer, send, informers } = await begin([object("a", 9)]);
  await send({ type: "MODIFIED", object: object("a", 10) });
  expect(informer.get({ namespace: "shop", name: "a" })?.metadata.resourceVersion).toBe("10");
  await informers.stop();
});

it("drops what it deleted at once, and late news of it does not bring it back", async () => {
  const { informer, seen, send, informers } = await begin([object("a", 3)]);
  const key = { namespace: "shop", name: "a" };
  await informers.client.delete(types.configMaps, key);
  expect(informer.get(key)).toBeUndefined();
  await send({ type: "MODIFIED", object: object("a", 11) });
  expect(informer.get(key)).toBeUndefined();
  await send(
    { type: "DELETED", object: object("a", 12) },
    { type: "ADDED", object: object("a", 13, { uid: "uid-2" }) },
  );
  expect(informer.get(key)?.metadata.uid).toBe("uid-2");
  expect(changes(seen)).toEqual(["deleted a@3", "added a@13"]);
  await informers.stop();
});

it("does not bring back what its own write has ended, when the watch told the end before the answer came", async () => {
  const { informer, client, send, informers, written } = await begin([object("a", 3)]);
  const key = { namespace: "shop", name: "a" };
  await send({ type: "DELETED", object: object("a", 12) });
  client.patch = written(object("a", 11, { deletionTimestamp: "2026-01-01T00:00:00Z", deletionGracePeriodSeconds: 0 }));
  await informers.client.patch(types.configMaps, key, { type: "merge", body: { metadata: { finalizers: [] } } });
  expect(informer.get(key)).toBeUndefined();
  await informers.stop();
});

it("lists again when the server has forgotten the position, and keeps its own newer writes", async () => {
  const { informer, seen, client, informers, calls, state, failWatch, written } = await begin([
    object("a", 3),
    object("b", 4),
  ]);
  client.create = written(object("mine", 30));
  await informers.client.create(types.configMaps, object("mine", 0));
  state.list = { items: [object("a", 3), object("c", 20)], resourceVersion: "20" };
  await failWatch(statusError(410, "Expired", "too old resource version"));
  expect(calls.slice(-2)).toEqual(["list", "watch from 20"]);
  expect(
    informer
      .list()
      .map((item) => item.metadata.name)
      .sort(),
  ).toEqual(["a", "c", "mine"]);
  expect(changes(seen)).toEqual(["added mine@30", "added c@20", "deleted b@4"]);
  await informers.stop();
});

it("goes on from the last bookmark, with back-off, when the connection breaks", async () => {
  const { clock, calls, send, failWatch, informers } = await begin([]);
  await send({ type: "BOOKMARK", resourceVersion: "50" });
  await failWatch(statusError(503, "ServiceUnavailable", "down"));
  expect(calls).toEqual(["list", "watch from 10"]);
  await clock.advance(200);
  expect(calls).toEqual(["list", "watch from 10", "watch from 50"]);
  await informers.stop();
});

it("keeps trying the first list with growing waits", async () => {
  const clock = virtualClock(start);
  const { informers, state, calls } = server(clock);
  state.listFails = statusError(404, "NotFound", "no such resource");
  const informer = informers.informer(types.configMaps);
  await clock.advance(1500);
  expect(calls).toEqual(["list", "list", "list", "list"]);
  state.listFails = undefined;
  await clock.advance(60_000);
  await informer.synced;
  await informers.stop();
});

it("rejects waiting for the first list when it is stopped before", async () => {
  const clock = virtualClock(start);
  const { informers, state } = server(clock);
  state.listFails = statusError(503, "ServiceUnavailable", "down");
  const informer = informers.informer(types.configMaps);
  await clock.quiet();
  await informers.stop();
  await expect(informer.synced).rejects.toThrow("stopped before its first list");
});
