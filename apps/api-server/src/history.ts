import { InvalidArgumentError, UnavailableError } from "@tiphys/errors";
import type { tiphysControllerV1Controller as controller } from "@tiphys/proto";
import type { Client } from "@tiphys/rpc";
import { type Area, servedResource } from "./resources.js";

export interface EventRecord {
  id: string;
  namespace: string;
  eventSource: string;
  eventName: string;
  type: string;
  at: string;
  change: string;
}

export interface EventQuery {
  readonly namespace?: string;
  readonly limit?: number;
  readonly change?: string;
}

export interface HistoryOptions {
  /** The controllers that can explain their objects, by area. */
  readonly controllers: Partial<
    Readonly<Record<Area, Pick<Client<typeof controller.ControllerServiceDefinition>, "explain">>>
  >;
  readonly events?: (query: EventQuery) => Promise<EventRecord[]>;
}

/** An event message with absent fields as empty ones. */
export const eventRecord = (event: Partial<EventRecord>): EventRecord => ({
  id: event.id ?? "",
  namespace: event.namespace ?? "",
  eventSource: event.eventSource ?? "",
  eventName: event.eventName ?? "",
  type: event.type ?? "",
  at: event.at ?? "",
  change: event.change ?? "",
});

export type History = ReturnType<typeof createHistory>;

/** What has happened and why, asked of the services that know. */
export function createHistory({ controllers, events }: HistoryOptions) {
  return {
    async explain(resource: string, namespace: string | undefined, name: string | undefined) {
      if (!name) throw new InvalidArgumentError("name", "must not be empty");
      const { area } = servedResource(resource);
      const owner = controllers[area];
      if (!owner) throw new UnavailableError(`the controller of ${resource} is not connected`);
      const { decisions = [] } = await owner.explain({ resource, namespace: namespace ?? "", name });
      return decisions;
    },
    async events(query: EventQuery) {
      if (!events) throw new UnavailableError("the events-gateway is not connected");
      return await events(query);
    },
  };
}
