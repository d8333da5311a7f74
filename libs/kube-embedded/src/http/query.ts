import type { Principal } from "@tiphys/identity";
import type { DeleteOptions, LogOptions } from "@tiphys/kube";
import type { FieldError } from "@tiphys/kube-schema";
import { goJsonKind } from "../api/go-json.js";
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

const dryRun = (query: URLSearchParams, kind: string): boolean => checkDryRun(query.getAll("dryRun"), kind);

function checkDryRun(values: readonly string[], kind: string): boolean {
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

/** What may not be asked for together, in a list or a watch. */
function checkListOptions(query: URLSearchParams, watch: boolean): void {
  const match = text(query, "resourceVersionMatch");
  const version = text(query, "resourceVersion");
  const initial = query.has("sendInitialEvents");
  const errors: FieldError[] = [];
  const forbid = (field: string, detail: string) =>
    errors.push(fieldError(field, "FieldValueForbidden", `Forbidden: ${detail}`));
  const unsupported = (supported: string) =>
    errors.push(
      fieldError(
        "resourceVersionMatch",
        "FieldValueNotSupported",
        `Unsupported value: ${JSON.stringify(match)}: supported values: ${supported}`,
      ),
    );
  if (watch) {
    if (initial && match !== "NotOlderThan") {
      forbid("resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
    }
    if (match) {
      if (!initial) {
        forbid(
          "resourceVersionMatch",
          "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        );
      }
      if (match !== "NotOlderThan") unsupported('"NotOlderThan"');
    }
  } else {
    if (match) {
      if (!version)
        forbid("resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided");
      if (query.get("continue")) {
        forbid("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided");
      }
      if (match !== "Exact" && match !== "NotOlderThan") unsupported('"Exact", "NotOlderThan", ""');
      if (match === "Exact" && version === "0") {
        forbid("resourceVersionMatch", 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
      }
    }
    if (initial) forbid("sendInitialEvents", "sendInitialEvents is forbidden for list");
  }
  if (errors.length > 0) throw invalid(optionsKind("ListOptions"), "", errors);
}

export function listQuery(query: URLSearchParams): ListQuery {
  checkListOptions(query, false);
  return given<ListQuery>({
    labelSelector: text(query, "labelSelector"),
    fieldSelector: text(query, "fieldSelector"),
    limit: integer(query, "limit"),
    continue: text(query, "continue"),
    resourceVersion: text(query, "resourceVersion"),
    resourceVersionMatch: text(query, "resourceVersionMatch"),
  });
}

export function watchQuery(query: URLSearchParams): WatchQuery & { timeoutSeconds?: number; bookmarks: boolean } {
  checkListOptions(query, true);
  return {
    bookmarks: flag(query, "allowWatchBookmarks"),
    ...given<WatchQuery & { timeoutSeconds?: number }>({
      labelSelector: text(query, "labelSelector"),
      fieldSelector: text(query, "fieldSelector"),
      resourceVersion: text(query, "resourceVersion"),
      sendInitialEvents: query.has("sendInitialEvents") ? flag(query, "sendInitialEvents") : undefined,
      timeoutSeconds: integer(query, "timeoutSeconds"),
    }),
  };
}

/** Longest name of a manager, in bytes. */
const MANAGER_BYTES = 128;

function checkManager(manager: string | undefined, kind: string): void {
  if (manager === undefined) return;
  const errors: FieldError[] = [];
  if (Buffer.byteLength(manager) > MANAGER_BYTES) {
    errors.push(
      fieldError("fieldManager", "FieldValueTooLong", `Too long: may not be more than ${MANAGER_BYTES} bytes`),
    );
  }
  let position = 0;
  for (const char of manager) {
    const code = char.codePointAt(0) ?? 0;
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) {
      const name = `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
      const shown = JSON.stringify(manager).replace(/\\u00([0-9a-f]{2})/g, "\\x$1");
      errors.push(
        fieldError(
          "fieldManager",
          "FieldValueInvalid",
          `Invalid value: ${shown}: invalid character ${name} (at position ${position})`,
        ),
      );
    }
    position += Buffer.byteLength(char);
  }
  if (errors.length > 0) throw invalid(optionsKind(kind), "", errors);
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
  checkManager(text(query, "fieldManager"), options.optionsKind);
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

/** Types of the members of DeleteOptions, as Go names them. */
const deleteMembers: Readonly<Record<string, string>> = {
  gracePeriodSeconds: "int64",
  orphanDependents: "bool",
  propagationPolicy: "v1.DeletionPropagation",
  preconditions: "v1.Preconditions",
  dryRun: "[]string",
};

function checkDeleteBody(body: unknown): void {
  if (body === undefined || body === null) return;
  const { kind, apiVersion } = body as { kind?: string; apiVersion?: string };
  if (kind && kind !== "DeleteOptions") {
    throw badRequest(
      `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion ?? "")} in scheme "pkg/runtime/scheme.go:111"`,
    );
  }
  const expected: Readonly<Record<string, string>> = {
    int64: "number",
    bool: "bool",
    "[]string": "array",
    "v1.Preconditions": "object",
  };
  for (const [member, type] of Object.entries(deleteMembers)) {
    const value = (body as Record<string, unknown>)[member];
    if (value === undefined || value === null) continue;
    const is = goJsonKind(value);
    if (is === (expected[type] ?? "string") && (type !== "int64" || Number.isInteger(value))) continue;
    throw badRequest(
      `json: cannot unmarshal ${is === "number" ? `number ${value}` : is} into Go struct field DeleteOptions.${member} of type ${type}`,
    );
  }
}

/** Options of a deletion: from the body, else from the query. */
export function deleteOptions(given_: URLSearchParams, body: unknown): DeleteOptions {
  // A body says it all: what stands in the query is for requests without one.
  const query = body === undefined ? given_ : new URLSearchParams();
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
  checkDeleteBody(body);
  if (
    (from.orphanDependents !== undefined || query.has("orphanDependents")) &&
    (from.propagationPolicy ?? text(query, "propagationPolicy"))
  ) {
    throw invalid(kind, "", [
      fieldError(
        "propagationPolicy",
        "FieldValueInvalid",
        `Invalid value: ${JSON.stringify(propagation)}: orphanDependents and deletionPropagation cannot be both set`,
      ),
    ]);
  }
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
  const { uid, resourceVersion } = from.preconditions ?? {};
  return given<DeleteOptions>({
    propagation,
    gracePeriodSeconds: grace ?? undefined,
    dryRun:
      (body === undefined
        ? dryRun(query, "DeleteOptions")
        : checkDryRun(from.dryRun ?? query.getAll("dryRun"), "DeleteOptions")) || undefined,
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
