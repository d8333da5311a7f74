import type { Bus } from "@tiphys/bus";
import { tiphysFactsV1Facts as facts } from "@tiphys/proto";
import type { EventsFact } from "./deps.js";

/** Publishes what happened on `tiphys.facts.events.<namespace>.<name>.<code>`, for viewers. */
export const publishFacts =
  (bus: Pick<Bus, "publish">) =>
  ({ kind, namespace, name, code, message, at, change }: EventsFact): void => {
    const bytes = facts.Fact.encode({
      area: "events",
      kind,
      namespace,
      name,
      code,
      message,
      at: at.toISOString(),
      change: change ?? "",
    }).finish();
    bus.publish(`tiphys.facts.events.${namespace}.${name.replaceAll(".", "_")}.${code}`, bytes);
  };
