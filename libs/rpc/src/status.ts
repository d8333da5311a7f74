import { type Code, codeFromGrpc, codeOf, errorOfCode, grpcCode, messageOf } from "@tiphys/errors";

/** A gRPC status for anything thrown. Unexpected errors keep their details in the log, not on the wire. */
export function toGrpcStatus(error: unknown): { code: number; details: string } {
  const code = codeOf(error);
  return { code: grpcCode(code), details: messageOf(error) };
}

/** Our error for a status that came over gRPC. */
export function fromGrpcError(error: unknown): Error {
  if (error instanceof Error && "code" in error && typeof error.code === "number") {
    const code: Code = codeFromGrpc(error.code);
    const details = "details" in error && typeof error.details === "string" ? error.details : error.message;
    return errorOfCode(code, details, { cause: error });
  }
  return error instanceof Error ? error : new Error(String(error));
}
