import { PermissionDeniedError } from "@tiphys/errors";

/** A revision does not have the signatures that its project asks for. */
export class SourceIntegrityError extends PermissionDeniedError {
  constructor(readonly problems: readonly string[]) {
    super(problems.join("\n"));
  }
}

/** Whether a message is that of a {@link SourceIntegrityError}, wherever it comes from. */
export const saysIntegrityProblem = (message: string): boolean => /^GIT\/(?:GPG|SSH): /.test(message);
