// biome-ignore-all lint/suspicious/noExplicitAny: objects were decoded against their schemas and defaulted before
import { isDnsSubdomain, isPortNumber } from "@tiphys/kube-values";
import type { KubeObject } from "@tiphys/resources";
import { duplicate, type FieldError, invalid, notSupported, required } from "../field-error.js";
import { validateSelector } from "./metadata.js";

const sideEffects = ["None", "NoneOnDryRun"];
const failurePolicies = ["Fail", "Ignore"];
const matchPolicies = ["Equivalent", "Exact"];
const reinvocationPolicies = ["IfNeeded", "Never"];
const operations = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
const scopes = ["*", "Cluster", "Namespaced"];
const reviewVersions = ["v1", "v1beta1"];
const longestWait = 30;
const leastSegments = 3;

/** Checks of both kinds of webhook configurations: `webhooks[]`. */
export function validateWebhooks(configuration: KubeObject): FieldError[] {
  const names = new Set<string>();
  const errors: FieldError[] = [];
  for (const [at, hook] of (configuration["webhooks"] ?? []).entries()) {
    const path = `webhooks[${at}]`;
    errors.push(...validateWebhook(hook, path), ...validateVersions(hook.admissionReviewVersions ?? [], path));
    if (!hook.name) continue;
    if (names.has(hook.name)) errors.push(duplicate(`${path}.name`, hook.name));
    names.add(hook.name);
  }
  return errors;
}

function validateWebhook(hook: any, path: string): FieldError[] {
  const errors = [
    ...qualifiedName(hook.name ?? "", `${path}.name`),
    ...(hook.rules ?? []).flatMap((rule: any, at: number) => validateRule(rule, `${path}.rules[${at}]`)),
    ...choice(hook.failurePolicy, `${path}.failurePolicy`, failurePolicies),
    ...choice(hook.matchPolicy, `${path}.matchPolicy`, matchPolicies),
  ];
  if (!hook.sideEffects) {
    errors.push(required(`${path}.sideEffects`, `must specify one of ${sideEffects.join(", ")}`));
  } else errors.push(...choice(hook.sideEffects, `${path}.sideEffects`, sideEffects));
  if (hook.timeoutSeconds > longestWait || hook.timeoutSeconds < 1) {
    errors.push(
      invalid(
        `${path}.timeoutSeconds`,
        hook.timeoutSeconds,
        `the timeout value must be between 1 and ${longestWait} seconds`,
      ),
    );
  }
  for (const field of ["namespaceSelector", "objectSelector"]) {
    if (hook[field]) errors.push(...validateSelector(hook[field], `${path}.${field}`));
  }
  errors.push(...choice(hook.reinvocationPolicy, `${path}.reinvocationPolicy`, reinvocationPolicies));
  return [...errors, ...validateClient(hook.clientConfig ?? {}, `${path}.clientConfig`)];
}

const choice = (value: string | undefined, field: string, known: readonly string[]): FieldError[] =>
  value === undefined || known.includes(value) ? [] : [notSupported(field, value, known)];

function qualifiedName(name: string, field: string): FieldError[] {
  if (name === "") return [required(field)];
  const problems = isDnsSubdomain(name);
  if (problems.length > 0) return [invalid(field, name, problems.join(","))];
  return name.split(".").length < leastSegments
    ? [invalid(field, name, "should be a domain with at least three segments separated by dots")]
    : [];
}

function validateVersions(versions: readonly string[], path: string): FieldError[] {
  const field = `${path}.admissionReviewVersions`;
  if (versions.length === 0) return [required(field, `must specify one of ${reviewVersions.join(", ")}`)];
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [at, version] of versions.entries()) {
    if (seen.has(version)) errors.push(invalid(`${field}[${at}]`, version, "duplicate version"));
    seen.add(version);
  }
  if (!versions.some((version) => reviewVersions.includes(version))) {
    errors.push(invalid(field, versions, `must include at least one of ${reviewVersions.join(", ")}`));
  }
  return errors;
}

function validateRule(rule: any, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const wanted: string[] = rule.operations ?? [];
  if (wanted.length === 0) errors.push(required(`${path}.operations`));
  if (wanted.length > 1 && wanted.includes("*")) {
    errors.push(invalid(`${path}.operations`, wanted, "if '*' is present, must not specify other operations"));
  }
  for (const [at, one] of wanted.entries()) errors.push(...choice(one, `${path}.operations[${at}]`, operations));
  const lists = [
    ["apiGroups", "API groups"],
    ["apiVersions", "API versions"],
  ] as const;
  for (const [field, what] of lists) {
    const list: string[] = rule[field] ?? [];
    if (list.length === 0) errors.push(required(`${path}.${field}`));
    if (list.length > 1 && list.includes("*")) {
      errors.push(invalid(`${path}.${field}`, list, `if '*' is present, must not specify other ${what}`));
    }
    if (field !== "apiVersions") continue;
    for (const [at, one] of list.entries()) if (one === "") errors.push(required(`${path}.${field}[${at}]`));
  }
  return [
    ...errors,
    ...validateResources(rule.resources ?? [], `${path}.resources`),
    ...choice(rule.scope, `${path}.scope`, scopes),
  ];
}

/** Resources and their subresources: what an asterisk covers already may not be named beside it. */
function validateResources(resources: readonly string[], field: string): FieldError[] {
  const errors: FieldError[] = [];
  if (resources.length === 0) errors.push(required(field));
  /** Resources with all their subresources, and subresources of all resources. */
  const whole = new Set<string>();
  const everywhere = new Set<string>();
  for (const [at, resource] of resources.entries()) {
    const here = `${field}[${at}]`;
    if (resource === "") {
      errors.push(required(here));
      continue;
    }
    if (resource === "*/*" || resource === "*") continue;
    const slash = resource.indexOf("/");
    if (slash < 0) continue;
    const [owner, sub] = [resource.slice(0, slash), resource.slice(slash + 1)];
    if (sub === "*") {
      if (whole.has(owner))
        errors.push(invalid(here, resource, `if '${owner}/*' is present, must not specify ${resource}`));
      whole.add(owner);
    } else if (owner === "*") {
      if (everywhere.has(sub))
        errors.push(invalid(here, resource, `if '*/${sub}' is present, must not specify ${resource}`));
      everywhere.add(sub);
    } else if (whole.has(owner)) {
      errors.push(invalid(here, resource, `if '${owner}/*' is present, must not specify ${resource}`));
    } else if (everywhere.has(sub)) {
      errors.push(invalid(here, resource, `if '*/${sub}' is present, must not specify ${resource}`));
    }
  }
  if (resources.length > 1 && resources.includes("*/*")) {
    errors.push(invalid(field, resources, "if '*/*' is present, must not specify other resources"));
  }
  if (resources.includes("*") && resources.some((one) => one !== "*" && !one.includes("/"))) {
    errors.push(invalid(field, resources, "if '*' is present, must not specify other resources without subresources"));
  }
  return errors;
}

function validateClient({ url, service }: any, path: string): FieldError[] {
  if ((url === undefined) === (service === undefined)) {
    return [required(path, "exactly one of url or service is required")];
  }
  return url === undefined ? validateReference(service, `${path}.service`) : validateUrl(url, `${path}.url`);
}

function validateReference({ name, namespace, path, port }: any, field: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!name) errors.push(required(`${field}.name`));
  if (!namespace) errors.push(required(`${field}.namespace`));
  for (const problem of isPortNumber(port ?? 0))
    errors.push(invalid(`${field}.port`, port ?? 0, `port is not valid: ${problem}`));
  if (path === undefined || path === "/") return errors;
  if (!path.startsWith("/")) errors.push(invalid(`${field}.path`, path, "must start with a '/'"));
  for (const [at, step] of path.slice(1).replace(/\/$/, "").split("/").entries()) {
    const problems = step === "" ? ["may not be empty"] : isDnsSubdomain(step);
    for (const problem of problems) {
      const what = step === "" ? `segment[${at}] ${problem}` : `segment[${at}]: ${problem}`;
      errors.push(invalid(`${field}.path`, path, what));
    }
  }
  return errors;
}

const form = "; desired format: https://host[/path]";

function validateUrl(text: string, field: string): FieldError[] {
  const parts = /^(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?:\/\/([^/?#]*))?([^?#]*)(\?[^#]*)?(#.*)?$/s.exec(text);
  if (!parts) return [required(field, `url must be a valid URL${form}`)];
  const [, scheme = "", authority = "", , query = "", fragment = ""] = parts;
  const at = authority.lastIndexOf("@");
  const errors: FieldError[] = [];
  if (scheme.toLowerCase() !== "https") {
    errors.push(invalid(field, scheme.toLowerCase(), `'https' is the only allowed URL scheme${form}`));
  }
  const host = authority.slice(at + 1);
  if (host === "") errors.push(invalid(field, host, `host must be specified${form}`));
  if (at >= 0) {
    errors.push(invalid(field, authority.slice(0, at), "user information is not permitted in the URL"));
  }
  if (fragment.length > 1) errors.push(invalid(field, fragment.slice(1), "fragments are not permitted in the URL"));
  if (query.length > 1) errors.push(invalid(field, query.slice(1), "query parameters are not permitted in the URL"));
  return errors;
}
