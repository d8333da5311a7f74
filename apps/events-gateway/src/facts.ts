import { type Bus, publishFact } from "@tiphys/bus";
import type { EventsFact } from "./deps.js";

/** Publishes what happened on `tiphys.facts.events.<namespace>.<name>.<code>`, for viewers. */
export const publishFacts =
  (bus: Pick<Bus, "publish">) =>
  (fact: EventsFact): void =>
    publishFact(bus, { area: "events", ...fact });
