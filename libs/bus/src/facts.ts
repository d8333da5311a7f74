import { tiphysFactsV1Facts as facts } from "@tiphys/proto";
import type { Bus } from "./bus.js";

/** What has happened to an object, for viewers. */
export interface Happened {
  readonly area: "delivery" | "workflows" | "rollouts" | "events";
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** CamelCase: Synced, StepCompleted… */
  readonly code: string;
  readonly message: string;
  readonly at: Date;
  /** Change id. */
  readonly change?: string;
}

/** Publishes a tiphys.facts.v1.Fact live on `tiphys.facts.<area>.<namespace>.<name>.<code>`; dots of the name become `_`. */
export function publishFact(bus: Pick<Bus, "publish">, { at, change = "", ...happened }: Happened): void {
  const { area, namespace, name, code } = happened;
  const subject = `tiphys.facts.${area}.${namespace}.${name.replaceAll(".", "_")}.${code}`;
  bus.publish(subject, facts.Fact.encode({ ...happened, at: at.toISOString(), change }).finish());
}
