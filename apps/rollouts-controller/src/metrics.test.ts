import type { CacheChange, Informer } from "@tiphys/kube";
import { type KubeObject, types } from "@tiphys/resources";
import type { Labels, Metrics } from "@tiphys/telemetry";
import { observeRollouts, passMetrics } from "./metrics.js";
import { reportNotifications } from "./notifications.js";

/** Metrics that keep what they are told, as `name{labels} value`. */
function recorded(): { metrics: Metrics; told: string[] } {
  const told: string[] = [];
  const tell = (name: string) => (labels: Labels | undefined, value: number) =>
    void told.push(`${name}{${Object.values(labels ?? {}).join(",")}} ${value}`);
  return {
    told,
    metrics: {
      counter: (name) => ({ add: (labels, value = 1) => tell(name)(labels, value) }),
      gauge: (name) => ({ set: (value, labels) => tell(name)(labels, value), remove() {} }),
      histogram: (name) => ({ observe: (value, labels) => tell(name)(labels, value) }),
      expose: async () => "",
    },
  };
}

function cache(stored: KubeObject[] = []): { informer: Informer; tell(change: CacheChange): void } {
  const handlers = new Set<(change: CacheChange) => void>();
  return {
    tell: (change) => {
      for (const handler of handlers) handler(change);
    },
    informer: {
      resource: types.rollouts,
      get: () => undefined,
      list: () => stored,
      byIndex: () => [],
      onChange(handler) {
        handlers.add(handler);
        return () => void handlers.delete(handler);
      },
      synced: Promise.resolve(),
    },
  };
}

const rollout = (duration: object | undefined, annotations: Record<string, string> = {}): KubeObject => ({
  apiVersion: "argoproj.io/v1alpha1",
  kind: "Rollout",
  metadata: { name: "web", namespace: "shop", annotations },
  spec: { strategy: { canary: {} } },
  status: { phase: "Healthy", ...(duration ? { duration } : {}) },
});

it.each([
  {
    why: "the end of an update tells its length and what of it waited for a person",
    before: { rolloutStartedAt: "2026-01-01T00:00:00Z" },
    after: {
      rolloutStartedAt: "2026-01-01T00:00:00Z",
      totalManualPauseDurationSeconds: 40,
      finishedAt: "2026-01-01T00:01:40Z",
      completionStatus: "Promoted",
    },
    want: [
      "rollout_duration_seconds{shop,web,Promoted} 100",
      "rollout_progression_duration_seconds{shop,web,Promoted} 60",
      "rollout_manual_pause_duration_seconds{shop,web,Promoted} 40",
    ],
  },
  {
    why: "an update that another one replaces is superseded",
    before: { rolloutStartedAt: "2026-01-01T00:00:00Z" },
    after: { rolloutStartedAt: "2026-01-01T00:00:30Z" },
    want: [
      "rollout_duration_seconds{shop,web,Superseded} 30",
      "rollout_progression_duration_seconds{shop,web,Superseded} 30",
      "rollout_manual_pause_duration_seconds{shop,web,Superseded} 0",
    ],
  },
  {
    why: "what is over is told once",
    before: { rolloutStartedAt: "2026-01-01T00:00:00Z", finishedAt: "2026-01-01T00:01:40Z" },
    after: { rolloutStartedAt: "2026-01-01T00:05:00Z" },
    want: [],
  },
])("$why", ({ before, after, want }) => {
  const { metrics, told } = recorded();
  const rollouts = cache();
  observeRollouts(metrics, rollouts.informer, cache().informer);
  rollouts.tell({ type: "modified", object: rollout(after), previous: rollout(before) });
  expect(told.filter((line) => line.includes("_seconds"))).toEqual(want);
});

it("tells every pass under the original's names", () => {
  const { metrics, told } = recorded();
  const pass = passMetrics(metrics, "analysis_run");
  pass({ namespace: "shop", name: "run" }, 0.25, false);
  pass({ namespace: "shop", name: "run" }, 0.5, true);
  expect(told).toEqual([
    "analysis_run_reconcile{shop,run} 0.25",
    "analysis_run_reconcile{shop,run} 0.5",
    "analysis_run_reconcile_error{shop,run} 1",
  ]);
});

it("says of a Rollout that subscribes to notifications that none are sent, once per change", () => {
  const subscribed = (value: string) =>
    rollout(undefined, { "notifications.argoproj.io/subscribe.on-rollout-completed.slack": value });
  const rollouts = cache([subscribed("a")]);
  const said: string[] = [];
  const end = reportNotifications(rollouts.informer, (_, type, reason, message) =>
    said.push(`${type} ${reason} ${message}`),
  );
  rollouts.tell({ type: "modified", object: subscribed("b") });
  expect(said).toEqual([
    "Warning NotificationsNotSent notifications are not implemented yet: nothing is sent for on-rollout-completed.slack; see docs/compatibility.md",
  ]);
  rollouts.tell({ type: "modified", object: rollout(undefined) });
  rollouts.tell({ type: "modified", object: subscribed("a") });
  expect(said).toHaveLength(2);
  end();
});
