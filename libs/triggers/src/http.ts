import { UnavailableError } from "@tiphys/errors";
import { applyParameters, asText, buildPayload, pick } from "@tiphys/eventing";
import { CHANGE_HEADER, TRACEPARENT_HEADER } from "@tiphys/identity";
import { limits } from "@tiphys/limits";
import type { HttpTrigger, KeyRef, Trigger } from "@tiphys/resources";
import type { TriggerContext, TriggerResult } from "./context.js";

const DEFAULT_TIMEOUT_S = 60;

function secretValue(ref: KeyRef, context: TriggerContext): string {
  const secret = context.secret(ref);
  if (!secret) throw new UnavailableError(`Secret ${context.namespace}/${ref.name} has no key ${ref.key}`);
  return secret.reveal();
}

function headersOf(http: HttpTrigger, context: TriggerContext): Record<string, string> {
  const headers: Record<string, string> = {};
  const set = (name: string, value: string) => {
    headers[name.toLowerCase()] = value;
  };
  for (const [name, value] of Object.entries(http.headers ?? {})) set(name, value);
  for (const { src, dest } of http.dynamicHeaders ?? []) {
    const value = src ? pick(src, context.events) : undefined;
    if (dest && value !== undefined) set(dest, asText(value));
  }
  for (const { name, valueFrom } of http.secureHeaders ?? []) {
    if (valueFrom?.secretKeyRef) set(name, secretValue(valueFrom.secretKeyRef, context));
    else if (valueFrom?.configMapKeyRef) {
      const ref = valueFrom.configMapKeyRef;
      const value = context.configMap(ref);
      if (value === undefined)
        throw new UnavailableError(`ConfigMap ${context.namespace}/${ref.name} has no key ${ref.key}`);
      set(name, value);
    }
  }
  if (http.basicAuth) {
    const { username, password } = http.basicAuth;
    const text = `${username ? secretValue(username, context) : ""}:${password ? secretValue(password, context) : ""}`;
    set("authorization", `Basic ${Buffer.from(text).toString("base64")}`);
  }
  return headers;
}

/** Runs an http trigger. Without policy.status.allow a status below 400 is a success. */
export async function runHttpTrigger(
  spec: HttpTrigger,
  policy: Trigger["policy"],
  context: TriggerContext,
): Promise<TriggerResult> {
  const http = applyParameters(spec, spec.parameters, context.events);
  const method = (http.method || "POST").toUpperCase();
  const body = method === "GET" || method === "HEAD" ? undefined : buildPayload(http.payload, context.events);
  const change = context.change;
  const response = await context.dialer.fetch({
    purpose: "trigger/http",
    namespace: context.namespace,
    url: http.url,
    method,
    headers: {
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(change ? { [CHANGE_HEADER]: change.id } : {}),
      ...(change?.traceparent ? { [TRACEPARENT_HEADER]: change.traceparent } : {}),
      ...headersOf(http, context),
      // The receiver can tell a second try of this run from another run.
      "idempotency-key": `${context.runId}/${context.sensor}/${context.trigger}`,
    },
    ...(body === undefined ? {} : { body }),
    timeout: (http.timeout ?? DEFAULT_TIMEOUT_S) * 1000,
    maxBytes: limits.triggerResponseBytes,
    ...(http.tls?.insecureSkipVerify ? { insecureSkipVerify: true } : {}),
    ...(http.tls?.caCertSecret ? { ca: secretValue(http.tls.caCertSecret, context) } : {}),
    signal: context.signal,
  });
  const allowed = policy?.status?.allow;
  const good = allowed?.length ? allowed.includes(response.status) : response.status < 400;
  if (!good) throw new FailedHttpTriggerError(method, shown(http.url), response.status);
  return { summary: `${method} ${shown(http.url)} answered ${response.status}` };
}

/** A URL as records may keep it: user, password and query can hold secrets. */
function shown(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

/** The receiver answered with a status that the policy does not allow; another try may fare better. */
export class FailedHttpTriggerError extends UnavailableError {
  constructor(
    method: string,
    url: string,
    readonly status: number,
  ) {
    super(`${method} ${url} answered ${status}`);
  }
}
