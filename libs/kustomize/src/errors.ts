import { TerminalError } from "@tiphys/errors";

/** A build that cannot be done as it is written; the message names the kustomization and the field. */
export class KustomizeError extends TerminalError {
  override readonly code = "InvalidArgument";
}

export function fail(message: string): never {
  throw new KustomizeError(message);
}

/** Puts the place before the message of whatever `run` throws. */
export function within<T>(place: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof KustomizeError && !(error instanceof MissingRemoteError))
      throw new KustomizeError(`${place}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** A base or file elsewhere that the build needs and has not been given; the caller may fetch it and build again. */
export class MissingRemoteError extends KustomizeError {
  constructor(readonly address: string) {
    super(`remote resource ${address} has not been fetched`);
  }
}
