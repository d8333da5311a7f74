import { CelBudgetError } from "./errors.js";

/** Counts what a program costs, in the API server's units, and ends it at the limit. */
export class Meter {
  cost = 0;
  constructor(private readonly limit: number) {}

  spend(cost: number): void {
    this.cost += cost;
    if (this.cost > this.limit) throw new CelBudgetError();
  }
}
