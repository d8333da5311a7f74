import { messageOf } from "@tiphys/errors";
import { goDuration, type SourceEvent } from "@tiphys/eventing";
import { newChange } from "@tiphys/identity";
import { eventId } from "./signature.js";
import type { SourceContext } from "./source.js";
import { compileSourceFilter } from "./webhook-source.js";

/** Go's time format, in UTC. */
const goTime = (at: Date) => `${at.toISOString().slice(0, 19).replace("T", " ")} +0000 UTC`;

/**
 * Sends an event at every multiple of the interval; the tick's time makes its id, so two gateways send one event.
 * The returned function ends it.
 */
export function startCalendar(event: SourceEvent, source: SourceContext): () => void {
  const { clock } = source;
  const interval = goDuration(event.spec.interval, "interval");
  const passes = compileSourceFilter(event.spec.filter);
  let cancel = () => {};

  const arm = () => {
    const next = new Date((Math.floor(clock.now().getTime() / interval) + 1) * interval);
    cancel = clock.at(next, () => {
      arm();
      void clock.track(send(next)).catch((error: unknown) => {
        source.log.error("calendar event was not stored", { event: event.name, error: messageOf(error) });
      });
    });
  };

  const send = async (at: Date) => {
    const data = { eventTime: goTime(at), ...(event.spec.metadata ? { metadata: event.spec.metadata } : {}) };
    if (!passes(data)) return;
    const tick = at.toISOString();
    await source.deliver({
      event: {
        id: eventId(source.namespace, source.eventSource, event.name, "tick", tick),
        source: source.eventSource,
        type: "calendar",
        subject: event.name,
        time: at,
        datacontenttype: "application/json",
        data,
      },
      change: newChange(clock.now(), source.random),
      deliveryId: tick,
      once: true,
    });
  };

  arm();
  return () => cancel();
}
