import type { Metrics } from "@tiphys/telemetry";

const MILLISECONDS = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000];
const event = ["namespace", "eventsource_name", "event_name"] as const;
const trigger = ["namespace", "sensor_name", "trigger_name"] as const;

/** The metrics of Argo Events under their names; durations are histograms here, so that quantiles can be had. */
export const createMeters = (metrics: Metrics) => ({
  running: metrics.gauge("argo_events_event_service_running_total", "Event names that are being listened for.", [
    "namespace",
    "eventsource_name",
  ]),
  sent: metrics.counter("argo_events_events_sent_total", "Events stored on the bus.", event),
  sentFailed: metrics.counter("argo_events_events_sent_failed_total", "Events the bus did not take.", event),
  processingFailed: metrics.counter(
    "argo_events_events_processing_failed_total",
    "Events that could not be taken in, for whatever reason.",
    event,
  ),
  processing: metrics.histogram(
    "argo_events_event_processing_duration_milliseconds",
    "From the verified request to the bus' answer.",
    event,
    MILLISECONDS,
  ),
  triggered: metrics.counter("argo_events_action_triggered_total", "Triggers that ran with success.", trigger),
  failed: metrics.counter("argo_events_action_failed_total", "Tries of triggers that failed.", trigger),
  retriesFailed: metrics.counter("argo_events_action_retries_failed_total", "Triggers that failed for good.", trigger),
  duration: metrics.histogram(
    "argo_events_action_duration_milliseconds",
    "One try of a trigger.",
    trigger,
    MILLISECONDS,
  ),
});

export type Meters = ReturnType<typeof createMeters>;
