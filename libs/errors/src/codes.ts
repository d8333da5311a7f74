/** Error codes: the names of gRPC's status codes, used unchanged in every transport. */
export type Code =
  | "Canceled"
  | "Unknown"
  | "InvalidArgument"
  | "DeadlineExceeded"
  | "NotFound"
  | "AlreadyExists"
  | "PermissionDenied"
  | "ResourceExhausted"
  | "FailedPrecondition"
  | "Aborted"
  | "OutOfRange"
  | "Unimplemented"
  | "Internal"
  | "Unavailable"
  | "DataLoss"
  | "Unauthenticated";

interface CodeForm {
  readonly grpc: number;
  readonly http: number;
}

/** gRPC number (google.rpc.Code) and HTTP status (the grpc-gateway mapping that the originals use) of each code. */
const forms: Readonly<Record<Code, CodeForm>> = {
  Canceled: { grpc: 1, http: 499 },
  Unknown: { grpc: 2, http: 500 },
  InvalidArgument: { grpc: 3, http: 400 },
  DeadlineExceeded: { grpc: 4, http: 504 },
  NotFound: { grpc: 5, http: 404 },
  AlreadyExists: { grpc: 6, http: 409 },
  PermissionDenied: { grpc: 7, http: 403 },
  ResourceExhausted: { grpc: 8, http: 429 },
  FailedPrecondition: { grpc: 9, http: 400 },
  Aborted: { grpc: 10, http: 409 },
  OutOfRange: { grpc: 11, http: 400 },
  Unimplemented: { grpc: 12, http: 501 },
  Internal: { grpc: 13, http: 500 },
  Unavailable: { grpc: 14, http: 503 },
  DataLoss: { grpc: 15, http: 500 },
  Unauthenticated: { grpc: 16, http: 401 },
};

export const grpcCode = (code: Code): number => forms[code].grpc;
export const httpStatus = (code: Code): number => forms[code].http;

/** The code of a gRPC number; numbers outside the list are "Unknown". */
export function codeFromGrpc(number: number): Code {
  for (const [code, form] of Object.entries(forms)) if (form.grpc === number) return code as Code;
  return "Unknown";
}

const fromHttp: Readonly<Record<number, Code>> = {
  400: "InvalidArgument",
  401: "Unauthenticated",
  403: "PermissionDenied",
  404: "NotFound",
  409: "Aborted",
  410: "OutOfRange",
  413: "ResourceExhausted",
  422: "InvalidArgument",
  429: "ResourceExhausted",
  501: "Unimplemented",
  503: "Unavailable",
  504: "DeadlineExceeded",
};

/** The code that fits an HTTP status of a foreign server. */
export const codeFromHttp = (status: number): Code => fromHttp[status] ?? (status >= 500 ? "Unavailable" : "Unknown");
