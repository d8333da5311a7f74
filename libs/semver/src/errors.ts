import { InvalidArgumentError } from "@tiphys/errors";

/** No version, or no constraint; the message is Masterminds' own. */
export class SemverError extends InvalidArgumentError {
  constructor(problem: string) {
    super("", problem);
  }
}
