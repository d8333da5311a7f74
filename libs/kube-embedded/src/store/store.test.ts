import { type ChildProcess, spawn } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KubeObject } from "@tiphys/resources";
import { silentLogger } from "@tiphys/telemetry";
import { Store } from "./store.js";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "tiphys-store-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const thing = (name: string, value: unknown = name): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default" },
  value,
});
const open = (dir = root, compactBytes?: number) =>
  Store.open({ dir, log: silentLogger, ...(compactBytes === undefined ? {} : { compactBytes }) });
const content = (store: Store) =>
  Object.fromEntries(store.keys("/things").map((key) => [key, store.byKey("/things", key)?.["value"]]));

it("gives back after a restart what was acknowledged, at the same revision", async () => {
  const first = await open();
  first.put("/things", thing("a"));
  const b = first.put("/things", thing("b"));
  first.put("/things", thing("a", 2));
  first.remove("/things", b);
  await first.settled();
  const { revision } = first;
  await first.close();
  const second = await open();
  expect(content(second)).toEqual({ "default/a": 2 });
  expect(second.revision).toBe(revision);
  await second.close();
});

it("tells watchers of a change only when it is durable", async () => {
  const store = await open();
  const seen: string[] = [];
  store.watch("/things", store.revision, (change) => seen.push(`${change.type} ${change.object.metadata.name}`));
  store.put("/things", thing("a"));
  expect(seen).toEqual([]);
  await store.settled();
  expect(seen).toEqual(["ADDED a"]);
  await store.close();
});

it("keeps every acknowledged write and no half of one, wherever the log is cut", async () => {
  const store = await open();
  const sizes: number[] = [];
  for (const name of ["a", "b", "c"]) {
    store.put("/things", thing(name));
    await store.settled();
    sizes.push((await readFile(join(root, "log-00000000"))).length);
  }
  await store.close();
  const bytes = await readFile(join(root, "log-00000000"));
  for (let length = 0; length <= bytes.length; length++) {
    const dir = join(root, "cut");
    await mkdir(dir);
    await writeFile(join(dir, "log-00000000"), bytes.subarray(0, length));
    const cut = await open(dir);
    const whole = sizes.filter((size) => size <= length).length;
    expect(Object.keys(content(cut))).toHaveLength(whole);
    cut.put("/things", thing("next"));
    await cut.settled();
    await cut.close();
    const again = await open(dir);
    expect(Object.keys(content(again))).toHaveLength(whole + 1);
    await again.close();
    await rm(dir, { recursive: true });
  }
});

it("refuses damage in the middle, and a flipped bit in the last write, without touching the file", async () => {
  const store = await open();
  for (const name of ["a", "b", "c"]) {
    store.put("/things", thing(name));
    await store.settled();
  }
  await store.close();
  const bytes = await readFile(join(root, "log-00000000"));
  for (const at of [3, 20, 40, 60, bytes.length - 5]) {
    const damaged = Buffer.from(bytes);
    damaged[at] = (damaged[at] ?? 0) ^ 0x10;
    await writeFile(join(root, "log-00000000"), damaged);
    await expect(open()).rejects.toThrow(/log-00000000 .*nothing was changed.*(Restore|move)/);
    expect(await readFile(join(root, "log-00000000"))).toEqual(damaged);
  }
});

it("refuses a newer format, a foreign file and a missing log by name", async () => {
  const store = await open();
  await store.close();
  const header = await readFile(join(root, "log-00000000"));
  const { crc32 } = await import("node:zlib");
  const newer = Buffer.from(header);
  newer.writeUInt32LE(2, 8);
  newer.writeUInt32LE(crc32(newer.subarray(0, 12)), 12);
  await writeFile(join(root, "log-00000000"), newer);
  await expect(open()).rejects.toThrow(/newer version/);
  await writeFile(join(root, "log-00000000"), "something else entirely");
  await expect(open()).rejects.toThrow(/does not begin as a file of the store/);
  await writeFile(join(root, "log-00000000"), header);
  await copyFile(join(root, "log-00000000"), join(root, "log-00000002"));
  await expect(open()).rejects.toThrow(/log-00000001 is missing/);
});

it("folds the log into a snapshot while writes go on", async () => {
  const store = await open(root, 20_000);
  for (let i = 0; i < 300; i++) {
    store.put("/things", thing(`n${i % 40}`, "x".repeat(200) + i));
    if (i % 10 === 9) await store.settled();
  }
  store.remove("/things", store.get("/things", "default", "n7") as KubeObject);
  await store.settled();
  const want = content(store);
  const { revision } = store;
  await store.close();
  const files = await readdir(root);
  expect(files.some((name) => name.startsWith("snapshot-"))).toBe(true);
  expect(files).not.toContain("log-00000000");
  const again = await open();
  expect(content(again)).toEqual(want);
  expect(again.revision).toBe(revision);
  await again.close();
});

it("keeps a second holder out, and takes the lock over from a process that is gone", async () => {
  const store = await open();
  await expect(open()).rejects.toThrow(/is in use by process \d+: stop that process, or choose another directory/);
  await store.close();
  await writeFile(join(root, "lock"), "999999999 1\n");
  await (await open()).close();
});

it("forgets old changes, and says so to a watch that asks for them", async () => {
  const store = await Store.open({ log: silentLogger });
  const first = store.put("/things", thing("a"));
  for (let i = 0; i < 9000; i++) store.put("/things", thing("a", i));
  expect(store.watch("/things", Number(first.metadata.resourceVersion), () => undefined)).toBeUndefined();
  expect(store.watch("/things", store.revision - 3, () => undefined)?.past).toHaveLength(3);
});

it("forgets more when changes are large, so that its memory has a bound", async () => {
  const store = await open();
  const large = "x".repeat(1 << 20);
  for (let i = 0; i < 60; i++) store.put("/things", thing("a", large + i));
  await store.settled();
  const seen = store.watch("/things", store.revision - 20, () => undefined)?.past ?? [];
  expect(seen.length).toBeLessThanOrEqual(33);
  expect(store.watch("/things", store.revision - 5, () => undefined)?.past).toHaveLength(5);
  expect(store.watch("/things", store.revision - 50, () => undefined)).toBeUndefined();
  await store.close();
});

it("reads frames of every size, wherever they lie", async () => {
  const store = await open();
  const sizes = [10, 3_900_000, 290_000, 5_000_000, 1, 4_194_200, 70];
  for (const [i, size] of sizes.entries()) {
    store.put("/things", thing(`n${i}`, "v".repeat(size)));
    await store.settled();
  }
  await store.close();
  const again = await open();
  for (const [i, size] of sizes.entries())
    expect(String(again.get("/things", "default", `n${i}`)?.["value"])).toHaveLength(size);
  await again.close();
});

describe("a crash while the log is folded into a snapshot", () => {
  /** The directory before the folding and after it, with what both hold. */
  async function folded(): Promise<{ before: string; after: string; want: Record<string, unknown> }> {
    const before = join(root, "before");
    const writing = await open(before, 1 << 30);
    for (let i = 0; i < 50; i++) writing.put("/things", thing(`n${i}`, i));
    await writing.settled();
    const want = content(writing);
    await writing.close();
    const after = join(root, "after");
    await mkdir(after);
    await copyFile(join(before, "log-00000000"), join(after, "log-00000000"));
    const folding = await open(after, 1);
    folding.put("/things", thing("n0", 0));
    await folding.settled();
    await folding.close();
    expect((await readdir(after)).sort()).toEqual(["log-00000001", "snapshot-00000001"]);
    return { before, after, want };
  }

  it.each([
    { point: "the next log is begun", files: ["b/log-00000000", "h/log-00000001"] },
    { point: "half of the next log's header is written", files: ["b/log-00000000", "t/log-00000001"] },
    {
      point: "half of the snapshot is written",
      files: ["b/log-00000000", "h/log-00000001", "t/snapshot-00000001.tmp"],
    },
    {
      point: "the snapshot is there and the old log too",
      files: ["b/log-00000000", "a/log-00000001", "a/snapshot-00000001"],
    },
    { point: "the old log is gone", files: ["a/log-00000001", "a/snapshot-00000001"] },
  ])("loses nothing when $point", async ({ files }) => {
    const { before, after, want } = await folded();
    const dir = join(root, "crashed");
    await mkdir(dir);
    for (const file of files) {
      const [from, name = ""] = file.split("/");
      const bytes =
        from === "b" ? await readFile(join(before, name)) : await readFile(join(after, name.replace(/\.tmp$/, "")));
      const part = from === "h" ? bytes.subarray(0, 16) : from === "t" ? bytes.subarray(0, 7) : bytes;
      await writeFile(join(dir, name), part);
    }
    for (let start = 0; start < 2; start++) {
      const store = await open(dir);
      expect(content(store)).toEqual(start === 0 ? want : { ...want, "default/next": "next" });
      store.put("/things", thing("next"));
      await store.settled();
      await store.close();
    }
  });
});

const child = `
import { Store } from "STORE";
const log = { debug() {}, info() {}, warn() {}, error() {}, with: () => log };
const store = await Store.open({ dir: process.argv[2], log, compactBytes: 200000 });
let n = Number(process.argv[3]);
const worker = async () => {
  for (;;) {
    const i = n++;
    store.put("/things", { apiVersion: "v1", kind: "T", metadata: { name: "n" + i, namespace: "default" }, value: "v".repeat(i % 300) + i });
    await store.settled();
    process.stdout.write(i + "\\n");
  }
};
await Promise.all([worker(), worker(), worker(), worker()]);
`;

it("loses no acknowledged write when the process is killed", async () => {
  const { build } = await import("esbuild");
  const script = join(root, "child.mjs");
  await build({
    stdin: {
      contents: child.replace("STORE", join(process.cwd(), "libs/kube-embedded/src/store/store.ts")),
      resolveDir: process.cwd(),
    },
    bundle: true,
    platform: "node",
    format: "esm",
    outfile: script,
    logLevel: "error",
  });
  const dir = join(root, "data");
  const acknowledged = new Set<number>();
  for (let round = 0; round < 4; round++) {
    const goal = acknowledged.size + 400 + round * 77;
    await new Promise<void>((resolve) => {
      const running: ChildProcess = spawn(
        process.execPath,
        [script, dir, String(Math.max(0, ...acknowledged) + 1000)],
        {
          stdio: ["ignore", "pipe", "inherit"],
        },
      );
      let rest = "";
      running.stdout?.on("data", (data: Buffer) => {
        const lines = (rest + data.toString()).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) acknowledged.add(Number(line));
        if (acknowledged.size >= goal) running.kill("SIGKILL");
      });
      running.once("close", () => resolve());
    });
    expect(acknowledged.size).toBeGreaterThanOrEqual(goal);
    const store = await open(dir);
    for (const i of acknowledged) {
      expect(store.get("/things", "default", `n${i}`)?.["value"]).toBe("v".repeat(i % 300) + i);
    }
    await store.close();
  }
}, 60_000);
