import type { WireEvent } from "./cloud-event.js";
import type { Conditions } from "./conditions.js";

/** An event that waits for others, as it is stored. */
export interface HeldEvent {
  readonly event: WireEvent;
  /** Place in the bus' stream. */
  readonly position: number;
  readonly change?: { readonly id: string; readonly traceparent: string };
}

/** What a trigger with several dependencies remembers between events. */
export interface JoinState {
  /** Newest event of each dependency that has not been used. */
  readonly held: Readonly<Record<string, HeldEvent>>;
  /** Position of the last event of each dependency that a run has used: older ones are late and dropped. */
  readonly used: Readonly<Record<string, number>>;
}

export const emptyJoin: JoinState = { held: {}, used: {} };

export interface JoinStep {
  readonly state: JoinState;
  /** Events of a run that starts now, by dependency. */
  readonly fire?: Readonly<Record<string, HeldEvent>>;
}

/** Takes one event that passed the filters of `dependencies`; of several events of one dependency the newest counts. */
export function join(
  state: JoinState,
  dependencies: readonly string[],
  arrived: HeldEvent,
  conditions: Conditions,
): JoinStep {
  const held: Record<string, HeldEvent> = { ...state.held };
  for (const name of dependencies) {
    const last = Math.max(held[name]?.position ?? 0, state.used[name] ?? 0);
    if (arrived.position > last) held[name] = arrived;
  }
  if (!conditions(new Set(Object.keys(held)))) return { state: { ...state, held } };
  const used = { ...state.used };
  for (const [name, { position }] of Object.entries(held)) used[name] = position;
  return { state: { held: {}, used }, fire: held };
}
