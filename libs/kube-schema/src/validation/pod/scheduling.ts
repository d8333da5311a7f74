// biome-ignore-all lint/suspicious/noExplicitAny: objects were decoded against their schemas and defaulted before
import { isLabelValue, isQualifiedName } from "@tiphys/kube-values";
import { duplicate, forbidden, invalid, notSupported, required } from "../../field-error.js";
import { validateSelector } from "../metadata.js";
import { type Found, isDnsLabel, isDnsSubdomain } from "./parts.js";

const effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

export function validateTolerations(list: any[], path: string, found: Found): void {
  for (const [at, { key = "", operator = "", value = "", effect = "", tolerationSeconds }] of list.entries()) {
    const here = `${path}[${at}]`;
    if (key) found.named(isQualifiedName, key, `${here}.key`);
    if (!key && operator !== "Exists") {
      const problem = 'operator must be Exists when `key` is empty, which means "match all values and all keys"';
      found.add(invalid(`${here}.operator`, operator, problem));
    }
    if (tolerationSeconds !== undefined && effect !== "NoExecute") {
      found.add(invalid(`${here}.effect`, effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"));
    }
    if (operator === "" || operator === "Equal") {
      const problems = isLabelValue(value);
      if (problems.length > 0) found.add(invalid(`${here}.operator`, value, problems.join(";")));
    } else if (operator === "Exists") {
      if (value) found.add(invalid(`${here}.operator`, value, "value must be empty when `operator` is 'Exists'"));
    } else if (operator === "Lt" || operator === "Gt") {
      found.add(notSupported(`${here}.operator`, operator, ["Equal", "Exists", "Lt", "Gt"]));
    } else found.add(notSupported(`${here}.operator`, operator, ["Equal", "Exists"]));
    if (effect && !effects.includes(effect)) found.add(notSupported(`${here}.effect`, effect, effects));
  }
}

export function validateAffinity(affinity: any, path: string, found: Found): void {
  if (!affinity) return;
  const required_ = "requiredDuringSchedulingIgnoredDuringExecution";
  const preferred = "preferredDuringSchedulingIgnoredDuringExecution";
  const node = affinity.nodeAffinity;
  if (node?.[required_]) validateNodeSelector(node[required_], `${path}.nodeAffinity.${required_}`, found);
  for (const [at, term] of (node?.[preferred] ?? []).entries()) {
    const here = `${path}.nodeAffinity.${preferred}[${at}]`;
    weight(term, here, found);
    nodeTerm(term.preference ?? {}, `${here}.preference`, false, found);
  }
  for (const kind of ["podAffinity", "podAntiAffinity"]) {
    for (const [at, term] of (affinity[kind]?.[required_] ?? []).entries()) {
      podTerm(term, `${path}.${kind}.${required_}[${at}]`, found);
    }
    for (const [at, term] of (affinity[kind]?.[preferred] ?? []).entries()) {
      const here = `${path}.${kind}.${preferred}[${at}]`;
      weight(term, here, found);
      podTerm(term.podAffinityTerm ?? {}, `${here}.podAffinityTerm`, found);
    }
  }
}

function weight({ weight = 0 }: any, path: string, found: Found): void {
  if (weight < 1 || weight > 100) found.add(invalid(`${path}.weight`, weight, "must be in the range 1-100"));
}

/** Which nodes, by their labels and fields. */
export function validateNodeSelector(selector: any, path: string, found: Found): void {
  const terms: any[] = selector.nodeSelectorTerms ?? [];
  if (terms.length === 0) {
    found.add(required(`${path}.nodeSelectorTerms`, "must have at least one node selector term"));
  }
  for (const [at, term] of terms.entries()) nodeTerm(term, `${path}.nodeSelectorTerms[${at}]`, true, found);
}

function nodeTerm(term: any, path: string, strict: boolean, found: Found): void {
  for (const [at, { key = "", operator = "", values = [] }] of (term.matchExpressions ?? []).entries()) {
    const here = `${path}.matchExpressions[${at}]`;
    if (operator === "In" || operator === "NotIn") {
      if (values.length === 0) {
        found.add(required(`${here}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
      }
    } else if (operator === "Exists" || operator === "DoesNotExist") {
      if (values.length > 0) {
        found.add(forbidden(`${here}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
      }
    } else if (operator === "Gt" || operator === "Lt") {
      if (values.length !== 1) {
        found.add(required(`${here}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"));
      }
    } else found.add(invalid(`${here}.operator`, operator, "not a valid selector operator"));
    found.named(isQualifiedName, key, `${here}.key`);
    if (strict)
      for (const [index, value] of values.entries()) found.named(isLabelValue, value, `${here}.values[${index}]`);
  }
  for (const [at, { key = "", operator = "", values = [] }] of (term.matchFields ?? []).entries()) {
    const here = `${path}.matchFields[${at}]`;
    if (operator !== "In" && operator !== "NotIn") {
      found.add(invalid(`${here}.operator`, operator, "not a valid selector operator"));
    } else if (values.length !== 1) {
      const problem = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
      found.add(required(`${here}.values`, problem));
    }
    if (key !== "metadata.name") found.add(invalid(`${here}.key`, key, "not a valid field selector key"));
    else for (const [index, value] of values.entries()) found.named(isDnsSubdomain, value, `${here}.values[${index}]`);
  }
}

function podTerm(term: any, path: string, found: Found): void {
  found.add(...validateSelector(term.labelSelector, `${path}.labelSelector`));
  found.add(...validateSelector(term.namespaceSelector, `${path}.namespaceSelector`));
  for (const name of term.namespaces ?? []) found.named(isDnsLabel, name, `${path}.namespace`);
  labelKeys(term, path, found);
  const { topologyKey = "" } = term;
  found.needed(topologyKey, `${path}.topologyKey`, "can not be empty");
  found.named(isQualifiedName, topologyKey, `${path}.topologyKey`);
}

/** Keys whose values are taken from the pod itself. */
function labelKeys(
  { labelSelector, matchLabelKeys = [], mismatchLabelKeys = [] }: any,
  path: string,
  found: Found,
): void {
  for (const [field, keys] of [
    ["matchLabelKeys", matchLabelKeys],
    ["mismatchLabelKeys", mismatchLabelKeys],
  ] as const) {
    if (keys.length === 0) continue;
    if (!labelSelector) found.add(forbidden(`${path}.${field}`, "must not be specified when labelSelector is not set"));
    else for (const [at, key] of keys.entries()) found.named(isQualifiedName, key, `${path}.${field}[${at}]`);
  }
  const seen = new Set(Object.keys(labelSelector?.matchLabels ?? {}));
  for (const { key } of labelSelector?.matchExpressions ?? []) {
    const at = matchLabelKeys.indexOf(key);
    if (at >= 0 && seen.has(key)) {
      found.add(invalid(`${path}[${at}]`, key, "exists in both matchLabelKeys and labelSelector"));
    }
    seen.add(key);
  }
  for (const [at, key] of matchLabelKeys.entries()) {
    if (!mismatchLabelKeys.includes(key)) continue;
    found.add(invalid(`${path}.matchLabelKeys[${at}]`, key, "exists in both matchLabelKeys and mismatchLabelKeys"));
  }
}

const unsatisfiable = ["DoNotSchedule", "ScheduleAnyway"];

export function validateSpread(list: any[], path: string, found: Found): void {
  for (const [at, constraint] of list.entries()) {
    const here = `${path}[${at}]`;
    const { maxSkew = 0, topologyKey = "", whenUnsatisfiable = "", minDomains } = constraint;
    if (maxSkew <= 0) found.add(invalid(`${here}.maxSkew`, maxSkew, "must be greater than zero"));
    found.needed(topologyKey, `${here}.topologyKey`, "can not be empty");
    if (!unsatisfiable.includes(whenUnsatisfiable)) {
      found.add(notSupported(`${here}.whenUnsatisfiable`, whenUnsatisfiable, unsatisfiable));
    }
    const again = list
      .slice(at + 1)
      .some((one) => (one.topologyKey ?? "") === topologyKey && (one.whenUnsatisfiable ?? "") === whenUnsatisfiable);
    if (again) {
      found.add(duplicate(`${here}.{topologyKey, whenUnsatisfiable}`, `{${topologyKey}, ${whenUnsatisfiable}}`));
    }
    if (minDomains !== undefined) {
      if (minDomains <= 0) found.add(invalid(`${here}.minDomains`, minDomains, "must be greater than zero"));
      if (whenUnsatisfiable !== "DoNotSchedule") {
        const problem = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable}`;
        found.add(invalid(`${here}.minDomains`, minDomains, problem));
      }
    }
    for (const field of ["nodeAffinityPolicy", "nodeTaintsPolicy"]) {
      found.option(constraint[field], ["Honor", "Ignore"], `${here}.${field}`);
    }
    labelKeys(constraint, here, found);
    found.add(...validateSelector(constraint.labelSelector, `${here}.labelSelector`));
  }
}
