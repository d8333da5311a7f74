import type { Operations } from "../operations.js";
import type { Route } from "../router.js";
import { listOf, selection, watchOf } from "./shapes.js";

/** The paths that Argo Workflows' server has for event sources and sensors. */
export function eventRoutes(operations: Operations): Route[] {
  const kinds = [
    { path: "event-sources", resource: "eventsources", kind: "EventSource" },
    { path: "sensors", resource: "sensors", kind: "Sensor" },
  ];
  return kinds.flatMap(({ path, resource, kind }): Route[] => [
    {
      method: "GET",
      path: `/api/v1/${path}/{namespace}`,
      handler: async (call) => listOf(kind, await operations.list({ resource, ...selection(call) })),
    },
    {
      method: "GET",
      path: `/api/v1/${path}/{namespace}/{name}`,
      handler: ({ params }) => operations.get(resource, params["namespace"], params["name"]),
    },
    {
      method: "GET",
      path: `/api/v1/stream/${path}/{namespace}`,
      handler: (call) => watchOf(operations, resource, call, "object"),
    },
  ]);
}
