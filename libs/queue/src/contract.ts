import { InvalidArgumentError } from "@tiphys/errors";
import { eventually } from "@tiphys/testing";
import type { Queue } from "./queue.js";

interface Job {
  readonly text: string;
}

/** What every queue has to do. `make` opens the same queue again after a close. */
export function queueContract(
  name: string,
  make: () => Promise<{ open(): Promise<Queue<Job>>; dispose(): Promise<void> }>,
): void {
  describe(`the ${name} queue`, () => {
    let place: Awaited<ReturnType<typeof make>>;
    beforeEach(async () => {
      place = await make();
    });
    afterEach(() => place.dispose());

    it("runs each job once, and one id is one job", async () => {
      const queue = await place.open();
      const seen: string[] = [];
      await queue.add("a:1", { text: "first" });
      await queue.add("a:1", { text: "again" });
      await queue.add("b", { text: "second" });
      await queue.process(async ({ text }) => void seen.push(text));
      await eventually(() => seen.length === 2);
      expect(seen.sort()).toEqual(["first", "second"]);
      await eventually(async () => (await queue.counts()).waiting + (await queue.counts()).running === 0);
      await queue.close();
    });

    it("keeps jobs over a restart", async () => {
      const before = await place.open();
      await before.add("kept", { text: "kept" });
      await before.close();
      const after = await place.open();
      const seen: string[] = [];
      await after.process(async ({ text }) => void seen.push(text));
      await eventually(() => seen.length === 1);
      await after.close();
    });

    it("tries a failed job again, and gives up after its attempts", async () => {
      const queue = await place.open();
      const attempts: number[] = [];
      await queue.process(async (_job, attempt) => {
        attempts.push(attempt);
        throw new Error("not today");
      });
      await queue.add("stubborn", { text: "x" });
      await eventually(async () => (await queue.failed()).length === 1);
      expect(attempts).toEqual([1, 2, 3]);
      expect(await queue.failed()).toEqual([{ id: "stubborn", job: { text: "x" }, error: "not today" }]);
      await queue.close();
    });

    it("does not repeat a job whose failure is terminal", async () => {
      const queue = await place.open();
      let runs = 0;
      await queue.process(async () => {
        runs++;
        throw new InvalidArgumentError("text", "is wrong");
      });
      await queue.add("wrong", { text: "x" });
      await eventually(async () => (await queue.failed()).length === 1);
      expect(runs).toBe(1);
      await queue.close();
    });

    it("holds a delayed job back", async () => {
      const queue = await place.open();
      await queue.add("later", { text: "x" }, { runAt: new Date(Date.now() + 3_600_000) });
      await queue.process(async () => {
        throw new Error("too early");
      });
      expect(await queue.counts()).toMatchObject({ delayed: 1, running: 0, failed: 0 });
      await queue.close();
    });
  });
}
