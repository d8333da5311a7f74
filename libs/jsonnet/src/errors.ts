import { TerminalError } from "@tiphys/errors";

/** A place in a source: both numbers count from 1; columns count UTF-16 units. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export const placeText = ({ file, line, column }: Place): string => `${file}:${line}:${column}`;

/** A program that cannot be read: the message starts with file, line and column. */
export class JsonnetSyntaxError extends TerminalError {
  override readonly code = "InvalidArgument";
  constructor(
    readonly place: Place,
    readonly problem: string,
  ) {
    super(`${placeText(place)}: ${problem}`);
  }
}

/** Frames that are kept of a trace: enough to find the place, small enough to read. */
const KEPT_FRAMES = 12;

/** A program that failed while it ran; the trace grows as the error passes the calls it came from. */
export class JsonnetRuntimeError extends TerminalError {
  override readonly code = "InvalidArgument";
  private readonly trace: Place[] = [];

  constructor(readonly problem: string) {
    super(problem);
  }

  /** Adds a place on the way out; the first one is where it happened. */
  at(place: Place): this {
    const last = this.trace.at(-1);
    if (this.trace.length < KEPT_FRAMES && !(last && placeText(last) === placeText(place))) {
      this.trace.push(place);
      this.message = `${this.problem}\n${this.trace.map((one) => `    at ${placeText(one)}`).join("\n")}`;
    }
    return this;
  }
}
