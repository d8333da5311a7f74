import type { Clock } from "@tiphys/clock";

/** The same work, done again whenever it is wanted; what is wanted while it is under way is done once more after it. */
export class RepeatedWork {
  private working: Promise<void> | undefined;
  private again = false;
  private ended = false;

  constructor(
    private readonly clock: Clock,
    private readonly work: () => Promise<void> | void,
  ) {}

  get stopped(): boolean {
    return this.ended;
  }

  wake(): void {
    if (this.ended) return;
    if (this.working) {
      this.again = true;
      return;
    }
    this.again = false;
    this.working = this.clock.track(this.run()).finally(() => {
      this.working = undefined;
      if (this.again) this.wake();
    });
  }

  /** Resolves when nothing is under way or wanted. */
  async idle(): Promise<void> {
    while (this.working) await this.working;
  }

  /** Nothing is begun any more; resolves when what is under way is done. */
  async stop(): Promise<void> {
    this.ended = true;
    await this.working;
  }

  private async run(): Promise<void> {
    // One look for a burst of changes.
    await new Promise<void>((resolve) => setImmediate(resolve));
    await this.work();
  }
}
