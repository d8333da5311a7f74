import type { Accounts } from "../accounts.js";
import type { History } from "../history.js";
import type { Operations } from "../operations.js";
import type { Route } from "../router.js";
import { applicationRoutes } from "./delivery.js";
import { eventRoutes } from "./events.js";
import { rolloutRoutes } from "./rollouts.js";
import { sessionRoutes } from "./session.js";
import { count, merged, watchOf } from "./shapes.js";
import { workflowRoutes } from "./workflows.js";

/** Every REST route, with the originals' paths where they have one. */
export function routes(operations: Operations, history: History, accounts: Accounts): readonly Route[] {
  return [
    ...sessionRoutes(accounts),
    ...applicationRoutes(operations),
    ...workflowRoutes(operations),
    ...rolloutRoutes(operations),
    ...eventRoutes(operations),
    ...ownRoutes(operations, history),
  ];
}

/** What the originals have no path for. */
function ownRoutes(operations: Operations, history: History): Route[] {
  return [
    {
      method: "GET",
      path: "/api/tiphys/v1/watch/{resource}",
      // One stream for several kinds, since browsers open only six connections to a server over HTTP/1.1.
      async handler(call) {
        const resources = [...new Set((call.params["resource"] ?? "").split(","))];
        const streams = await Promise.all(
          resources.map(async (resource) => {
            const events = await watchOf(operations, resource, call, "object");
            return (async function* () {
              for await (const event of events) yield { resource, ...event };
            })();
          }),
        );
        return merged(streams);
      },
    },
    {
      method: "GET",
      path: "/api/tiphys/v1/explain/{resource}/{namespace}/{name}",
      handler: async ({ params }) => ({
        decisions: await history.explain(params["resource"] ?? "", params["namespace"], params["name"]),
      }),
    },
    {
      method: "GET",
      path: "/api/tiphys/v1/events",
      handler: async ({ query }) => ({
        events: await history.events({
          ...(query.get("namespace") ? { namespace: query.get("namespace") ?? "" } : {}),
          ...(query.get("change") ? { change: query.get("change") ?? "" } : {}),
          limit: count(query.get("limit") ?? "100", "limit"),
        }),
      }),
    },
  ];
}
