import { NotFoundError } from "@tiphys/errors";

/** The repository has no such chart; another try makes sense once it is published. */
export class ChartNotFoundError extends NotFoundError {
  constructor(
    readonly chart: string,
    readonly repository: string,
    options?: ErrorOptions,
  ) {
    super(`chart "${chart}" is not in ${repository}`, options);
  }
}

/** The chart has no version that fits. */
export class ChartVersionNotFoundError extends NotFoundError {
  constructor(
    readonly chart: string,
    readonly repository: string,
    readonly revision: string,
    readonly known: number,
  ) {
    super(`chart "${chart}" in ${repository} has no version that fits "${revision}" (it has ${known})`);
  }
}
