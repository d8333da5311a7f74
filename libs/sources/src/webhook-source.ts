import { codeOf, messageOf } from "@tiphys/errors";
import { type CloudEvent, HMAC_ANNOTATION_PREFIX, type SourceEvent, type SourceType } from "@tiphys/eventing";
import { compileExpression } from "@tiphys/expressions";
import { CHANGE_HEADER, type Change, isTraceparent, isUlid, newChange, TRACEPARENT_HEADER } from "@tiphys/identity";
import { limits } from "@tiphys/limits";
import type { KeyRef, SourceFilter, WebhookContext } from "@tiphys/resources";
import { eventId, hmacMatches } from "./signature.js";
import type { SourceContext } from "./source.js";
import type { WebhookAnswer, WebhookRequest, WebhookRoute } from "./webhook-host.js";

type Headers = WebhookRequest["headers"];

/** What differs between the sources that listen for webhooks. */
interface WebhookKind {
  context(spec: SourceEvent["spec"]): WebhookContext;
  /** A problem with the request's proof of origin, or undefined when it is proven (or not asked for). */
  verify(event: SourceEvent, request: WebhookRequest, source: SourceContext): Verdict;
  /** The event's data; a string is what is wrong with the body. */
  data(event: SourceEvent, request: WebhookRequest): Record<string, unknown> | string;
  deliveryId(headers: Headers): string | undefined;
}

type Verdict =
  | { readonly refused: string }
  /** `signed`: the proof covers the body, so the body itself names the event. */
  | { readonly refused?: undefined; readonly signed: boolean };

const one = (headers: Headers, name: string): string | undefined => headers[name]?.[0];

const refuse = (status: number, error: string): WebhookAnswer => ({ status, body: { error } });

/** The body's HMAC in X-Hub-Signature-256, against the Secret's key that `ref` names. */
function verifyHmac(ref: KeyRef, request: WebhookRequest, source: SourceContext): Verdict {
  const secret = source.secret(ref);
  if (!secret) return { refused: `the secret ${ref.name}, key ${ref.key}, does not exist yet` };
  const given = one(request.headers, "x-hub-signature-256");
  if (!given) return { refused: "the header X-Hub-Signature-256 is missing" };
  return hmacMatches(secret, request.body, given)
    ? { signed: true }
    : { refused: "the signature does not fit the body" };
}

/** A header name as Go writes it: X-Github-Event. */
const canonical = (name: string) =>
  name.replace(/(^|-)([a-z])/g, (_, dash: string, letter: string) => dash + letter.toUpperCase());

/** Headers as an event carries them, with what proves the sender's identity masked. */
function shownHeaders(headers: Headers): Record<string, readonly string[]> {
  const shown: Record<string, readonly string[]> = {};
  for (const [name, values] of Object.entries(headers)) {
    shown[canonical(name)] = masked.has(name) ? ["*** Masked Auth Secret ***"] : values;
  }
  return shown;
}
const masked = new Set(["authorization", "x-gitlab-token", "cookie", "proxy-authorization"]);

const isForm = (headers: Headers) => /^application\/x-www-form-urlencoded\b/i.test(one(headers, "content-type") ?? "");

function multimap(pairs: URLSearchParams): Record<string, string[]> {
  // fromEntries: a field named __proto__ must stay data.
  return Object.fromEntries([...new Set(pairs.keys())].map((name) => [name, pairs.getAll(name)]));
}

function parseJson(text: string): { value: unknown } | string {
  try {
    const value: unknown = JSON.parse(text);
    return depthOf(value, limits.documentDepth)
      ? { value }
      : `the body is nested deeper than ${limits.documentDepth} levels`;
  } catch (error) {
    return `the body is not JSON: ${messageOf(error)}`;
  }
}

/** False when `value` is nested deeper than `left` levels. */
function depthOf(value: unknown, left: number): boolean {
  if (value === null || typeof value !== "object") return true;
  return left > 0 && Object.values(value).every((member) => depthOf(member, left - 1));
}

const kinds: Record<Exclude<SourceType, "calendar">, WebhookKind> = {
  webhook: {
    context: (spec) => spec,
    verify(event, request, source) {
      const signed = source.annotations[HMAC_ANNOTATION_PREFIX + event.name];
      if (signed === undefined) return { signed: false };
      const [name = "", key = ""] = signed.split("/");
      return verifyHmac({ name, key }, request, source);
    },
    data(event, request) {
      const base = { header: shownHeaders(request.headers), ...metadataOf(event.spec.metadata) };
      if (request.method === "GET" || request.method === "HEAD") return { ...base, body: multimap(request.query) };
      if (isForm(request.headers)) return { ...base, body: multimap(new URLSearchParams(request.body.toString())) };
      const parsed = parseJson(request.body.toString());
      return typeof parsed === "string" ? parsed : { ...base, body: parsed.value };
    },
    deliveryId: (headers) =>
      one(headers, "webhook-id") ?? one(headers, "idempotency-key") ?? one(headers, "x-github-delivery"),
  },
  github: {
    context: (spec) => spec.webhook,
    verify: (event, request, source) =>
      event.spec.webhookSecret ? verifyHmac(event.spec.webhookSecret, request, source) : { signed: false },
    data(event, request) {
      const text = isForm(request.headers)
        ? (new URLSearchParams(request.body.toString()).get("payload") ?? "")
        : request.body.toString();
      const parsed = parseJson(text);
      if (typeof parsed === "string") return parsed;
      if (typeof parsed.value !== "object" || parsed.value === null || Array.isArray(parsed.value)) {
        return "the body is not a JSON object";
      }
      const name = one(request.headers, "x-github-event");
      if (!name) return "the header X-GitHub-Event is missing";
      const body = {
        ...parsed.value,
        "X-GitHub-Event": name,
        "X-GitHub-Delivery": one(request.headers, "x-github-delivery") ?? "",
      };
      return { headers: shownHeaders(request.headers), body, ...metadataOf(event.spec.metadata) };
    },
    deliveryId: (headers) => one(headers, "x-github-delivery"),
  },
  gitlab: {
    context: (spec) => spec.webhook,
    verify(event, request, source) {
      const ref: KeyRef | undefined = event.spec.secretToken;
      if (!ref) return { signed: false };
      const secret = source.secret(ref);
      if (!secret) return { refused: `the secret ${ref.name}, key ${ref.key}, does not exist yet` };
      const given = one(request.headers, "x-gitlab-token");
      if (!given) return { refused: "the header X-Gitlab-Token is missing" };
      return secret.equals(given) ? { signed: false } : { refused: "the token in X-Gitlab-Token is wrong" };
    },
    data(event, request) {
      const parsed = parseJson(request.body.toString());
      if (typeof parsed === "string") return parsed;
      return { headers: shownHeaders(request.headers), body: parsed.value, ...metadataOf(event.spec.metadata) };
    },
    deliveryId: (headers) => one(headers, "x-gitlab-event-uuid") ?? one(headers, "idempotency-key"),
  },
};

const metadataOf = (metadata: unknown): Record<string, unknown> => (metadata ? { metadata } : {});

/** The change a request belongs to: the one its headers name, else a new one. */
function changeOfRequest(headers: Headers, source: SourceContext): Change {
  const fresh = newChange(source.clock.now(), source.random);
  const id = one(headers, CHANGE_HEADER) ?? "";
  const traceparent = one(headers, TRACEPARENT_HEADER) ?? "";
  return {
    id: isUlid(id) ? id : fresh.id,
    traceparent: isTraceparent(traceparent) ? traceparent : fresh.traceparent,
  };
}

/** Compiles a source's filter.expression over the data's top-level keys, "-" written as "_". */
export function compileSourceFilter(filter: SourceFilter | undefined): (data: Record<string, unknown>) => boolean {
  if (!filter?.expression) return () => true;
  const run = compileExpression(filter.expression);
  return (data) => {
    const env: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(data)) env[key.replaceAll("-", "_")] = value;
    return run(env) === true;
  };
}

/** The endpoint of one event name of a webhook, github or gitlab source. */
export function webhookRoute(event: SourceEvent, source: SourceContext): WebhookRoute {
  const kind = kinds[event.type as keyof typeof kinds];
  const context = kind.context(event.spec);
  const passes = compileSourceFilter(event.spec.filter);
  const place = [source.namespace, source.eventSource, event.name];

  return {
    port: Number(context.port),
    endpoint: context.endpoint!,
    method: context.method!.toUpperCase(),
    maxBytes: context.maxPayloadSize ?? limits.webhookBodyBytes,
    authorize(headers) {
      if (!context.authSecret) return undefined;
      const secret = source.secret(context.authSecret);
      const { name, key } = context.authSecret;
      if (!secret) return refuse(503, `the secret ${name}, key ${key}, does not exist yet`);
      const given = /^Bearer +(.+)$/i.exec(one(headers, "authorization") ?? "")?.[1];
      if (!given) return refuse(401, "the header Authorization must be Bearer and a token");
      return secret.equals(given.trim()) ? undefined : refuse(401, "the bearer token is wrong");
    },
    async handle(request) {
      const verdict = kind.verify(event, request, source);
      if (verdict.refused !== undefined) {
        source.log.warn("refused a webhook", {
          eventSource: source.eventSource,
          event: event.name,
          reason: verdict.refused,
        });
        return refuse(401, verdict.refused);
      }
      const data = kind.data(event, request);
      if (typeof data === "string") return refuse(400, data);
      try {
        if (!passes(data)) return { status: 200, body: { message: "filtered out" } };
      } catch (error) {
        source.log.warn("source filter failed; the event is dropped", { event: event.name, error: messageOf(error) });
        return { status: 200, body: { message: "filtered out", reason: messageOf(error) } };
      }
      const deliveryId = kind.deliveryId(request.headers);
      const id = verdict.signed
        ? eventId(...place, "body", request.body)
        : deliveryId
          ? eventId(...place, "delivery", deliveryId)
          : Buffer.from(source.random(16)).toString("hex");
      const cloudEvent: CloudEvent = {
        id,
        source: source.eventSource,
        type: event.type,
        subject: event.name,
        time: source.clock.now(),
        datacontenttype: "application/json",
        data,
      };
      const change = changeOfRequest(request.headers, source);
      const once = verdict.signed || deliveryId !== undefined;
      try {
        const result = await source.deliver({ event: cloudEvent, change, deliveryId, once });
        if (result === "replayed") return refuse(409, "this signed content was delivered before: replays are refused");
        if (result === "duplicate") return { status: 200, body: { message: "duplicate", event: id } };
        return { status: 200, body: { message: "success", event: id, change: change.id } };
      } catch (error) {
        if (codeOf(error) === "ResourceExhausted") return refuse(413, messageOf(error));
        source.log.error("event was not stored", { event: id, error: messageOf(error) });
        return refuse(500, "the event could not be stored: send it again");
      }
    },
  };
}
