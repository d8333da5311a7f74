import { mkdtemp, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger as log } from "@tiphys/telemetry";
import { openDurableMap } from "./durable-map.js";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "tiphys-map-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

it("keeps what was written, and forgets what was deleted", async () => {
  let map = await openDurableMap({ dir, name: "state", log });
  await map.write([
    ["run/a", { n: 1 }],
    ["run/b", { n: 2 }],
    ["seen/x", 1],
  ]);
  await map.write([["run/a", undefined]]);
  await map.close();
  map = await openDurableMap({ dir, name: "state", log });
  expect(map.get("run/a")).toBeUndefined();
  expect([...map.entries("run/")]).toEqual([["run/b", { n: 2 }]]);
  await map.close();
});

describe("a log that is not whole", () => {
  let path: string;
  let whole: Buffer;
  beforeEach(async () => {
    const map = await openDurableMap({ dir, name: "state", log });
    for (const key of ["a", "b", "c"]) await map.write([[key, `value of ${key}`]]);
    await map.close();
    path = join(dir, "state.log");
    whole = await readFile(path);
  });

  it("loses the record that a crash cut short, and no other", async () => {
    await truncate(path, whole.length - 3);
    const map = await openDurableMap({ dir, name: "state", log });
    expect([map.get("a"), map.get("b"), map.get("c")]).toEqual(["value of a", "value of b", undefined]);
    await map.close();
  });

  it("is refused and left alone when any byte before the last record is damaged", async () => {
    const last = whole.length - whole.length / 3;
    for (let at = 0; at < last; at++) {
      const damaged = Buffer.from(whole);
      damaged[at]! ^= 0x40;
      await writeFile(path, damaged);
      await expect(openDurableMap({ dir, name: "state", log })).rejects.toMatchObject({ code: "DataLoss" });
      expect(await readFile(path)).toEqual(damaged);
    }
  });
});

it("rewrites its log while writers go on, losing nothing", async () => {
  let map = await openDurableMap({ dir, name: "state", log });
  const big = "x".repeat(100_000);
  for (let round = 0; round < 40; round++) {
    await Promise.all([1, 2, 3].map((key) => map.write([[`key${key}`, `${round}${big}`]])));
  }
  await map.close();
  expect((await stat(join(dir, "state.log"))).size).toBeLessThan(8_000_000);
  map = await openDurableMap({ dir, name: "state", log });
  for (const key of [1, 2, 3]) expect(map.get(`key${key}`)).toBe(`39${big}`);
  await map.close();
});
