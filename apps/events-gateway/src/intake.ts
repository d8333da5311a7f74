import { encodeEvent, eventSubject } from "@tiphys/eventing";
import { CHANGE_HEADER, TRACEPARENT_HEADER } from "@tiphys/identity";
import type { Delivery, DeliveryResult } from "@tiphys/sources";
import type { EventsGatewayDeps } from "./deps.js";
import type { Meters } from "./meters.js";
import { pruneOldest } from "./prune.js";

/** Deliveries remembered; the oldest tenth goes when there are more. */
const MOST_SEEN = 50_000;
const SEEN = "seen/";

interface Seen {
  /** Delivery id of the first one. */
  readonly delivery: string;
  readonly at: string;
}

/** Puts verified events on the bus, each once, however often the sender or an attacker sends it. */
export function createIntake(deps: EventsGatewayDeps, meters: Meters) {
  const { bus, state, clock } = deps;

  return async (namespace: string, busName: string, delivery: Delivery): Promise<DeliveryResult> => {
    const { event, change, deliveryId = "", once } = delivery;
    const labels = { namespace, eventsource_name: event.source, event_name: event.subject };
    const key = SEEN + event.id;
    const seen = once ? state.get<Seen>(key) : undefined;
    if (seen) return seen.delivery === deliveryId ? "duplicate" : "replayed";
    const started = clock.monotonic();
    try {
      await bus.append(eventSubject(namespace, busName, event.source, event.subject), event.id, encodeEvent(event), {
        [CHANGE_HEADER]: change.id,
        ...(change.traceparent ? { [TRACEPARENT_HEADER]: change.traceparent } : {}),
      });
    } catch (error) {
      meters.sentFailed.add(labels);
      meters.processingFailed.add(labels);
      throw error;
    }
    deps.killPoint?.("stored");
    if (once) {
      // After the bus, so that a crash in between loses nothing: the bus itself knows the id for its window.
      const record: Seen = { delivery: deliveryId, at: clock.now().toISOString() };
      await state.write([[key, record]]);
      await pruneOldest(state, SEEN, MOST_SEEN);
    }
    deps.killPoint?.("seen");
    meters.sent.add(labels);
    meters.processing.observe(clock.monotonic() - started, labels);
    deps.onFact?.({
      kind: "EventSource",
      namespace,
      name: event.source,
      code: "EventAccepted",
      message: `event ${event.subject} ${event.id}`,
      at: clock.now(),
      change: change.id,
    });
    return "stored";
  };
}
