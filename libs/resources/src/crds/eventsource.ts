import { ageColumn, crd } from "./argo-schema.js";
import { eventSourceSpec, eventsStatus } from "./events-schema.js";

export const eventSourceCrd = crd({
  kind: "EventSource",
  plural: "eventsources",
  singular: "eventsource",
  shortNames: ["es"],
  subresources: { status: {} },
  columns: [
    { jsonPath: '.status.conditions[?(@.type=="Ready")].status', name: "Ready", type: "string" },
    { jsonPath: '.status.conditions[?(@.status=="False")].message', name: "Message", type: "string", priority: 1 },
    ageColumn,
  ],
  properties: { spec: eventSourceSpec, status: eventsStatus },
  required: ["spec"],
});
