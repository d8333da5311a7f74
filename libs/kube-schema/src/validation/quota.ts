// biome-ignore-all lint/suspicious/noExplicitAny: objects were decoded against their schemas and defaulted before
import { compareQuantities, isQualifiedName, parseQuantity } from "@tiphys/kube-values";
import type { KubeObject } from "@tiphys/resources";
import { duplicate, type FieldError, forbidden, invalid, required } from "../field-error.js";
import { containerResourceName, mayOvercommit, resourceAmount, resourceName } from "./pod/resources.js";

const ofQuotas = new Set(
  "cpu memory ephemeral-storage requests.cpu requests.memory requests.storage requests.ephemeral-storage limits.cpu limits.memory limits.ephemeral-storage pods resourcequotas services replicationcontrollers secrets persistentvolumeclaims configmaps services.nodeports services.loadbalancers".split(
    " ",
  ),
);
const isOfQuotas = (name: string): boolean => ofQuotas.has(name) || /^(requests\.)?hugepages-/.test(name);
const compute = ["cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"];
const podScopes = ["Terminating", "NotTerminating", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity"];
/** What each scope may be about. */
const ofScope: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(podScopes.map((scope) => [scope, ["pods", ...compute]])),
  BestEffort: ["pods"],
  VolumeAttributesClass: ["persistentvolumeclaims", "requests.storage"],
};
const existing = new Set(["Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "CrossNamespacePodAffinity"]);

function checkAmounts(amounts: Record<string, string> | undefined, path: string): FieldError[] {
  return Object.entries(amounts ?? {}).flatMap(([name, amount]) => {
    const here = `${path}[${name}]`;
    const errors = resourceName(name, here);
    if (!name.includes("/") && !isOfQuotas(name)) {
      errors.push(invalid(here, name, "must be a standard resource for quota"));
    }
    return [...errors, ...resourceAmount(name, amount, here)];
  });
}

/** Whether each scope exists and fits what is limited, and none excludes another. */
function checkScopes(
  names: readonly string[],
  hard: object,
  path: string,
  scopePath: string,
  shown: unknown,
  all: unknown,
) {
  const errors: FieldError[] = [];
  for (const name of names) {
    const may = ofScope[name];
    if (!may) errors.push(invalid(scopePath, scopePath === path ? shown : name, "unsupported scope"));
    for (const resource of Object.keys(hard).sort()) {
      if (isOfQuotas(resource) && may && !may.includes(resource)) {
        errors.push(invalid(path, shown, "unsupported scope applied to resource"));
      }
    }
  }
  for (const pair of [
    ["BestEffort", "NotBestEffort"],
    ["Terminating", "NotTerminating"],
  ]) {
    if (pair.every((name) => names.includes(name))) errors.push(invalid(path, all, "conflicting scopes"));
  }
  return errors;
}

export function validateQuota(object: KubeObject, old?: KubeObject): FieldError[] {
  const { hard = {}, scopes = [], scopeSelector } = object["spec"] ?? {};
  const errors = checkAmounts(hard, "spec.hard");
  if (scopes.length > 0) errors.push(...checkScopes(scopes, hard, "spec.scopes", "spec.scopes", scopes, scopes));
  const expressions = (scopeSelector?.matchExpressions ?? []) as any[];
  const path = "spec.scopeSelector.matchExpressions";
  const names = expressions.map(({ scopeName = "" }) => scopeName);
  if (scopeSelector) {
    errors.push(...checkScopes(names, hard, path, `${path}.scopeName`, shownSelector(scopeSelector), scopes));
  }
  for (const { scopeName = "", operator = "", values = [] } of expressions) {
    if (existing.has(scopeName) && operator !== "Exists") {
      const problem =
        "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
      errors.push(invalid(`${path}.operator`, operator, problem));
    }
    if (operator === "In" || operator === "NotIn") {
      if (values.length > 0) continue;
      const problem = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
      errors.push(required(`${path}.values`, problem));
    } else if (operator === "Exists" || operator === "DoesNotExist") {
      if (values.length === 0) continue;
      const problem = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
      errors.push(invalid(`${path}.values`, values, problem));
    } else errors.push(invalid(`${path}.operator`, operator, "not a valid selector operator"));
  }
  if (old) {
    const before = new Set<string>(old["spec"]?.scopes ?? []);
    if (before.size !== new Set(scopes).size || !scopes.every((scope: string) => before.has(scope))) {
      errors.push(invalid("spec.scopes", scopes.length > 0 ? scopes : null, "field is immutable"));
    }
  }
  return errors;
}

const shownSelector = ({ matchExpressions = [] }: any) => ({
  MatchExpressions: matchExpressions.map(({ scopeName = "", operator = "", values = null }: any) => ({
    ScopeName: scopeName,
    Operator: operator,
    Values: values,
  })),
});

export const validateQuotaStatus = ({ status }: KubeObject): FieldError[] => [
  ...checkAmounts(status?.hard, "status.hard"),
  ...checkAmounts(status?.used, "status.used"),
];

const limitTypes = ["Container", "Pod", "PersistentVolumeClaim"];

function checkLimitType(type: string, path: string): FieldError[] {
  const problems = isQualifiedName(type).map((problem) => invalid(path, type, problem));
  if (problems.length > 0 || type.includes("/") || limitTypes.includes(type)) return problems;
  return [invalid(path, type, "must be a standard limit type or fully qualified")];
}

type Amounts = Readonly<Record<string, string>>;

function checkLimit(limit: any, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { type = "" } = limit;
  const named = type === "Pod" || type === "Container" ? containerResourceName : resourceName;
  const of = (field: string): Amounts => limit[field] ?? {};
  const check = (field: string): Amounts => {
    for (const name of Object.keys(of(field))) errors.push(...named(name, `${path}.${field}[${name}]`));
    return of(field);
  };
  const max = check("max");
  const min = check("min");
  let standard: Amounts = {};
  let asked: Amounts = {};
  if (type === "Pod") {
    for (const field of ["default", "defaultRequest"]) {
      if (Object.keys(of(field)).length === 0) continue;
      errors.push(forbidden(`${path}.${field}`, "may not be specified when `type` is 'Pod'"));
    }
  } else {
    standard = check("default");
    asked = check("defaultRequest");
  }
  if (type === "PersistentVolumeClaim" && min["storage"] === undefined && max["storage"] === undefined) {
    const problem = "either minimum or maximum storage value is required, but neither was provided";
    errors.push(required(`${path}.limits`, problem));
  }
  const ratios = check("maxLimitRequestRatio");
  for (const name of new Set(Object.keys({ ...max, ...min, ...standard, ...asked, ...ratios }))) {
    const above = (a: string | undefined, b: string | undefined) => {
      const [x, y] = [parseQuantity(a ?? ""), parseQuantity(b ?? "")];
      return a !== undefined && b !== undefined && x !== undefined && y !== undefined && compareQuantities(x, y) > 0;
    };
    const [least, most, usual, request, ratio] = [min[name], max[name], standard[name], asked[name], ratios[name]];
    const refuse = (field: string, shown: string | undefined, problem: string) =>
      errors.push(invalid(`${path}.${field}[${name}]`, shown, problem));
    if (above(least, most)) refuse("min", least, `min value ${least} is greater than max value ${most}`);
    if (above(least, request)) {
      refuse("defaultRequest", request, `min value ${least} is greater than default request value ${request}`);
    }
    if (above(request, most)) {
      refuse("defaultRequest", request, `default request value ${request} is greater than max value ${most}`);
    }
    if (above(request, usual)) {
      refuse(
        "defaultRequest",
        request,
        `default request value ${request} is greater than default limit value ${usual}`,
      );
    }
    if (above(least, usual)) refuse("default", least, `min value ${least} is greater than default value ${usual}`);
    if (above(usual, most)) refuse("default", most, `default value ${usual} is greater than max value ${most}`);
    if (ratio !== undefined) {
      if (above("1", ratio)) refuse("maxLimitRequestRatio", ratio, `ratio ${ratio} is less than 1`);
      const [low, high, wanted] = [least, most, ratio].map((amount) =>
        Number(parseQuantity(amount ?? "")?.nanos ?? 0n),
      );
      if (least !== undefined && most !== undefined && (wanted ?? 0) / 1e9 > (high ?? 0) / (low ?? 1)) {
        const limit = ((high ?? 0) / (low ?? 1)).toFixed(6);
        refuse("maxLimitRequestRatio", ratio, `ratio ${ratio} is greater than max/min = ${limit}`);
      }
    }
    if (!mayOvercommit(name) && usual !== undefined && request !== undefined && usual !== request) {
      const problem = `default value ${usual} must equal to defaultRequest value ${request} in ${name}`;
      refuse("defaultRequest", request, problem);
    }
  }
  return errors;
}

export function validateLimitRange(object: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [at, limit] of ((object["spec"]?.limits ?? []) as any[]).entries()) {
    const path = `spec.limits[${at}]`;
    const { type = "" } = limit;
    errors.push(...checkLimitType(type, `${path}.type`));
    if (seen.has(type)) errors.push(duplicate(`${path}.type`, type));
    seen.add(type);
    errors.push(...checkLimit(limit, path));
  }
  return errors;
}
