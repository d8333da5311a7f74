import { eventually } from "@tiphys/testing";
import type { Queue, QueueOptions } from "./queue.js";

type Make = (options: Omit<QueueOptions, "name">) => Promise<Queue<{ n: number }>>;

/** One queue that survives closing: `open` may be called again after `close`. */
export interface QueueUnderTest {
  open: Make;
  cleanup(): Promise<void>;
}

/** What every job queue promises; both implementations pass it. */
export function queueContract(make: () => Promise<QueueUnderTest>): void {
  let under: QueueUnderTest;
  let queue: Queue<{ n: number }>;
  const open = async (options: Omit<QueueOptions, "name"> = {}) => {
    queue = await under.open({ attempts: 3, backoff: 5, ...options });
  };
  beforeEach(async () => {
    under = await make();
  });
  afterEach(async () => {
    await queue.close();
    await under.cleanup();
  });

  it("runs jobs that were added before and after the workers start", async () => {
    await open();
    const seen: number[] = [];
    await queue.add("a", { n: 1 });
    await queue.process(async ({ n }) => void seen.push(n));
    await queue.add("b", { n: 2 });
    await eventually(() => seen.length === 2);
    expect(seen).toEqual([1, 2]);
    await eventually(async () => (await queue.counts()).running === 0);
    expect(await queue.counts()).toEqual({ waiting: 0, delayed: 0, running: 0, failed: 0 });
  });

  it("takes a job with the id of a waiting one as the same job", async () => {
    await open();
    const ids = ["deploy:shop/web", "42"];
    for (const id of [...ids, ...ids]) await queue.add(id, { n: 1 });
    expect((await queue.counts()).waiting).toBe(2);
    const seen: number[] = [];
    await queue.process(async ({ n }) => void seen.push(n));
    await eventually(() => seen.length === 2);
    // Done is forgotten: the same id is a new job now.
    await eventually(async () => (await queue.counts()).running === 0);
    await queue.add("42", { n: 3 });
    await eventually(() => seen.length === 3);
  });

  it("tries again with back-off, counting tries, and keeps what failed for good", async () => {
    await open();
    const tries: number[] = [];
    await queue.process(async (_, attempt) => {
      tries.push(attempt);
      throw new Error("no luck");
    });
    await queue.add("a", { n: 1 });
    await eventually(async () => (await queue.failed()).length === 1);
    expect(tries).toEqual([1, 2, 3]);
    expect(await queue.failed()).toEqual([{ id: "a", job: { n: 1 }, error: "no luck" }]);
    // Adding it again gives it new tries.
    await queue.add("a", { n: 2 });
    await eventually(() => tries.length === 6);
  });

  it("waits for runAt", async () => {
    await open();
    const seen: number[] = [];
    await queue.process(async ({ n }) => void seen.push(n));
    await queue.add("later", { n: 2 }, { runAt: new Date(Date.now() + 300) });
    expect((await queue.counts()).delayed).toBe(1);
    await queue.add("now", { n: 1 });
    await eventually(() => seen.length === 2);
    expect(seen).toEqual([1, 2]);
  });

  it("runs no more at once than allowed", async () => {
    await open({ concurrency: 2 });
    let running = 0;
    let most = 0;
    let done = 0;
    for (let n = 0; n < 8; n++) await queue.add(`job-${n}`, { n });
    await queue.process(async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running--;
      done++;
    });
    await eventually(() => done === 8);
    expect(most).toBe(2);
  });

  it("keeps jobs over a restart", async () => {
    await open();
    await queue.add("a", { n: 7 });
    await queue.close();
    await open();
    const seen: number[] = [];
    await queue.process(async ({ n }) => void seen.push(n));
    await eventually(() => seen.length === 1);
    expect(seen).toEqual([7]);
  });
}
