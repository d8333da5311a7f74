import { sleep, virtualClock } from "./index.js";

const start = new Date("2026-01-01T00:00:00Z");

it("runs timers in order of time and then of arming", async () => {
  const clock = virtualClock(start);
  const seen: string[] = [];
  clock.at(new Date(start.getTime() + 20), () => seen.push("late"));
  clock.at(new Date(start.getTime() + 10), () => seen.push("early"));
  clock.at(new Date(start.getTime() + 10), () => seen.push("early too"));
  await clock.advance(15);
  expect(seen).toEqual(["early", "early too"]);
  await clock.advance(15);
  expect(seen).toEqual(["early", "early too", "late"]);
});

it("does not advance while tracked work is running", async () => {
  const clock = virtualClock(start);
  let finish = () => {};
  const work = clock.track(new Promise<void>((resolve) => (finish = resolve)));
  let advanced = false;
  const advancing = clock.advance(1000).then(() => (advanced = true));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(advanced).toBe(false);
  finish();
  await work;
  await advancing;
  expect(clock.now().getTime()).toBe(start.getTime() + 1000);
});

it("passes days in no time", async () => {
  const clock = virtualClock(start);
  let days = 0;
  void clock.track(Promise.resolve()).then(async () => {
    for (; days < 30; days++) await sleep(clock, 86_400_000);
  });
  await clock.runUntil(() => days === 30, 31 * 86_400_000);
  expect(clock.now().toISOString()).toBe("2026-01-31T00:00:00.000Z");
});

it("says so when nothing is scheduled and the goal is out of reach", async () => {
  await expect(virtualClock(start).runUntil(() => false, 1000)).rejects.toThrow("stands still");
});

it("ends a sleep when its signal aborts, and disarms the timer", async () => {
  const clock = virtualClock(start);
  const abort = new AbortController();
  const sleeping = sleep(clock, 1000, abort.signal);
  abort.abort(new Error("stopped"));
  await expect(sleeping).rejects.toThrow("stopped");
  expect(clock.pending()).toBe(0);
});
