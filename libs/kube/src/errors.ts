import { type Code, TiphysError } from "@tiphys/errors";

/** A metav1.Status with status Failure. */
export interface StatusBody {
  kind: "Status";
  apiVersion: "v1";
  metadata: Record<string, never> | { continue?: string };
  status: "Failure";
  message: string;
  reason?: string;
  details?: StatusDetails;
  code: number;
}

export interface StatusDetails {
  name?: string;
  group?: string;
  kind?: string;
  uid?: string;
  causes?: { reason?: string; message?: string; field?: string }[];
  retryAfterSeconds?: number;
}

/** metav1.StatusReason → our code. */
const codes: Readonly<Record<string, Code>> = {
  NotFound: "NotFound",
  AlreadyExists: "AlreadyExists",
  Conflict: "Aborted",
  Invalid: "InvalidArgument",
  BadRequest: "InvalidArgument",
  Forbidden: "PermissionDenied",
  Unauthorized: "Unauthenticated",
  TooManyRequests: "ResourceExhausted",
  RequestEntityTooLarge: "ResourceExhausted",
  Timeout: "DeadlineExceeded",
  ServerTimeout: "DeadlineExceeded",
  Gone: "OutOfRange",
  Expired: "OutOfRange",
  MethodNotAllowed: "Unimplemented",
  NotAcceptable: "InvalidArgument",
  UnsupportedMediaType: "InvalidArgument",
  InternalError: "Internal",
  ServiceUnavailable: "Unavailable",
};

/** How the refusal of an applied object with fields that its schema lacks begins; it comes with status 500 and no reason. */
const UNFIT = "failed to create typed patch object";

/** A refusal by a Kubernetes API server. `code` tells what kind; `status` is the body as the server gave it. */
export class KubeApiError extends TiphysError {
  override readonly code: Code;
  constructor(
    readonly status: StatusBody,
    options?: ErrorOptions,
  ) {
    super(status.message, options);
    // The server calls an object that does not fit its schema a fault of its own, where the object is applied.
    this.code = status.message.startsWith(UNFIT)
      ? "InvalidArgument"
      : (codes[status.reason ?? ""] ?? (status.code >= 500 ? "Unavailable" : "Unknown"));
  }
  get reason(): string {
    return this.status.reason ?? "";
  }
}

export function statusError(http: number, reason: string, message: string, details?: StatusDetails): KubeApiError {
  return new KubeApiError({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    reason,
    ...(details ? { details } : {}),
    code: http,
  });
}
