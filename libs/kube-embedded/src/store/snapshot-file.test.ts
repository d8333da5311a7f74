import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { KubeObject } from "@tiphys/resources";
import { silentLogger } from "@tiphys/telemetry";
import { checkSnapshot, restoreStore, snapshotStore } from "./snapshot-file.js";
import { Store } from "./store.js";

let root: string;
let dir: string;
let file: string;
const now = new Date("2026-01-01T00:00:00Z");
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "tiphys-snapshot-"));
  dir = join(root, "cluster");
  file = join(root, "cluster.snapshot");
});
afterEach(() => rm(root, { recursive: true, force: true }));

const thing = (name: string, value: unknown = name): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default" },
  value,
});
const open = (folder = dir, compactBytes = 1 << 30) => Store.open({ dir: folder, log: silentLogger, compactBytes });
const content = (store: Store) =>
  Object.fromEntries(
    [...store.all()].map(({ collection, object }) => [`${collection} ${object.metadata.name}`, object]),
  );

/** A store with 300 objects in two collections, closed. */
async function filled(): Promise<Record<string, KubeObject>> {
  const store = await open();
  for (let i = 0; i < 300; i++) store.put(i % 3 ? "/things" : "x/others", thing(`n${i}`, "x".repeat(i)));
  store.put("/things", thing("n1", "changed"));
  store.remove("/things", store.get("/things", "default", "n2") as KubeObject);
  await store.settled();
  const all = content(store);
  await store.close();
  return all;
}

it("carries a store over to another folder: the same objects at the same revisions", async () => {
  const all = await filled();
  const facts = await snapshotStore(dir, file);
  expect(facts).toEqual({ revision: 303, objects: 299 });
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const other = join(root, "other");
  expect(await restoreStore(file, other, { now })).toEqual(facts);
  const store = await open(other);
  expect(content(store)).toEqual(all);
  expect(store.revision).toBe(303);
  store.put("/things", thing("next"));
  await store.settled();
  await store.close();
});

it("is of one revision while its server goes on writing and folding its log", async () => {
  const store = await open(dir, 30_000);
  let n = 0;
  let acknowledged = -1;
  let ended = false;
  // Two collections change in turn: a cut between them would show one of them ahead.
  const writing = (async () => {
    while (!ended) {
      store.put("/things", thing("left", n));
      store.put("/things", thing("right", n++));
      store.put("/things", thing(`n${n % 50}`, "x".repeat(300)));
      await store.settled();
      acknowledged = n - 1;
    }
  })();
  for (let round = 0; round < 8; round++) {
    const before = acknowledged;
    const { revision } = await snapshotStore(dir, file, { replace: true });
    const other = join(root, `other-${round}`);
    await restoreStore(file, other, { now });
    const copy = await open(other);
    expect(copy.revision).toBe(revision);
    const value = (name: string) => Number(copy.get("/things", "default", name)?.["value"] ?? -1);
    expect(value("left")).toBe(value("right"));
    expect(value("left")).toBeGreaterThanOrEqual(before);
    await copy.close();
  }
  ended = true;
  await writing;
  await store.close();
});

it("refuses a file that is cut anywhere, or has a flipped bit, and changes nothing", async () => {
  await filled();
  await snapshotStore(dir, file);
  const bytes = await readFile(file);
  const bad = join(root, "bad");
  const other = join(root, "other");
  const refused = async (content: Buffer) => {
    await writeFile(bad, content);
    await expect(restoreStore(bad, other, { now })).rejects.toThrow(/bad .*(nothing was changed|update Tiphys)/);
    await expect(readdir(other)).rejects.toThrow(/ENOENT/);
  };
  for (let length = 0; length < bytes.length; length += 1 + Math.floor(length / 10))
    await refused(bytes.subarray(0, length));
  await refused(bytes.subarray(0, bytes.length - 1));
  for (const at of [2, 9, 18, 40, bytes.length >> 1, bytes.length - 3]) {
    const flipped = Buffer.from(bytes);
    flipped[at] = (flipped[at] ?? 0) ^ 0x04;
    await refused(flipped);
  }
  await refused(Buffer.concat([bytes, bytes.subarray(16)]));
  await refused(Buffer.from("something else entirely, but long enough"));
  await refused(await readFile(join(dir, "log-00000000")));
});

it("refuses a newer format by name", async () => {
  await filled();
  await snapshotStore(dir, file);
  const bytes = await readFile(file);
  bytes.writeUInt32LE(99, 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 12)), 12);
  await writeFile(file, bytes);
  await expect(checkSnapshot(file)).rejects.toThrow(/written by a newer version.*update Tiphys/);
});

it("overwrites neither a file nor a cluster without being told, and puts the old cluster aside", async () => {
  const all = await filled();
  await snapshotStore(dir, file);
  await expect(snapshotStore(dir, file)).rejects.toThrow(/is there already: choose another name, or say --replace/);
  const other = join(root, "other");
  const store = await open(other);
  store.put("/things", thing("mine"));
  await store.settled();
  await expect(restoreStore(file, other, { now, replace: true })).rejects.toThrow(/is in use by process/);
  await store.close();
  await expect(restoreStore(file, other, { now })).rejects.toThrow(/holds a cluster already.*--replace/);
  const { kept } = await restoreStore(file, other, { now, replace: true });
  const restored = await open(other);
  expect(content(restored)).toEqual(all);
  await restored.close();
  const before = await open(kept);
  expect(Object.keys(content(before))).toEqual(["/things mine"]);
  await before.close();
});

it("says that there is no cluster, or no file", async () => {
  await expect(snapshotStore(join(root, "none"), file)).rejects.toThrow(/there is no cluster in .*--data/);
  await expect(restoreStore(file, dir, { now })).rejects.toThrow(/cluster.snapshot is not there/);
});
