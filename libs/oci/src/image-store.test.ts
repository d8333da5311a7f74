import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@tiphys/clock";
import { createDialer } from "@tiphys/dialer";
import { noMetrics, silentLogger } from "@tiphys/telemetry";
import { describeWith, startRegistry, type TestRegistry } from "@tiphys/testing";
import {
  buildImage,
  buildLayer,
  createImageStore,
  createRegistryClient,
  parseReference,
  pushPackage,
} from "./index.js";

const clock = systemClock();
const platform = { os: "linux", architecture: "amd64" };

describeWith(["docker-registry"], "image store", () => {
  let registry: TestRegistry;
  let dir: string;
  const client = createRegistryClient({
    dialer: createDialer({ clock, log: silentLogger, metrics: noMetrics }),
    clock,
  });
  const open = (budgetBytes = 1e9) =>
    createImageStore({ client, dir, platform, owners: process.getuid?.() === 0, budgetBytes, log: silentLogger });
  const at = (rest: string) => parseReference(`${registry.host}/${rest}`);
  beforeAll(async () => {
    registry = await startRegistry();
  });
  afterAll(async () => registry?.[Symbol.asyncDispose]());
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "tiphys-images-"));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const push = async (name: string, ...texts: string[]) => {
    const layers = await Promise.all(
      texts.map((text, i) => buildLayer([{ path: `layer${i}`, type: "file", content: text }])),
    );
    return pushPackage(client, at(name), buildImage({ platform, layers }));
  };

  it("unpacks an image once, finds it again after a restart, and shares files between images", async () => {
    await push("one:1", "base", "one");
    await push("two:1", "base", "two");
    const store = await open();
    const [one, again, two] = await Promise.all([
      store.pull(at("one:1")),
      store.pull(at("one:1")),
      store.pull(at("two:1")),
    ]);
    expect(again).toEqual(one);
    expect(readFileSync(join(one.root, "layer1"), "utf8")).toBe("one");
    expect(readFileSync(join(two.root, "layer1"), "utf8")).toBe("two");
    expect(lstatSync(join(one.root, "layer0")).nlink).toBeGreaterThan(1);
    expect(readdirSync(join(dir, "blobs"))).toEqual([]);
    expect(await (await open()).find(at("one:1"))).toEqual(one);
    expect(await store.find(at("one:2"))).toBeUndefined();
    expect((await store.list()).flatMap(({ names }) => names)).toContain(`${registry.host}/two:1`);
  });

  it("follows a tag that moves, and keeps what a digest names", async () => {
    const digest = await push("moves:1", "old");
    const store = await open();
    await store.pull(at("moves:1"));
    await push("moves:1", "new");
    const now = await store.pull(at("moves:1"));
    expect(readFileSync(join(now.root, "layer0"), "utf8")).toBe("new");
    const old = await store.find(at(`moves@${digest}`));
    expect(readFileSync(join(old!.root, "layer0"), "utf8")).toBe("old");
  });

  it("removes the longest unused beyond its budget, never what is used", async () => {
    for (const name of ["a", "b", "c"]) await push(`${name}:1`, name.repeat(1000));
    const store = await open(1500);
    const images = [];
    for (const name of ["a", "b", "c"]) images.push(await store.pull(at(`${name}:1`)));
    const removed = await store.collect(new Set([images[0]!.id]));
    expect(removed).toEqual([images[1]!.id, images[2]!.id]);
    expect(await store.find(at("a:1"))).toBeDefined();
    expect(await store.find(at("b:1"))).toBeUndefined();
    expect(readdirSync(join(dir, "roots")).length).toBe(1);
  });
});
