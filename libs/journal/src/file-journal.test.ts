import { appendFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { virtualClock } from "@tiphys/clock";
import { codeOf } from "@tiphys/errors";
import { silentLogger } from "@tiphys/telemetry";
import { describeWith, startNats } from "@tiphys/testing";
import { journalContract } from "./contract.js";
import { createFileJournal, createJetStreamJournal, createMemoryJournal, type FileJournalOptions } from "./index.js";

const clock = virtualClock(new Date("2026-01-01T00:00:00Z"));
const log = silentLogger;
const entry = (n: number) => ({
  subject: `s/n/${n % 3}`,
  at: clock.now(),
  kind: "decision" as const,
  decision: n,
  reasons: [],
  state: { n, pad: "x".repeat(200) },
});

journalContract("memory", async () => ({
  open: async () => createMemoryJournal(),
  dispose: async () => {},
  durable: false,
}));

journalContract("file", async () => {
  const dir = await mkdtemp(join(tmpdir(), "journal-"));
  return {
    open: () => createFileJournal({ dir, clock, log }),
    dispose: () => rm(dir, { recursive: true }),
    durable: true,
  };
});

describeWith(["nats-server"], "on NATS", () => {
  let nats: Awaited<ReturnType<typeof startNats>>;
  let count = 0;
  beforeAll(async () => {
    nats = await startNats();
  });
  afterAll(() => nats[Symbol.asyncDispose]());
  journalContract("JetStream", async () => {
    const { connect } = await import("@nats-io/transport-node");
    const stream = `journal-${count++}`;
    const connection = await connect({ servers: nats.url });
    return {
      open: () => createJetStreamJournal({ connection, stream }),
      dispose: () => connection.close(),
      durable: true,
    };
  });
});

describe("the file journal", () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "journal-"));
  });
  afterEach(() => rm(dir, { recursive: true }));
  const open = (options: Partial<FileJournalOptions> = {}) => createFileJournal({ dir, clock, log, ...options });
  const newest = async () => join(dir, (await readdir(dir)).sort().at(-1) ?? "");

  it("drops a record that a crash cut short, and nothing before it", async () => {
    const journal = await open();
    for (let n = 0; n < 6; n++) await journal.record(entry(n));
    await journal.close();
    const whole = await readFile(await newest());
    for (const cut of [1, 5, 9, 40]) {
      await writeFile(await newest(), whole.subarray(0, whole.length - cut));
      const again = await open();
      expect((await again.read("s/n/1")).map(({ decision }) => decision)).toEqual([4, 1]);
      await again.close();
    }
  });

  it("refuses damage in the middle, names the file, and leaves it as it is", async () => {
    const journal = await open();
    for (let n = 0; n < 6; n++) await journal.record(entry(n));
    await journal.close();
    const path = await newest();
    const bytes = await readFile(path);
    bytes[Math.floor(bytes.length / 2)]! ^= 0xff;
    await writeFile(path, bytes);
    const error = await open().catch((e: unknown) => e);
    expect(codeOf(error)).toBe("DataLoss");
    expect(String(error)).toContain(path);
    expect((await readFile(path)).equals(bytes)).toBe(true);
  });

  it("rolls segments and forgets the oldest, keeping every remaining entry's state", async () => {
    const journal = await open({ segmentBytes: 2_000, retention: { segments: 3 } });
    for (let n = 0; n < 60; n++) await journal.record(entry(n));
    expect((await readdir(dir)).length).toBeLessThanOrEqual(3);
    const entries = (await Promise.all([0, 1, 2].map((s) => journal.read(`s/n/${s}`)))).flat();
    expect(entries.length).toBeLessThan(60);
    for (const { stateDigest, decision } of entries)
      expect(await journal.state(stateDigest ?? "")).toMatchObject({ n: decision });
    await journal.close();
  });

  it("starts in an empty file, as after a crash at creation", async () => {
    await appendFile(join(dir, "0000000001.journal"), "");
    await truncate(join(dir, "0000000001.journal"), 0);
    const journal = await open();
    await journal.record(entry(1));
    expect(await journal.read("s/n/1")).toHaveLength(1);
    await journal.close();
  });

  it("drops a torn end that is whole lines of nonsense, and goes on behind it", async () => {
    const first = await open();
    await first.record(entry(1));
    await first.close();
    await appendFile(await newest(), "00000000 {}\n0123");
    const second = await open();
    await second.record(entry(4));
    await second.close();
    const third = await open();
    expect((await third.read("s/n/1")).map(({ decision }) => decision)).toEqual([4, 1]);
    await third.close();
  });

  it("refuses records after it is closed", async () => {
    const journal = await open();
    await journal.close();
    await expect(journal.record(entry(1))).rejects.toThrow("the journal is closed");
  });
});
