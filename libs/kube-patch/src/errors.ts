import { TerminalError } from "@tiphys/errors";

/** `malformed`: never usable; `inapplicable`: does not fit this object; `unmergeable`: does not fit the kind's schema. */
export type PatchProblem = "malformed" | "inapplicable" | "unmergeable";

const httpStatus = { malformed: 400, inapplicable: 422, unmergeable: 500 } as const;

/** A patch that cannot be used or does not fit its target. */
export class PatchError extends TerminalError {
  override readonly code = "InvalidArgument";
  readonly kind: PatchProblem;
  constructor(kind: PatchProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
  /** The HTTP status that the real API server answers with. */
  get http(): number {
    return httpStatus[this.kind];
  }
}
