import type { Clock } from "@tiphys/clock";
import type { Metrics } from "@tiphys/telemetry";

/** Requests that one pod of one Service answered. */
export interface BackendStats {
  readonly namespace: string;
  readonly service: string;
  /** Empty when no endpoint was ready. */
  readonly pod: string;
  /** What sent them there: `namespace/route#rule` of an HTTPRoute, `namespace/name` of an Ingress. */
  readonly route: string;
  /** True: copies by a mirror, whose answers nobody saw. */
  readonly mirrored: boolean;
  readonly requests: number;
  /** Answers of 500 and above, and requests that got none. */
  readonly errors: number;
}

export interface TrafficStats {
  count(
    backend: { namespace: string; service: string; pod: string; route: string; mirrored?: boolean },
    status: number,
  ): void;
  /** Sums since the start, or over the last `seconds` (at most five minutes), by pod and route. */
  read(seconds?: number): readonly BackendStats[];
}

const KEPT_SECONDS = 300;
const KEPT_ROWS = 10_000;

interface Row {
  readonly namespace: string;
  readonly service: string;
  readonly pod: string;
  readonly route: string;
  readonly mirrored: boolean;
  requests: number;
  errors: number;
  recent: { second: number; requests: number; errors: number }[];
}

export function trafficStats(clock: Clock, metrics: Metrics): TrafficStats {
  const rows = new Map<string, Row>();
  const counter = metrics.counter("tiphys_proxy_requests_total", "Requests through the service proxy", [
    "namespace",
    "service",
    "code",
  ]);
  const now = () => Math.floor(clock.now().getTime() / 1000);
  return {
    count({ namespace, service, pod, route, mirrored = false }, status) {
      counter.add({ namespace, service, code: mirrored ? "mirrored" : String(status) });
      const key = JSON.stringify([namespace, service, pod, route, mirrored]);
      const row = rows.get(key) ?? { namespace, service, pod, route, mirrored, requests: 0, errors: 0, recent: [] };
      rows.set(key, row);
      // Pods come and go: those without traffic for long are forgotten, oldest first.
      if (rows.size > KEPT_ROWS) rows.delete(rows.keys().next().value!);
      const error = status >= 500 ? 1 : 0;
      row.requests++;
      row.errors += error;
      const second = now();
      const last = row.recent.at(-1);
      if (last?.second === second) {
        last.requests++;
        last.errors += error;
      } else {
        row.recent.push({ second, requests: 1, errors: error });
        if (row.recent.length > KEPT_SECONDS) row.recent.shift();
      }
    },
    read(seconds) {
      const from = seconds === undefined ? undefined : now() - Math.min(seconds, KEPT_SECONDS);
      return [...rows.values()].map(({ requests, errors, recent, ...place }) => {
        if (from === undefined) return { ...place, requests, errors };
        const window = recent.filter(({ second }) => second >= from);
        const sum = (field: "requests" | "errors") => window.reduce((total, one) => total + one[field], 0);
        return { ...place, requests: sum("requests"), errors: sum("errors") };
      });
    },
  };
}
