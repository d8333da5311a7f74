import { ageColumn, crd } from "./argo-schema.js";
import { eventBusSpec, eventsStatus } from "./events-schema.js";

export const eventBusCrd = crd({
  kind: "EventBus",
  plural: "eventbus",
  singular: "eventbus",
  shortNames: ["eb"],
  subresources: { status: {} },
  columns: [
    { jsonPath: '.status.conditions[?(@.type=="Ready")].status', name: "Ready", type: "string" },
    { jsonPath: '.status.conditions[?(@.status=="False")].message', name: "Message", type: "string", priority: 1 },
    ageColumn,
  ],
  properties: { spec: eventBusSpec, status: eventsStatus },
  required: ["spec"],
});
