import type { Clock } from "@tiphys/clock";
import type { CloudEvent } from "@tiphys/eventing";
import type { Change, RandomBytes } from "@tiphys/identity";
import type { KeyRef } from "@tiphys/resources";
import type { Secret } from "@tiphys/secret";
import type { Logger } from "@tiphys/telemetry";

/** What an event source is given by the gateway. */
export interface SourceContext {
  readonly namespace: string;
  /** Name of the EventSource. */
  readonly eventSource: string;
  /** The object's annotations. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  /** A Secret's key as it is now; undefined when it does not exist. */
  secret(ref: KeyRef): Secret | undefined;
  deliver(delivery: Delivery): Promise<DeliveryResult>;
}

/** One verified event on its way to the bus. */
export interface Delivery {
  readonly event: CloudEvent;
  readonly change: Change;
  /** The sender's name for this delivery. */
  readonly deliveryId?: string;
  /** True when the event's id comes from the delivery, so a second one with that id is the same event. */
  readonly once: boolean;
}

/** `replayed`: the same signed content came before under another delivery id. */
export type DeliveryResult = "stored" | "duplicate" | "replayed";
