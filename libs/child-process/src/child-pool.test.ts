import { fileURLToPath } from "node:url";
import { silentLogger } from "@tiphys/telemetry";
import { type ChildPool, createChildPool } from "./child-pool.js";

interface Answer {
  echo: unknown;
  pid: number;
}

describe("child pool", () => {
  let pool: ChildPool<object, Answer>;
  const create = (size: number, recycleAfter?: number) =>
    createChildPool<object, Answer>({
      entry: { path: fileURLToPath(new URL("./testing/worker.mjs", import.meta.url)) },
      size,
      heapMb: 64,
      rssMb: 400,
      deadlineMs: 10_000,
      maxOutputBytes: 1_000_000,
      log: silentLogger,
      ...(recycleAfter === undefined ? {} : { recycleAfter }),
    });
  afterEach(() => pool.stop());

  it.each([
    { bomb: "heap", error: "LimitExceededError", says: "64 MiB of heap" },
    { bomb: "buffers", error: "LimitExceededError", says: "400 MiB of memory" },
    { bomb: "crash", error: "UnavailableError", says: "died (exit code 3): going down" },
    { bomb: "loop", error: "DeadlineExceededError", says: "did not end within 300 ms", deadlineMs: 300 },
  ])("loses only the job that is a $bomb bomb, and answers the next", async ({ bomb, error, says, deadlineMs }) => {
    pool = create(2);
    const bombed = pool.run({ do: bomb }, deadlineMs ? { deadlineMs } : {});
    const beside = pool.run({ do: "echo", value: 1 });
    const failure = await bombed.catch((thrown: Error) => thrown);
    expect(failure).toMatchObject({ name: error, message: expect.stringContaining(says) });
    await expect(beside).resolves.toMatchObject({ echo: 1 });
    await expect(pool.run({ do: "echo", value: 2 })).resolves.toMatchObject({ echo: 2 });
    expect(pool.stats().deaths).toBe(1);
  });

  it("keeps code and field of a child's error", async () => {
    pool = create(1);
    await expect(pool.run({ do: "fail" })).rejects.toMatchObject({
      code: "InvalidArgument",
      message: "values.yaml: bad",
      field: "values.yaml",
    });
  });

  it("refuses an answer above the limit before holding it", async () => {
    pool = create(1);
    await expect(pool.run({ do: "large", bytes: 2_000_000 })).rejects.toThrow("larger than the limit of 1000000");
    await expect(pool.run({ do: "large", bytes: 1000 })).resolves.toHaveLength(1000);
  });

  it("runs jobs in order through few children, and recycles them", async () => {
    pool = create(1, 2);
    const pids = await Promise.all([1, 2, 3].map(async (value) => (await pool.run({ do: "echo", value })).pid));
    expect(pids[0]).toBe(pids[1]);
    expect(pids[2]).not.toBe(pids[0]);
    expect(pool.stats()).toMatchObject({ jobs: 3, deaths: 0, recycled: 1 });
  });

  it("ends a job that its caller no longer wants", async () => {
    pool = create(1);
    const abort = new AbortController();
    const job = pool.run({ do: "loop" }, { signal: abort.signal });
    abort.abort(new Error("not wanted"));
    await expect(job).rejects.toThrow("not wanted");
    await expect(pool.run({ do: "echo", value: 3 })).resolves.toMatchObject({ echo: 3 });
  });
});
