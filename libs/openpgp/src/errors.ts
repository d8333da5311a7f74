import { InvalidArgumentError, LimitExceededError } from "@tiphys/errors";

/** The input is not OpenPGP, or is broken. */
export class OpenPgpFormatError extends InvalidArgumentError {
  constructor(problem: string, options?: ErrorOptions) {
    super("", `OpenPGP: ${problem}`, options);
  }
}

/** The input is larger, or has more parts, than we look at. */
export class OpenPgpLimitError extends LimitExceededError {
  constructor(problem: string) {
    super(`OpenPGP: ${problem}`);
  }
}
