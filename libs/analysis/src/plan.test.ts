import type { AnalysisRun, AnalysisRunSpec, Metric } from "@tiphys/resources";
import { foldOutcomes, planAnalysisRun, type TaskOutcome } from "./plan.js";

const START = Date.parse("2026-01-01T00:00:00Z");
const web = { web: { url: "http://metrics/rate" } };
const metric = (over: Partial<Metric> = {}): Metric => ({
  name: "rate",
  successCondition: "result < 0.05",
  provider: web,
  ...over,
});

/** A run whose provider gives the listed answers, one per measurement, until it is finished. */
function drive(
  spec: Partial<AnalysisRunSpec> & { metrics: Metric[] },
  answers: (number | "error" | "running")[],
  limit = 50,
) {
  let now = new Date(START);
  let run: AnalysisRun = {
    apiVersion: "argoproj.io/v1alpha1",
    kind: "AnalysisRun",
    metadata: { name: "r", namespace: "shop", uid: "u" },
    spec,
  };
  const times: number[] = [];
  const queue = [...answers];
  for (let turn = 0; turn < limit; turn++) {
    const plan = planAnalysisRun(run, now);
    const outcomes = plan.tasks.map((task): TaskOutcome => {
      if (task.kind === "terminate") return { ok: true };
      times.push((now.getTime() - START) / 1000);
      const answer = queue.shift() ?? 0;
      if (answer === "error") return { ok: false, error: new Error("connection refused") };
      return { ok: true, result: answer === "running" ? { kind: "running" } : { kind: "value", value: answer } };
    });
    const folded = plan.tasks.length > 0 ? foldOutcomes(run, plan, outcomes, now, now) : plan;
    run = { ...run, status: folded.status };
    if (run.status?.completedAt) break;
    const next = folded.lookAgainAt;
    if (!next) break;
    now = next > now ? next : now;
  }
  return { run, times, result: run.status?.metricResults?.[0] };
}

describe("an analysis run", () => {
  it("measures once without interval and succeeds", () => {
    const { run, times } = drive({ metrics: [metric()] }, [0.01]);
    expect(times).toEqual([0]);
    expect(run.status).toMatchObject({
      phase: "Successful",
      startedAt: "2026-01-01T00:00:00Z",
      completedAt: "2026-01-01T00:00:00Z",
      runSummary: { count: 1, successful: 1 },
      metricResults: [
        {
          name: "rate",
          phase: "Successful",
          count: 1,
          successful: 1,
          consecutiveSuccess: 1,
          measurements: [{ phase: "Successful", value: "0.01" }],
        },
      ],
    });
  });

  it("fails at the first failure beyond its limit and says why", () => {
    const { run, times } = drive({ metrics: [metric({ interval: "1m", count: 5 })] }, [0.01, 0.5]);
    expect(times).toEqual([0, 60]);
    expect(run.status).toMatchObject({
      phase: "Failed",
      message: 'Metric "rate" assessed Failed due to failed (1) > failureLimit (0)',
    });
  });

  it.each<[string, Partial<Metric>, (number | "error")[], string, number[]]>([
    ["keeps its interval and count", { interval: "30s", count: 3 }, [0, 0, 0], "Successful", [0, 30, 60]],
    ["waits for its initial delay", { initialDelay: "5m" }, [0], "Successful", [300]],
    [
      "bears failures up to the limit",
      { interval: "1s", count: 3, failureLimit: 2 },
      [1, 1, 0],
      "Successful",
      [0, 1, 2],
    ],
    [
      "never fails when the limit is -1",
      { interval: "1s", count: 3, failureLimit: -1 },
      [1, 1, 1],
      "Successful",
      [0, 1, 2],
    ],
    [
      "tries again 10 s after an error, not counting it",
      { interval: "1h", count: 1 },
      ["error", "error", 0],
      "Successful",
      [0, 10, 20],
    ],
    [
      "gives up after five errors in a row",
      {},
      ["error", "error", "error", "error", "error"],
      "Error",
      [0, 10, 20, 30, 40],
    ],
    [
      "stops early after enough successes in a row",
      { interval: "1s", count: 9, failureLimit: 3, consecutiveSuccessLimit: 2 },
      [1, 0, 0],
      "Successful",
      [0, 1, 2],
    ],
    [
      "is inconclusive when the successes never came in a row",
      { interval: "1s", count: 4, failureLimit: 2, consecutiveSuccessLimit: 2 },
      [0, 1, 0, 1],
      "Inconclusive",
      [0, 1, 2, 3],
    ],
    [
      "is inconclusive when both conditions are false",
      { failureCondition: "result > 0.5" },
      [0.2],
      "Inconclusive",
      [0],
    ],
    [
      "is an error when a condition cannot be evaluated",
      { successCondition: "result[0] < 1", consecutiveErrorLimit: 0 },
      [1],
      "Error",
      [0],
    ],
  ])("%s", (_name, over, answers, phase, times) => {
    const end = drive({ metrics: [metric(over)] }, answers);
    expect(end.run.status?.phase).toBe(phase);
    expect(end.times).toEqual(times);
  });

  it("names the last error", () => {
    const { run } = drive({ metrics: [metric({ consecutiveErrorLimit: 0 })] }, ["error"]);
    expect(run.status?.message).toBe(
      'Metric "rate" assessed Error due to consecutiveErrors (1) > consecutiveErrorLimit (0): "Error Message: connection refused"',
    );
  });

  it("goes on without end when only an interval is given, and keeps the last ten measurements", () => {
    const { result, times } = drive({ metrics: [metric({ interval: "1s" })] }, [], 30);
    expect(times).toHaveLength(30);
    expect(result?.measurements).toHaveLength(10);
    expect(result?.count).toBe(30);
  });

  it("keeps as many measurements as measurementRetention says", () => {
    const { result } = drive(
      { metrics: [metric({ interval: "1s" })], measurementRetention: [{ metricName: "ra.*", limit: 3 }] },
      [],
      30,
    );
    expect(result?.measurements).toHaveLength(3);
  });

  it("ends the other metrics when one fails", () => {
    const { run } = drive({ metrics: [metric(), metric({ name: "slow", interval: "1h", count: 5 })] }, [1, 0]);
    expect(run.status?.phase).toBe("Failed");
    expect(run.status?.metricResults?.map((result) => result.phase)).toEqual(["Failed", "Successful"]);
  });

  it("lets dry-run metrics fail without consequence", () => {
    const { run } = drive({ metrics: [metric(), metric({ name: "other" })], dryRun: [{ metricName: "rate" }] }, [1, 0]);
    expect(run.status).toMatchObject({
      phase: "Successful",
      dryRunSummary: { count: 1, failed: 1 },
      runSummary: { count: 1, successful: 1 },
    });
  });

  it("is successful when it is terminated before any measurement, and ends what is running", () => {
    const none = drive({ metrics: [metric({ initialDelay: "1h" })], terminate: true }, []);
    expect(none.run.status?.phase).toBe("Successful");
    expect(none.times).toEqual([]);
    const running = drive({ metrics: [metric()] }, ["running"]);
    expect(running.run.status?.phase).toBe("Running");
    const plan = planAnalysisRun({ ...running.run, spec: { ...running.run.spec, terminate: true } }, new Date(START));
    expect(plan.tasks).toEqual([{ kind: "terminate", metric: "rate", number: 1 }]);
  });

  it.each<[string, Metric[], string]>([
    [
      "count without interval",
      [metric({ count: 2 })],
      "spec.metrics[0].interval: is required when count is more than 1",
    ],
    ["two metrics of one name", [metric(), metric()], 'spec.metrics[1].name: "rate" is used twice'],
    [
      "no provider",
      [metric({ provider: {} })],
      "spec.metrics[0].provider: no provider is set; set one, such as web or job",
    ],
    [
      "a provider to come",
      [metric({ provider: { datadog: {} } })],
      "spec.metrics[0].provider.datadog: the datadog metric provider is not implemented yet: see docs/compatibility.md",
    ],
    [
      "an undeclared arg",
      [metric({ successCondition: "result < {{args.most}}" })],
      "metrics.rate.successCondition: uses args.most, which is not declared",
    ],
    [
      "a bad interval",
      [metric({ interval: "often" })],
      'spec.metrics[0].interval: "often" is no duration; write it like 1m30s',
    ],
  ])("is refused for %s", (_name, metrics, message) => {
    const { run, times } = drive({ metrics }, []);
    expect(run.status).toMatchObject({ phase: "Error", message: `Analysis spec invalid: ${message}` });
    expect(times).toEqual([]);
  });

  it("is refused for an arg without a value", () => {
    const { run } = drive({ metrics: [metric()], args: [{ name: "x" }] }, []);
    expect(run.status?.message).toBe(
      "Analysis spec invalid: args.x: has no value: give value or valueFrom.secretKeyRef",
    );
  });

  it("uses plain args in limits and conditions", () => {
    const metrics = [
      metric({
        successCondition: "result < {{args.most}}",
        failureLimit: "{{ args.limit }}",
        interval: "1s",
        count: 3,
      }),
    ];
    const { run } = drive(
      {
        metrics,
        args: [
          { name: "most", value: "0.5" },
          { name: "limit", value: "1" },
        ],
      },
      [0.9, 0.1, 0.1],
    );
    expect(run.status?.phase).toBe("Successful");
  });

  it("outlives its end by its ttlStrategy", () => {
    const { run } = drive({ metrics: [metric()], ttlStrategy: { secondsAfterCompletion: 60 } }, [0]);
    expect(planAnalysisRun(run, new Date(START + 59_000))).toMatchObject({
      expired: false,
      lookAgainAt: new Date(START + 60_000),
    });
    expect(planAnalysisRun(run, new Date(START + 60_000)).expired).toBe(true);
  });
});
