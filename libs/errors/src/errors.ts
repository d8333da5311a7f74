import type { Code } from "./codes.js";

/** Base of every error we throw: a code for machines, a message that names the thing, the field and the way out. */
export class TiphysError extends Error {
  readonly code: Code = "Unknown";
  override get name(): string {
    return this.constructor.name;
  }
}

/** Another try makes no sense until a person changes something. */
export class TerminalError extends TiphysError {}

/** Another try makes sense at a known time. */
export class WaitError extends TiphysError {
  override readonly code: Code = "Unavailable";
  /** Milliseconds from now. */
  readonly after: number;
  readonly reason: string;
  constructor({ after, reason }: { after: number; reason: string }, options?: ErrorOptions) {
    super(reason, options);
    this.after = after;
    this.reason = reason;
  }
}

/** The other side is away or busy; retried with back-off. */
export class UnavailableError extends TiphysError {
  override readonly code = "Unavailable";
}

export class InvalidArgumentError extends TerminalError {
  override readonly code = "InvalidArgument";
  /** Path of the field at fault, such as `spec.source.repoURL`; empty when the whole input is meant. */
  readonly field: string;
  constructor(field: string, problem: string, options?: ErrorOptions) {
    super(field ? `${field}: ${problem}` : problem, options);
    this.field = field;
  }
}

export class NotFoundError extends TerminalError {
  override readonly code = "NotFound";
}

export class AlreadyExistsError extends TerminalError {
  override readonly code = "AlreadyExists";
}

/** Somebody else changed the thing first; read again, then try again. */
export class ConflictError extends TiphysError {
  override readonly code = "Aborted";
}

export class FailedPreconditionError extends TerminalError {
  override readonly code = "FailedPrecondition";
}

export class UnauthenticatedError extends TerminalError {
  override readonly code = "Unauthenticated";
}

export class PermissionDeniedError extends TerminalError {
  override readonly code = "PermissionDenied";
}

/** An input is larger, deeper or longer than its limit. */
export class LimitExceededError extends TerminalError {
  override readonly code = "ResourceExhausted";
}

/** The feature has a name but no implementation yet; `docs/compatibility.md` lists all of them. */
export class UnimplementedError extends TerminalError {
  override readonly code = "Unimplemented";
  readonly feature: string;
  constructor(feature: string, options?: ErrorOptions) {
    super(`${feature} is not implemented yet: see docs/compatibility.md`, options);
    this.feature = feature;
  }
}

/** Stored data cannot be trusted; nothing is overwritten. */
export class DataLossError extends TerminalError {
  override readonly code = "DataLoss";
}

export class InternalError extends TiphysError {
  override readonly code = "Internal";
}

/** The caller, or a deadline, ended the work. */
export class CanceledError extends TiphysError {
  override readonly code = "Canceled";
}

export class DeadlineExceededError extends TiphysError {
  override readonly code = "DeadlineExceeded";
}

const classes: Partial<Record<Code, new (message: string, options?: ErrorOptions) => TiphysError>> = {
  NotFound: NotFoundError,
  AlreadyExists: AlreadyExistsError,
  Aborted: ConflictError,
  FailedPrecondition: FailedPreconditionError,
  Unauthenticated: UnauthenticatedError,
  PermissionDenied: PermissionDeniedError,
  ResourceExhausted: LimitExceededError,
  DataLoss: DataLossError,
  Unavailable: UnavailableError,
  Canceled: CanceledError,
  DeadlineExceeded: DeadlineExceededError,
  Internal: InternalError,
};

/** The error class that stands for `code`, for adapters that translate foreign errors once, where they enter. */
export function errorOfCode(code: Code, message: string, options?: ErrorOptions): TiphysError {
  if (code === "InvalidArgument") return new InvalidArgumentError("", message, options);
  if (code === "Unimplemented") return Object.assign(new UnimplementedError(message, options), { message });
  const known = classes[code];
  return known ? new known(message, options) : new TiphysError(message, options);
}

/** The code of anything thrown. */
export const codeOf = (error: unknown): Code => (error instanceof TiphysError ? error.code : "Unknown");

/** The message of anything thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** True for errors after which another try is useless until the input changes. */
export const isTerminal = (error: unknown): boolean => error instanceof TerminalError;
