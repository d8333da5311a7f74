import type { KubeObject } from "@tiphys/resources";

/** Why a decision is what it is: `explain` shows these, in order. Texts are stable while the problem is the same. */
export interface Reason {
  /** CamelCase, for machines. */
  readonly code: string;
  readonly message: string;
  /** The object or field the reason is about, such as `Deployment shop/web` or `spec.source`. */
  readonly about?: string;
}

/** What one pass decided. */
export interface Plan<Action> {
  /**
   * The whole wanted `status` of the object (not a patch); absent leaves it as it is. The framework computes the merge
   * patch, writes it once after the actions, and only when something differs.
   */
  readonly status?: Record<string, unknown>;
  /** Changes to metadata and to fields beside spec (annotations, labels, finalizers, `operation`): a JSON merge patch. */
  readonly patch?: Record<string, unknown>;
  readonly actions: readonly Action[];
  readonly reasons: readonly Reason[];
  /** When to look again even if nothing changes. */
  readonly lookAgainAt?: Date;
}

/**
 * A controller as data: what to read, what to decide, how to write. `plan` and `report` are pure; `observe` makes all
 * reads; `act` is one write, safe to repeat after a crash at any point. A pass never relies on what triggered it.
 */
export interface Reconciler<State, Action, Fact = unknown> {
  /** All reads. `undefined` means the object is gone and there is nothing to do. */
  observe(object: KubeObject, signal: AbortSignal): Promise<State | undefined>;
  plan(state: State, now: Date): Plan<Action>;
  act(action: Action, signal: AbortSignal): Promise<Fact>;
  /**
   * Folds the outcome of the actions into the status to be written, for results that are known only here (an apply that
   * was refused, a measured value). `outcomes` is parallel to `plan.actions`. Absent: the first error fails the pass.
   */
  report?(state: State, plan: Plan<Action>, outcomes: readonly Outcome<Fact>[], now: Date): Plan<Action>;
  /** A short, redacted form of an action for the journal and `explain`: `apply Deployment shop/web`. */
  describe(action: Action): string;
  /** The part of the state that the decision depends on, redacted, for the journal. Absent: the object's spec and status. */
  digestOf?(state: State): unknown;
}

export type Outcome<Fact> =
  | { readonly ok: true; readonly fact: Fact }
  | { readonly ok: false; readonly error: unknown };
