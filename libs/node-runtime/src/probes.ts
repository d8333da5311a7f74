import { type Clock, sleep } from "@tiphys/clock";

// biome-ignore lint/suspicious/noExplicitAny: probes as the API gives them
export type ProbeSpec = Record<string, any>;

export interface ProbeHooks {
  /** Undefined when the check passed, else why it did not. */
  check(probe: ProbeSpec, timeoutMs: number): Promise<string | undefined>;
  /** The startup probe passed (called at once when there is none). */
  started(): void;
  ready(ready: boolean): void;
  /** Liveness or startup failed often enough: the container has to be restarted. */
  unhealthy(reason: string): void;
  /** One check failed, for events. */
  failed(kind: ProbeKind, message: string): void;
}

export type ProbeKind = "Startup" | "Liveness" | "Readiness";

interface Probes {
  readonly startupProbe?: ProbeSpec;
  readonly livenessProbe?: ProbeSpec;
  readonly readinessProbe?: ProbeSpec;
}

/** First pause between checks of something that has not answered yet; a process starts in far less than a period. */
const EAGER_MS = 50;

/** Runs a container's probes until `signal` fires. Until the first success they ask more often, but count per period. */
export function runProbes(
  container: Probes,
  hooks: ProbeHooks,
  clock: Clock,
  signal: AbortSignal,
  { eager = true }: { readonly eager?: boolean } = {},
): void {
  const afterStart = () => {
    if (signal.aborted) return;
    hooks.started();
    const { readinessProbe, livenessProbe } = container;
    if (readinessProbe) {
      loop("Readiness", readinessProbe, hooks, clock, signal, eager, {
        passed: () => hooks.ready(true),
        failed: () => hooks.ready(false),
      });
    } else hooks.ready(true);
    if (livenessProbe) {
      loop("Liveness", livenessProbe, hooks, clock, signal, eager, {
        passed() {},
        failed: () => hooks.unhealthy("Container failed liveness probe, will be restarted"),
      });
    }
  };
  const { startupProbe } = container;
  if (!startupProbe) {
    afterStart();
    return;
  }
  const done = new AbortController();
  signal.addEventListener("abort", () => done.abort(), { once: true });
  loop("Startup", startupProbe, hooks, clock, done.signal, eager, {
    passed() {
      done.abort();
      afterStart();
    },
    failed() {
      done.abort();
      hooks.unhealthy("Container failed startup probe, will be restarted");
    },
  });
}

function loop(
  kind: ProbeKind,
  probe: ProbeSpec,
  hooks: ProbeHooks,
  clock: Clock,
  signal: AbortSignal,
  eager: boolean,
  outcome: { passed(): void; failed(): void },
): void {
  const period = (probe["periodSeconds"] ?? 10) * 1000;
  const timeout = (probe["timeoutSeconds"] ?? 1) * 1000;
  const run = async () => {
    await sleep(clock, (probe["initialDelaySeconds"] ?? 0) * 1000, signal);
    let everPassed = kind === "Liveness" || !eager;
    let pause = EAGER_MS;
    let successes = 0;
    let failures = 0;
    let counted = Number.NEGATIVE_INFINITY;
    while (!signal.aborted) {
      const problem = await hooks.check(probe, timeout);
      if (signal.aborted) return;
      if (problem === undefined) {
        failures = 0;
        if (++successes >= (probe["successThreshold"] ?? 1)) {
          everPassed = true;
          outcome.passed();
        }
      } else {
        successes = 0;
        // Eager checks between two periods are a courtesy, not part of the failure threshold.
        if (everPassed || clock.monotonic() - counted >= period) {
          counted = clock.monotonic();
          failures++;
          hooks.failed(kind, problem);
        }
        if (failures >= (probe["failureThreshold"] ?? 3)) {
          failures = 0;
          outcome.failed();
        }
      }
      await sleep(clock, everPassed ? period : Math.min(pause, period), signal);
      pause *= 1.5;
    }
  };
  run().catch(() => {});
}
