import { virtualClock } from "@tiphys/clock";
import { runProbes } from "./probes.js";

describe("probes", () => {
  const start = (container: object, answer: (kind: string, at: number) => boolean) => {
    const clock = virtualClock(new Date(0));
    const seen: string[] = [];
    const stop = new AbortController();
    const say = (text: string) => seen.push(`${clock.monotonic() / 1000}s ${text}`);
    runProbes(
      container,
      {
        check: async (probe) => (answer(probe["id"], clock.monotonic() / 1000) ? undefined : "no"),
        started: () => say("started"),
        ready: (ready) => say(ready ? "ready" : "not ready"),
        unhealthy: (reason) => say(reason),
        failed() {},
      },
      clock,
      stop.signal,
    );
    return { clock, seen, stop };
  };

  it("without probes is started and ready at once", () => {
    expect(start({}, () => true).seen).toEqual(["0s started", "0s ready"]);
  });

  it("asks often until the first success, then once a period", async () => {
    const { clock, seen, stop } = start({ readinessProbe: { id: "r", periodSeconds: 10 } }, (_, at) => at >= 0.4);
    await clock.advance(25_000);
    stop.abort();
    expect(seen[0]).toBe("0s started");
    const times = seen.slice(1).map((text) => Number.parseFloat(text));
    expect(times[0]).toBeGreaterThanOrEqual(0.4);
    expect(times[0]).toBeLessThan(0.8);
    expect(times).toHaveLength(3);
  });

  it("takes the pod out after failureThreshold failures", async () => {
    const { clock, seen, stop } = start(
      { readinessProbe: { id: "r", periodSeconds: 1, failureThreshold: 2 } },
      (_, at) => at < 2.5,
    );
    await clock.advance(4500);
    stop.abort();
    expect(seen.filter((text) => text.endsWith("not ready"))).toEqual(["4s not ready"]);
  });

  it("waits with readiness and liveness for the startup probe, and gives a startup its whole time", async () => {
    const container = {
      startupProbe: { id: "s", periodSeconds: 1, failureThreshold: 5 },
      livenessProbe: { id: "l", periodSeconds: 1, failureThreshold: 1 },
    };
    const { clock, seen, stop } = start(container, (kind, at) => kind === "s" && at >= 3);
    await clock.advance(3500);
    stop.abort();
    expect(seen[0]).toMatch(/^3(\.\d+)?s started$/);
    expect(seen.at(-1)).toMatch(/liveness/);
  });

  it("restarts what never starts", async () => {
    const { clock, seen, stop } = start(
      { startupProbe: { id: "s", periodSeconds: 1, failureThreshold: 3 } },
      () => false,
    );
    await clock.advance(5000);
    stop.abort();
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatch(/^[23](\.\d+)?s Container failed startup probe/);
  });
});
