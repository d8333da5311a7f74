import { messageOf, TiphysError } from "@tiphys/errors";
import { compileExpression } from "@tiphys/expressions";
import type { EventSource, SourceFilter, WebhookContext } from "@tiphys/resources";
import { goDuration } from "./retry.js";

/** Something in a spec that keeps it, or a part of it, from running. */
export interface Problem {
  readonly code: "InvalidArgument" | "Unimplemented";
  readonly field: string;
  readonly message: string;
}

export const problemText = (problem: Problem): string => `${problem.field}: ${problem.message}`;

/** The problem behind something thrown while a field was checked. */
export function problemOf(field: string, error: unknown): Problem {
  const code = error instanceof TiphysError && error.code === "Unimplemented" ? "Unimplemented" : "InvalidArgument";
  return { code, field, message: messageOf(error) };
}

export const sourceTypes = ["webhook", "github", "gitlab", "calendar"] as const;
export type SourceType = (typeof sourceTypes)[number];

/** One event name of an EventSource that can run. */
export interface SourceEvent {
  readonly type: SourceType;
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: the shape belongs to the type
  readonly spec: any;
}

export interface SourcePlan {
  readonly events: readonly SourceEvent[];
  readonly problems: readonly Problem[];
  /** Fields that are accepted and have no effect here, by name. */
  readonly unused: readonly string[];
}

/** Fields of an EventSource's spec that are not source types. */
const plainFields = new Set(["eventBusName", "template", "service", "replicas"]);
/** Sources run inside the gateway, so what shapes a pod has nothing to shape. */
const podFields = ["template", "service", "replicas"];
/** Annotation that allows provider webhooks without a secret. */
export const UNVERIFIED_ANNOTATION = "events.tiphys.dev/unverified";
/** Annotation `<prefix><event name>` = `<secret>/<key>`: signs a plain webhook with X-Hub-Signature-256. */
export const HMAC_ANNOTATION_PREFIX = "hmac.events.tiphys.dev/";

/** Hooks are made by hand at the provider: these fields would let the gateway make them. */
const registration: Readonly<Record<"github" | "gitlab", readonly string[]>> = {
  github: [
    "apiToken", "githubApp", "events", "repositories", "organizations", "owner", "repository", "id", "active", "insecure",
    "contentType", "githubBaseURL", "githubUploadURL", "deleteHookOnFinish",
  ], // biome-ignore format: one list
  gitlab: [
    "accessToken", "events", "projects", "projectID", "groups", "enableSSLVerification", "gitlabBaseURL", "deleteHookOnFinish",
  ], // biome-ignore format: one list
};

/** What of an EventSource runs, what cannot, and what is ignored; pure. */
export function planEventSource(object: EventSource): SourcePlan {
  const spec = object.spec ?? {};
  const events: SourceEvent[] = [];
  const problems: Problem[] = [];
  const unused: string[] = podFields.filter((field) => spec[field] !== undefined).map((field) => `spec.${field}`);
  const names = new Map<string, string>();

  for (const [type, byName] of Object.entries(spec)) {
    if (plainFields.has(type) || byName === undefined || byName === null) continue;
    if (!sourceTypes.includes(type as SourceType)) {
      problems.push({
        code: "Unimplemented",
        field: `spec.${type}`,
        message: `event source type ${type} is not implemented yet: see docs/compatibility.md`,
      });
      continue;
    }
    for (const [name, source] of Object.entries(byName as Record<string, unknown>)) {
      const field = `spec.${type}.${name}`;
      const other = names.get(name);
      if (other) {
        problems.push({ code: "InvalidArgument", field, message: `event name ${name} is used by spec.${other} too` });
        continue;
      }
      names.set(name, type);
      const found = checks[type as SourceType](field, source as never, object, name);
      problems.push(...found);
      if (type === "github" || type === "gitlab") {
        const given = registration[type].filter((key) => (source as Record<string, unknown>)[key] !== undefined);
        unused.push(...given.map((key) => `${field}.${key}`));
      }
      if ((source as { url?: string }).url) unused.push(`${field}.url`);
      if ((source as { webhook?: { url?: string } }).webhook?.url) unused.push(`${field}.webhook.url`);
      if (found.length === 0) events.push({ type: type as SourceType, name, spec: source });
    }
  }
  if (events.length === 0 && problems.length === 0) {
    problems.push({ code: "InvalidArgument", field: "spec", message: "names no event source" });
  }
  return { events, problems, unused };
}

type Check<Spec> = (field: string, spec: Spec, object: EventSource, name: string) => Problem[];

const checks: { [Type in SourceType]: Check<NonNullable<EventSource["spec"][Type]>[string]> } = {
  webhook: (field, spec, object, name) => [
    ...contextProblems(field, spec),
    ...filterProblems(field, spec.filter),
    ...annotationProblems(field, object, name),
  ],
  github: (field, spec, object) => [
    ...contextProblems(`${field}.webhook`, spec.webhook),
    ...filterProblems(field, spec.filter),
    ...unverifiedProblems(field, "webhookSecret", Boolean(spec.webhookSecret ?? spec.webhook?.authSecret), object),
  ],
  gitlab: (field, spec, object) => [
    ...contextProblems(`${field}.webhook`, spec.webhook),
    ...filterProblems(field, spec.filter),
    ...unverifiedProblems(field, "secretToken", Boolean(spec.secretToken ?? spec.webhook?.authSecret), object),
  ],
  calendar: (field, spec) => {
    const unimplemented = (name: string): Problem[] =>
      spec[name as keyof typeof spec] === undefined
        ? []
        : [{ code: "Unimplemented", field: `${field}.${name}`, message: `calendar ${name} is not implemented yet` }];
    const problems = ["schedule", "exclusionDates", "timezone", "persistence"].flatMap(unimplemented);
    if (problems.length > 0) return problems;
    if (!spec.interval) return [{ code: "InvalidArgument", field: `${field}.interval`, message: "is missing" }];
    try {
      if (goDuration(spec.interval, `${field}.interval`) < 1000) {
        return [
          { code: "InvalidArgument", field: `${field}.interval`, message: `${spec.interval} is below one second` },
        ];
      }
    } catch (error) {
      return [problemOf(`${field}.interval`, error)];
    }
    return filterProblems(field, spec.filter);
  },
};

const methods = new Set(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE"]);

function contextProblems(field: string, context: WebhookContext | undefined): Problem[] {
  const invalid = (name: string, message: string): Problem => ({
    code: "InvalidArgument",
    field: `${field}.${name}`,
    message,
  });
  if (!context) return [{ code: "InvalidArgument", field, message: "is missing" }];
  const problems: Problem[] = [];
  if (!context.endpoint?.startsWith("/"))
    problems.push(invalid("endpoint", `"${context.endpoint ?? ""}" does not start with /`));
  const port = Number(context.port);
  if (!/^\d+$/.test(context.port ?? "") || port < 1 || port > 65_535)
    problems.push(invalid("port", `"${context.port ?? ""}" is not a port`));
  if (!context.method || !methods.has(context.method.toUpperCase())) {
    problems.push(invalid("method", `"${context.method ?? ""}" is not an HTTP method`));
  }
  if (context.maxPayloadSize !== undefined && context.maxPayloadSize <= 0) {
    problems.push(invalid("maxPayloadSize", `${context.maxPayloadSize} is not a size in bytes`));
  }
  for (const name of ["serverCertSecret", "serverKeySecret"] as const) {
    if (context[name]) {
      const message = "TLS of webhooks is not implemented yet: end TLS in front of the gateway";
      problems.push({ code: "Unimplemented", field: `${field}.${name}`, message });
    }
  }
  return problems;
}

function filterProblems(field: string, filter: SourceFilter | undefined): Problem[] {
  if (!filter?.expression) return [];
  try {
    compileExpression(filter.expression);
    return [];
  } catch (error) {
    return [problemOf(`${field}.filter.expression`, error)];
  }
}

function unverifiedProblems(field: string, secret: string, verified: boolean, object: EventSource): Problem[] {
  if (verified || object.metadata.annotations?.[UNVERIFIED_ANNOTATION] === "true") return [];
  const message = `is missing, so anybody could send events; name a Secret, or allow that with the annotation ${UNVERIFIED_ANNOTATION}: "true"`;
  return [{ code: "InvalidArgument", field: `${field}.${secret}`, message }];
}

function annotationProblems(field: string, object: EventSource, name: string): Problem[] {
  const value = object.metadata.annotations?.[HMAC_ANNOTATION_PREFIX + name];
  if (value === undefined || /^[^/\s]+\/[^/\s]+$/.test(value)) return [];
  const message = `annotation ${HMAC_ANNOTATION_PREFIX}${name} must be <secret>/<key>`;
  return [{ code: "InvalidArgument", field, message }];
}
