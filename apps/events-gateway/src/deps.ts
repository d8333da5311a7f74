import type { Bus, DurableMap } from "@tiphys/bus";
import type { Clock } from "@tiphys/clock";
import type { Dialer } from "@tiphys/dialer";
import type { RandomBytes } from "@tiphys/identity";
import type { Journal } from "@tiphys/journal";
import type { Informers } from "@tiphys/kube";
import type { ObjectKey } from "@tiphys/resources";
import type { Logger, Metrics, Tracer } from "@tiphys/telemetry";

/** The outside world of the events gateway. */
export interface EventsGatewayDeps {
  readonly informers: Informers;
  readonly bus: Bus;
  /** Joins, attempt records and deliveries seen; must be as durable as the bus. */
  readonly state: DurableMap;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Spans of what controllers do, exported where it says. */
  readonly tracer?: Tracer;
  readonly random: RandomBytes;
  readonly dialer: Dialer;
  /** Address that webhook ports listen on; default 127.0.0.1. */
  readonly listenHost?: string;
  readonly owns?: (key: ObjectKey) => boolean;
  /** Told of every event and every run, for viewers. */
  readonly onFact?: (fact: EventsFact) => void;
  /** Crash tests stop the process here; production passes nothing. */
  readonly killPoint?: (name: string) => void;
}

/** Something viewers may care about. */
export interface EventsFact {
  readonly kind: "EventSource" | "Sensor";
  readonly namespace: string;
  readonly name: string;
  /** EventAccepted, TriggerFired, TriggerFailed. */
  readonly code: string;
  readonly message: string;
  readonly at: Date;
  readonly change?: string;
}
