import { ageColumn, crd } from "./argo-schema.js";
import { eventsStatus, sensorSpec } from "./events-schema.js";

export const sensorCrd = crd({
  kind: "Sensor",
  plural: "sensors",
  singular: "sensor",
  shortNames: ["sn"],
  subresources: { status: {} },
  columns: [
    { jsonPath: '.status.conditions[?(@.type=="Ready")].status', name: "Ready", type: "string" },
    { jsonPath: '.status.conditions[?(@.status=="False")].message', name: "Message", type: "string", priority: 1 },
    ageColumn,
  ],
  properties: { spec: sensorSpec, status: eventsStatus },
  required: ["spec"],
});
