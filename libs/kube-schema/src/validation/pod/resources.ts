// biome-ignore-all lint/suspicious/noExplicitAny: objects were decoded against their schemas and defaulted before
import { compareQuantities, isQualifiedName, parseQuantity } from "@tiphys/kube-values";
import { duplicate, type FieldError, forbidden, invalid, required } from "../../field-error.js";
import { type Found, isDnsLabel, nonNegative } from "./parts.js";

const forContainers = new Set(["cpu", "ephemeral-storage", "memory"]);
const standard = new Set([
  ...forContainers,
  ..."requests.cpu requests.memory requests.ephemeral-storage limits.cpu limits.memory limits.ephemeral-storage pods resourcequotas services replicationcontrollers secrets persistentvolumeclaims storage requests.storage services.nodeports services.loadbalancers configmaps".split(
    " ",
  ),
]);
const whole = new Set(
  "pods resourcequotas services replicationcontrollers secrets configmaps persistentvolumeclaims services.nodeports services.loadbalancers".split(
    " ",
  ),
);
const isHugePage = (name: string): boolean => name.startsWith("hugepages-");
const isNative = (name: string): boolean => !name.includes("/") || /(^|\.)kubernetes\.io\//.test(name);
const isExtended = (name: string): boolean =>
  !isNative(name) && !name.startsWith("requests.") && isQualifiedName(`requests.${name}`).length === 0;
const isStandard = (name: string): boolean =>
  standard.has(name) || isHugePage(name) || name.startsWith("requests.hugepages-");
const isWhole = (name: string): boolean => whole.has(name) || isExtended(name);
export const mayOvercommit = (name: string): boolean => isNative(name) && !isHugePage(name);

/** Names of resources of any kind. */
export function resourceName(name: string, path: string): FieldError[] {
  const problems = isQualifiedName(name).map((problem) => invalid(path, name, problem));
  if (problems.length > 0 || name.includes("/") || isStandard(name)) return problems;
  return [invalid(path, name, "must be a standard resource type or fully qualified")];
}

/** Names of what a container may ask for. */
export function containerResourceName(name: string, path: string): FieldError[] {
  const problems = resourceName(name, path);
  if (!name.includes("/")) {
    if (!forContainers.has(name) && !isHugePage(name)) {
      problems.push(invalid(path, name, "must be a standard resource for containers"));
    }
  } else if (!isNative(name) && !isExtended(name)) {
    problems.push(invalid(path, name, "doesn't follow extended resource name standard"));
  }
  return problems;
}

/** An amount of a resource: not less than nothing, and whole where there are no parts of it. */
export function resourceAmount(name: string, value: string, path: string): FieldError[] {
  const quantity = parseQuantity(value);
  if (quantity === undefined) return [];
  const errors = quantity.nanos < 0n ? [invalid(path, value, nonNegative)] : [];
  if (isWhole(name) && quantity.nanos % 1_000_000_000n !== 0n) errors.push(invalid(path, value, "must be an integer"));
  return errors;
}

export function validateResources(resources: any, path: string, claims: ReadonlySet<string>, found: Found): void {
  const limits: Record<string, string> = resources.limits ?? {};
  const requests: Record<string, string> = resources.requests ?? {};
  let compute = false;
  let huge = false;
  const note = (name: string) => {
    compute ||= name === "cpu" || name === "memory";
    huge ||= isHugePage(name);
  };
  for (const [name, value] of Object.entries(limits)) {
    const here = `${path}.limits[${name}]`;
    found.add(...containerResourceName(name, here), ...resourceAmount(name, value, here));
    note(name);
  }
  for (const [name, value] of Object.entries(requests)) {
    const here = `${path}.requests[${name}]`;
    found.add(...containerResourceName(name, here), ...resourceAmount(name, value, here));
    note(name);
    const limit = limits[name];
    if (limit === undefined) {
      if (!mayOvercommit(name))
        found.add(required(`${path}.limits`, "Limit must be set for non overcommitable resources"));
      continue;
    }
    const [wanted, most] = [parseQuantity(value), parseQuantity(limit)];
    if (!wanted || !most) continue;
    const order = compareQuantities(wanted, most);
    if (order !== 0 && !mayOvercommit(name)) {
      found.add(invalid(`${path}.requests`, value, `must be equal to ${name} limit of ${limit}`));
    } else if (order > 0) {
      found.add(invalid(`${path}.requests`, value, `must be less than or equal to ${name} limit of ${limit}`));
    }
  }
  if (huge && !compute) found.add(forbidden(path, "HugePages require cpu or memory"));
  validateClaims(resources.claims ?? [], `${path}.claims`, claims, found);
}

function validateClaims(list: any[], path: string, known: ReadonlySet<string>, found: Found): void {
  const seen = new Set<string>();
  for (const [at, { name = "", request = "" }] of list.entries()) {
    const here = `${path}[${at}]`;
    if (!found.needed(name, here)) continue;
    const key = request ? `${name}/${request}` : name;
    if (seen.has(name)) found.add(duplicate(here, name));
    else {
      if (request) found.named(isDnsLabel, request, `${here}.request`);
      if (seen.has(key)) found.add(duplicate(here, key));
      else if (!request && [...seen].some((one) => one.startsWith(`${name}/`))) found.add(duplicate(here, name));
      seen.add(key);
    }
    if (known.has(name)) continue;
    const rest = known.size === 0 ? " which is empty" : `: ${[...known].sort().join(", ")}`;
    found.add({
      field: here,
      reason: "FieldValueNotFound",
      message: `Not found: ${JSON.stringify(name)}: must be one of the names in pod.spec.resourceClaims${rest}`,
    });
  }
}
