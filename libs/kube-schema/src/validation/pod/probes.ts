// biome-ignore-all lint/suspicious/noExplicitAny: objects were decoded against their schemas and defaulted before
import { forbidden, invalid, notSupported, required } from "../../field-error.js";
import type { Found } from "./parts.js";

const handlers = ["exec", "httpGet", "tcpSocket", "grpc", "sleep"] as const;
const header = /^[-A-Za-z0-9]+$/;
const headerText =
  "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')";

type ProbeName = "livenessProbe" | "readinessProbe" | "startupProbe";

export function validateProbe(
  probe: any,
  grace: number | undefined,
  name: ProbeName,
  path: string,
  found: Found,
): void {
  validateHandler(probe, grace, path, found);
  const fields = ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"];
  found.counts(probe, fields, path);
  const own = probe.terminationGracePeriodSeconds;
  if (own !== undefined && own <= 0) {
    found.add(invalid(`${path}.terminationGracePeriodSeconds`, own, "must be greater than 0"));
  }
  if (name === "readinessProbe") {
    if (own !== undefined) {
      found.add(invalid(`${path}.terminationGracePeriodSeconds`, own, "must not be set for readinessProbes"));
    }
  } else if (probe.successThreshold !== 1) {
    found.add(invalid(`${path}.successThreshold`, probe.successThreshold, "must be 1"));
  }
}

validateProbe.handler = validateHandler;

/** What a probe or a hook does. */
function validateHandler(handler: any, grace: number | undefined, path: string, found: Found): void {
  let count = 0;
  for (const kind of handlers) {
    const action = handler[kind];
    if (!action) continue;
    const here = `${path}.${kind}`;
    if (++count > 1) {
      found.add(forbidden(here, "may not specify more than 1 handler type"));
      continue;
    }
    if (kind === "exec" && !action.command?.length) found.add(required(`${here}.command`));
    if (kind === "httpGet") httpGet(action, here, found);
    if (kind === "tcpSocket" || kind === "grpc") found.port(action.port, `${here}.port`);
    if (kind !== "sleep" || grace === undefined) continue;
    const { seconds = 0 } = action;
    if (seconds >= 0 && seconds <= grace) continue;
    const problem = `must be non-negative and less than terminationGracePeriodSeconds (${grace})`;
    found.add(invalid(here, seconds, problem));
  }
  if (count === 0) found.add(required(path, "must specify a handler type"));
}

function httpGet(action: any, path: string, found: Found): void {
  found.needed(action.path, `${path}.path`);
  found.port(action.port, `${path}.port`);
  const { scheme = "" } = action;
  if (scheme !== "HTTP" && scheme !== "HTTPS") found.add(notSupported(`${path}.scheme`, scheme, ["HTTP", "HTTPS"]));
  for (const { name = "" } of action.httpHeaders ?? []) {
    if (!header.test(name)) found.add(invalid(`${path}.httpHeaders`, name, headerText));
  }
}
