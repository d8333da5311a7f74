import type { Principal } from "@tiphys/identity";
import type { DeleteOptions, LogOptions } from "@tiphys/kube";
import type { WriteContext } from "../api/parts.js";
import type { ListQuery, WatchQuery } from "../api/reads.js";
import { badRequest, fieldError, invalid } from "../api/status.js";

const text = (query: URLSearchParams, name: string): string | undefined => query.get(name) || undefined;

function integer(query: URLSearchParams, name: string): number | undefined {
  const raw = text(query, name);
  if (raw === undefined) return undefined;
  if (!/^-?\d+$/.test(raw)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(raw)}: invalid syntax`);
  return Number(raw);
}

/** As Go reads booleans in queries: present and not a way of saying no. */
export function flag(query: URLSearchParams, name: string): boolean {
  const raw = query.get(name);
  return raw !== null && raw !== "false" && raw !== "0";
}

/** Leaves out what is undefined. */
const given = <T extends object>(values: { [K in keyof T]: T[K] | undefined }): T =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;

const optionsKind = (kind: string) => ({ group: "meta.k8s.io", kind });

function dryRun(query: URLSearchParams, kind: string): boolean {
  const values = query.getAll("dryRun");
  for (const value of values) {
    if (value !== "All") {
      throw invalid(optionsKind(kind), "", [
        fieldError(
          "dryRun",
          "FieldValueNotSupported",
          `Unsupported value: ${JSON.stringify(values)}: supported values: "All"`,
        ),
      ]);
    }
  }
  return values.length > 0;
}

export const listQuery = (query: URLSearchParams): ListQuery =>
  given<ListQuery>({
    labelSelector: text(query, "labelSelector"),
    fieldSelector: text(query, "fieldSelector"),
    limit: integer(query, "limit"),
    continue: text(query, "continue"),
    resourceVersion: text(query, "resourceVersion"),
    resourceVersionMatch: text(query, "resourceVersionMatch"),
  });

export function watchQuery(query: URLSearchParams): WatchQuery & { timeoutSeconds?: number; bookmarks: boolean } {
  const sendInitialEvents = query.has("sendInitialEvents") ? flag(query, "sendInitialEvents") : undefined;
  const match = text(query, "resourceVersionMatch");
  const forbid = (message: string) =>
    invalid(optionsKind("ListOptions"), "", [
      fieldError("resourceVersionMatch", "FieldValueForbidden", `Forbidden: ${message}`),
    ]);
  if (sendInitialEvents !== undefined && match !== "NotOlderThan") {
    throw forbid("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
  }
  if (sendInitialEvents === undefined && match) {
    throw forbid("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
  }
  return {
    bookmarks: flag(query, "allowWatchBookmarks"),
    ...given<WatchQuery & { timeoutSeconds?: number }>({
      labelSelector: text(query, "labelSelector"),
      fieldSelector: text(query, "fieldSelector"),
      resourceVersion: text(query, "resourceVersion"),
      sendInitialEvents,
      timeoutSeconds: integer(query, "timeoutSeconds"),
    }),
  };
}

export function writeContext(options: {
  readonly query: URLSearchParams;
  readonly principal: Principal;
  readonly userAgent: string | undefined;
  readonly optionsKind: string;
  readonly duplicates: readonly string[];
  readonly apply?: boolean;
  readonly warn: (message: string) => void;
}): WriteContext {
  const { query, principal, userAgent, duplicates, warn } = options;
  const fieldValidation = text(query, "fieldValidation") ?? "Warn";
  if (fieldValidation !== "Ignore" && fieldValidation !== "Warn" && fieldValidation !== "Strict") {
    throw invalid(optionsKind(options.optionsKind), "", [
      fieldError(
        "fieldValidation",
        "FieldValueNotSupported",
        `Unsupported value: ${JSON.stringify(fieldValidation)}: supported values: "", "Ignore", "Strict", "Warn"`,
      ),
    ]);
  }
  // An apply must name its manager; every other write is known by its program.
  const fallback = options.apply ? "" : (userAgent?.split("/")[0] ?? "unknown");
  return {
    principal,
    manager: text(query, "fieldManager") ?? fallback,
    fieldValidation,
    dryRun: dryRun(query, options.optionsKind),
    ...(flag(query, "force") ? { force: true } : {}),
    duplicates,
    warn,
  };
}

/** Options of a deletion: from the body, else from the query. */
export function deleteOptions(query: URLSearchParams, body: unknown): DeleteOptions {
  // biome-ignore lint/suspicious/noExplicitAny: members are checked one by one below
  const from = (body ?? {}) as any;
  const propagation =
    from.propagationPolicy ??
    text(query, "propagationPolicy") ??
    (from.orphanDependents === undefined && !query.has("orphanDependents")
      ? undefined
      : (from.orphanDependents ?? flag(query, "orphanDependents"))
        ? "Orphan"
        : "Background");
  const kind = optionsKind("DeleteOptions");
  if (propagation !== undefined && !["Foreground", "Background", "Orphan"].includes(propagation)) {
    throw invalid(kind, "", [
      fieldError(
        "propagationPolicy",
        "FieldValueNotSupported",
        `Unsupported value: ${JSON.stringify(propagation)}: supported values: "Foreground", "Background", "Orphan", "nil"`,
      ),
    ]);
  }
  const grace = from.gracePeriodSeconds ?? integer(query, "gracePeriodSeconds");
  if (grace !== undefined && grace !== null && !Number.isInteger(grace)) {
    throw badRequest("gracePeriodSeconds: must be a whole number of seconds");
  }
  const { uid, resourceVersion } = from.preconditions ?? {};
  return given<DeleteOptions>({
    propagation,
    gracePeriodSeconds: grace ?? undefined,
    dryRun: dryRun(query, "DeleteOptions") || (Array.isArray(from.dryRun) && from.dryRun.includes("All")) || undefined,
    preconditions: uid || resourceVersion ? given({ uid, resourceVersion }) : undefined,
  });
}

/** Options of a pod's log; `name` is the pod's. */
export function logOptions(query: URLSearchParams, name: string): LogOptions {
  const tailLines = integer(query, "tailLines");
  const sinceSeconds = integer(query, "sinceSeconds");
  const limitBytes = integer(query, "limitBytes");
  const sinceTime = text(query, "sinceTime");
  if (sinceTime !== undefined && Number.isNaN(Date.parse(sinceTime))) {
    throw badRequest(
      `parsing time ${JSON.stringify(sinceTime)} as "2006-01-02T15:04:05Z07:00": cannot parse ${JSON.stringify(sinceTime)} as "2006"`,
    );
  }
  const low = (field: string, value: number | undefined, least: number) =>
    value !== undefined && value < least
      ? [
          fieldError(
            field,
            "FieldValueInvalid",
            `Invalid value: ${value}: must be greater than ${least === 0 ? "or equal to 0" : "0"}`,
          ),
        ]
      : [];
  const forbidden = (field: string, message: string) =>
    fieldError(field, "FieldValueForbidden", `Forbidden: ${message}`);
  const both = sinceSeconds !== undefined && sinceTime !== undefined;
  const errors = [
    ...low("tailLines", tailLines, 0),
    ...low("limitBytes", limitBytes, 1),
    ...(both
      ? [forbidden("[]", "at most one of `sinceTime` or `sinceSeconds` may be specified")]
      : low("sinceSeconds", sinceSeconds, 1)),
    // The split of streams is behind a feature gate that is off in Kubernetes, too.
    ...(query.has("stream") ? [forbidden("stream", "may not be specified")] : []),
  ];
  if (errors.length > 0) throw invalid({ group: "", kind: "PodLogOptions" }, name, errors);
  return given<LogOptions>({
    container: text(query, "container"),
    follow: flag(query, "follow") || undefined,
    previous: flag(query, "previous") || undefined,
    timestamps: flag(query, "timestamps") || undefined,
    tailLines,
    sinceSeconds,
    sinceTime,
    limitBytes,
  });
}
