import { messageOf } from "@tiphys/errors";
import type { SourceEvent } from "@tiphys/eventing";
import { startCalendar } from "./calendar-source.js";
import type { SourceContext } from "./source.js";
import type { WebhookHost } from "./webhook-host.js";
import { webhookRoute } from "./webhook-source.js";

/** Runs the event names of all EventSources in this process. */
export interface SourceRunner {
  /** Makes `owner` run exactly `events`; resolves to what keeps each event name from running. */
  apply(owner: string, events: readonly SourceEvent[], context: SourceContext): Promise<ReadonlyMap<string, string>>;
  remove(owner: string): Promise<void>;
  close(): Promise<void>;
}

export function createSourceRunner(host: WebhookHost): SourceRunner {
  const calendars = new Map<string, (() => void)[]>();

  const stopCalendars = (owner: string) => {
    for (const stop of calendars.get(owner) ?? []) stop();
    calendars.delete(owner);
  };

  return {
    async apply(owner, events, context) {
      const problems = new Map<string, string>();
      const hooks = events.filter((event) => event.type !== "calendar");
      const results = await host.apply(
        owner,
        hooks.map((event) => webhookRoute(event, context)),
      );
      for (const [index, error] of results.entries()) if (error) problems.set(hooks[index]!.name, messageOf(error));
      stopCalendars(owner);
      const running = events.filter((event) => event.type === "calendar").map((event) => startCalendar(event, context));
      if (running.length > 0) calendars.set(owner, running);
      return problems;
    },
    async remove(owner) {
      stopCalendars(owner);
      await host.apply(owner, []);
    },
    async close() {
      for (const owner of [...calendars.keys()]) stopCalendars(owner);
      await host.close();
    },
  };
}
