import { tiphysEventsV1Events as events } from "@tiphys/proto";
import { type ServedService, serve } from "@tiphys/rpc";
import type { EventsApi, ListedEvent } from "./api.js";

const DEFAULT_LIMIT = 100;
/** Events are read in pages of so many from the oldest on; only the newest `limit` are kept. */
const PAGE = 1_000;

/** tiphys.events.v1.EventsService over the gateway's API. */
export function serveEvents(api: EventsApi): ServedService {
  return serve(events.EventsServiceDefinition, {
    async listEvents({ namespace, limit, change }) {
      const wanted = Math.min(limit || DEFAULT_LIMIT, PAGE);
      let newest: ListedEvent[] = [];
      for (let after = 0; ; ) {
        const page = await api.listEvents({ ...(namespace ? { namespace } : {}), limit: PAGE, after });
        newest = [...newest, ...page.filter((event) => !change || event.change === change)].slice(-wanted);
        if (page.length < PAGE) break;
        after = page.at(-1)?.position ?? after;
      }
      return { events: newest.reverse().map(toMessage) };
    },
  });
}

const toMessage = ({ event, namespace, change, at }: ListedEvent): events.Event => ({
  id: event.id,
  namespace,
  eventSource: event.source,
  eventName: event.subject,
  type: event.type,
  at: at.toISOString(),
  change: change ?? "",
});
