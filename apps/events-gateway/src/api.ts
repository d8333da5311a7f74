import type { Bus } from "@tiphys/bus";
import { FailedPreconditionError, NotFoundError } from "@tiphys/errors";
import { type CloudEvent, decodeEvent, eventFilter, parseEventSubject } from "@tiphys/eventing";
import { CHANGE_HEADER } from "@tiphys/identity";
import type { Consumers } from "./consumers.js";
import type { RunRecord, Runs } from "./runs.js";

/** An event as it lies on the bus. */
export interface ListedEvent {
  readonly position: number;
  readonly namespace: string;
  readonly bus: string;
  readonly event: CloudEvent;
  readonly change?: string;
  readonly at: Date;
}

/** Questions and orders to the events gateway. */
export interface EventsApi {
  /** Oldest first; `after` is the position of the last one seen. */
  listEvents(query: {
    namespace?: string;
    eventSource?: string;
    limit?: number;
    after?: number;
  }): Promise<readonly ListedEvent[]>;
  /** Newest first. */
  listRuns(query: {
    namespace?: string;
    sensor?: string;
    trigger?: string;
    state?: RunRecord["state"];
    limit?: number;
  }): Promise<readonly RunRecord[]>;
  /** Tries a run that failed for good once more; resolves to how it went. */
  retryRun(run: { namespace: string; sensor: string; trigger: string; id: string }): Promise<RunRecord>;
}

const DEFAULT_LIMIT = 100;

export function createEventsApi(bus: Bus, runs: Runs, consumers: Consumers): EventsApi {
  const find = (wanted: { namespace: string; sensor: string; trigger: string; id: string }) => {
    for (const [durable, run] of runs.all()) {
      if (run.id !== wanted.id || run.trigger !== wanted.trigger) continue;
      if (run.namespace === wanted.namespace && run.sensor === wanted.sensor) return { durable, run };
    }
    throw new NotFoundError(`run ${wanted.id} of ${wanted.namespace}/${wanted.sensor}/${wanted.trigger} is not known`);
  };
  return {
    async listEvents({ namespace, eventSource, limit = DEFAULT_LIMIT, after }) {
      const filter =
        eventSource === undefined ? eventFilter(namespace) : eventFilter(namespace, undefined, eventSource);
      const stored = await bus.read(filter, { limit, ...(after === undefined ? {} : { after }) });
      return stored.map(({ subject, bytes, headers, position, at }) => {
        const names = parseEventSubject(subject);
        const change = headers[CHANGE_HEADER];
        const event = decodeEvent(bytes);
        return { position, namespace: names.namespace, bus: names.bus, event, at, ...(change ? { change } : {}) };
      });
    },
    async listRuns({ namespace, sensor, trigger, state, limit = DEFAULT_LIMIT }) {
      const found: RunRecord[] = [];
      for (const [, run] of runs.all()) {
        if (namespace !== undefined && run.namespace !== namespace) continue;
        if (sensor !== undefined && run.sensor !== sensor) continue;
        if (trigger !== undefined && run.trigger !== trigger) continue;
        if (state === undefined || run.state === state) found.push(run);
      }
      return found.sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1)).slice(0, limit);
    },
    async retryRun(wanted) {
      const { durable, run } = find(wanted);
      if (run.state !== "failed")
        throw new FailedPreconditionError(`run ${run.id} is ${run.state}: only failed runs are retried`);
      await consumers.retry(durable, run);
      return runs.get(durable, run.id)!;
    },
  };
}
