/** A template that cannot be parsed; the message starts with `template: name:line: `. */
export class ParseError extends Error {}

/** A template that failed while it ran; the message has name, line, column, the template and the part that failed. */
export class ExecError extends Error {
  constructor(
    message: string,
    /** The template that failed. */
    readonly template: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** What a function answers when it fails: the text alone, the place is added by whoever called it. */
export class FunctionError extends Error {}

/** A limit of steps, output or depth that a template ran into; nothing can catch it. */
export class OutOfFuelError extends Error {
  constructor(
    readonly limit: string,
    public place = "",
  ) {
    super(limit);
  }
}
