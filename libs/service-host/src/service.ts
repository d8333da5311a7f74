/** One deployable part. `createX(deps)` builds it; nothing runs before `start`. */
export interface Service {
  readonly name: string;
  start(): Promise<void>;
  /** Finishes what is in hand, then resolves. Safe to call twice. */
  stop(): Promise<void>;
  /** Resolves to the reason it is not ready, or undefined when it is. */
  ready(): Promise<string | undefined>;
}
