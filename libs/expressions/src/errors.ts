import { InvalidArgumentError } from "@tiphys/errors";

/** A fault in an expression, at compile time or at run time; `position` counts characters from 0. */
export class ExpressionError extends InvalidArgumentError {
  constructor(
    readonly problem: string,
    readonly source: string,
    readonly position: number,
    options?: ErrorOptions,
  ) {
    super("", `expression "${shorten(source)}" at character ${position + 1}: ${problem}`, options);
  }
}

const SHOWN = 120;
const shorten = (text: string) => (text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text);
