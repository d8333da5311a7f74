import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock, virtualClock } from "@tiphys/clock";
import { silentLogger } from "@tiphys/telemetry";
import { busContract } from "./contract.js";
import { createLocalBus } from "./local-bus.js";

const folder = () => mkdtemp(join(tmpdir(), "tiphys-bus-"));
const log = silentLogger;

describe("local bus on disk", () => {
  busContract(async () => {
    const dir = await folder();
    return {
      open: () => createLocalBus({ dir, clock: systemClock(), log }),
      cleanup: () => rm(dir, { recursive: true, force: true }),
    };
  });
});

describe("local bus files", () => {
  let dir: string;
  const open = (retention = {}) => createLocalBus({ dir, clock: systemClock(), log, retention });
  const segments = async () => (await readdir(dir)).filter((name) => name.endsWith(".log")).sort();
  beforeEach(async () => {
    dir = await folder();
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it("drops a record cut short by a crash and goes on at its position", async () => {
    let bus = await open();
    await bus.append("a.b", "1", Buffer.from("kept"));
    await bus.close();
    await appendFile(join(dir, (await segments())[0]!), Buffer.from([40, 0, 0, 0, 1, 2, 3, 4, 5]));
    bus = await open();
    expect(await bus.append("a.b", "2", Buffer.from("next"))).toBe(2);
    expect((await bus.read("a.b")).map((message) => message.id)).toEqual(["1", "2"]);
    await bus.close();
  });

  it("refuses a log damaged in the middle, changing nothing", async () => {
    const bus = await open();
    await bus.append("a.b", "1", Buffer.from("first"));
    await bus.append("a.b", "2", Buffer.from("second"));
    await bus.close();
    const path = join(dir, (await segments())[0]!);
    const bytes = await readFile(path);
    bytes[20]! ^= 0xff;
    await writeFile(path, bytes);
    await expect(open()).rejects.toMatchObject({ code: "DataLoss" });
    expect(await readFile(path)).toEqual(bytes);
  });

  it("keeps to its limits by dropping whole segments, oldest first", async () => {
    const bus = await open({ maxMessages: 40 });
    for (let index = 0; index < 100; index++) await bus.append("a.b", `${index}`, Buffer.from("x"));
    const kept = await bus.read("a.b", { limit: 1000 });
    expect(kept.length).toBeLessThanOrEqual(50);
    expect(kept.at(-1)!.id).toBe("99");
    expect((await segments()).length).toBeLessThanOrEqual(5);
    await bus.close();
    const again = await open({ maxMessages: 40 });
    expect((await again.read("a.b", { limit: 1000 })).map((message) => message.id)).toEqual(
      kept.map((message) => message.id),
    );
    await again.close();
  });
});

it("redelivers with back-off by the clock it was given, days in no time", async () => {
  const clock = virtualClock(new Date("2026-01-01T00:00:00Z"));
  const bus = await createLocalBus({ clock, log });
  const at: number[] = [];
  await bus.consume({ durable: "w", subjects: ["a.>"], startAt: "all" }, async () => {
    at.push(clock.now().getTime() - Date.parse("2026-01-01T00:00:00Z"));
    throw new Error("always");
  });
  await bus.append("a.b", "1", Buffer.from("x"));
  await clock.runUntil(() => at.length === 8, 86_400_000);
  expect(at).toEqual([0, 1000, 3000, 7000, 15_000, 31_000, 63_000, 123_000]);
  await bus.close();
});

it("accepts an id again after the window", async () => {
  const clock = virtualClock(new Date("2026-01-01T00:00:00Z"));
  const bus = await createLocalBus({ clock, log, dedupWindow: 1000 });
  await bus.append("a.b", "1", Buffer.from("x"));
  await clock.advance(1001);
  await bus.append("a.b", "1", Buffer.from("x"));
  expect(await bus.read("a.b")).toHaveLength(2);
  await bus.close();
});
