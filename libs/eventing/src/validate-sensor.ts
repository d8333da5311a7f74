import type { EventDependency, Sensor, Trigger, TriggerParameter, TriggerSource } from "@tiphys/resources";
import { type Conditions, compileConditions } from "./conditions.js";
import { type Check, compileFilters } from "./filters.js";
import { checkParameter } from "./parameters.js";
import { type RetryPolicy, retryPolicy } from "./retry.js";
import { type Problem, problemOf } from "./validate-source.js";

export const triggerTypes = ["k8s", "argoWorkflow", "http", "log"] as const;
export type TriggerType = (typeof triggerTypes)[number];

export interface CompiledDependency {
  readonly name: string;
  readonly eventSourceName: string;
  readonly eventName: string;
  /** Why an event is not for this dependency. */
  readonly check: Check;
}

/** One trigger, ready to take events. */
export interface CompiledTrigger {
  readonly name: string;
  readonly type: TriggerType;
  readonly spec: Trigger;
  /** Those that its conditions name. */
  readonly dependencies: readonly CompiledDependency[];
  readonly conditions: Conditions;
  readonly retry: RetryPolicy;
  readonly atLeastOnce: boolean;
}

export interface SensorPlan {
  readonly bus: string;
  readonly triggers: readonly CompiledTrigger[];
  readonly dependencyProblems: readonly Problem[];
  readonly triggerProblems: readonly Problem[];
  readonly unused: readonly string[];
}

const unusedFields = ["template", "errorOnFailedRound", "replicas", "revisionHistoryLimit", "loggingFields"];
const templateFields = new Set(["name", "conditions", "conditionsReset"]);
const k8sOperations = ["", "create", "update", "patch", "delete"];

/** Compiles a Sensor once; whatever cannot run is a problem with its field, and its trigger is left out. Pure. */
export function planSensor(sensor: Sensor): SensorPlan {
  const spec = sensor.spec ?? {};
  const dependencyProblems: Problem[] = [];
  const triggerProblems: Problem[] = [];
  const dependencies = new Map<string, CompiledDependency>();
  if (!spec.dependencies?.length) {
    dependencyProblems.push({ code: "InvalidArgument", field: "spec.dependencies", message: "names no dependency" });
  }
  for (const [index, dependency] of (spec.dependencies ?? []).entries()) {
    const field = `spec.dependencies[${index}]`;
    const missing = (["name", "eventSourceName", "eventName"] as const).find((key) => !dependency[key]);
    if (missing) {
      dependencyProblems.push({ code: "InvalidArgument", field: `${field}.${missing}`, message: "is missing" });
    } else if (dependencies.has(dependency.name)) {
      const message = `dependency ${dependency.name} exists twice`;
      dependencyProblems.push({ code: "InvalidArgument", field: `${field}.name`, message });
    } else {
      try {
        dependencies.set(dependency.name, compileDependency(dependency));
      } catch (error) {
        dependencyProblems.push(problemOf(`${field}.filters`, error));
      }
    }
  }

  const names = (spec.dependencies ?? []).map((dependency) => dependency.name);
  const triggers: CompiledTrigger[] = [];
  const seen = new Set<string>();
  if (!spec.triggers?.length) {
    triggerProblems.push({ code: "InvalidArgument", field: "spec.triggers", message: "names no trigger" });
  }
  for (const [index, trigger] of (spec.triggers ?? []).entries()) {
    const field = `spec.triggers[${index}]`;
    const name = trigger.template?.name;
    if (!name) {
      triggerProblems.push({ code: "InvalidArgument", field: `${field}.template.name`, message: "is missing" });
      continue;
    }
    if (seen.has(name)) {
      triggerProblems.push({
        code: "InvalidArgument",
        field: `${field}.template.name`,
        message: `trigger ${name} exists twice`,
      });
      continue;
    }
    seen.add(name);
    const problems = triggerFieldProblems(trigger, field, names);
    triggerProblems.push(...problems);
    if (problems.length > 0) continue;
    try {
      const conditions = compileConditions(trigger.template?.conditions, names);
      const used = conditions.names.map((dependency) => dependencies.get(dependency));
      // A dependency that did not compile has its own problem already; a trigger without it would never be right.
      if (used.includes(undefined)) continue;
      triggers.push({
        name,
        type: triggerTypeOf(trigger)!,
        spec: trigger,
        dependencies: used as CompiledDependency[],
        conditions,
        retry: retryPolicy(trigger.retryStrategy),
        atLeastOnce: trigger.atLeastOnce !== false,
      });
    } catch (error) {
      triggerProblems.push(problemOf(field, error));
    }
  }
  const unused = unusedFields.filter((key) => spec[key as keyof typeof spec] !== undefined).map((key) => `spec.${key}`);
  return { bus: spec.eventBusName || "default", triggers, dependencyProblems, triggerProblems, unused };
}

const compileDependency = (dependency: EventDependency): CompiledDependency => ({
  name: dependency.name,
  eventSourceName: dependency.eventSourceName,
  eventName: dependency.eventName,
  check: compileFilters(dependency),
});

const typesIn = (trigger: Trigger): string[] =>
  Object.keys(trigger.template ?? {}).filter(
    (key) => !templateFields.has(key) && trigger.template?.[key] !== undefined,
  );

/** The type of a trigger that passed validation. */
export const triggerTypeOf = (trigger: Trigger): TriggerType | undefined =>
  typesIn(trigger)[0] as TriggerType | undefined;

function triggerFieldProblems(
  trigger: Trigger,
  field: string,
  dependencies: readonly string[],
  nested = false,
): Problem[] {
  const problems: Problem[] = [];
  const invalid = (at: string, message: string) =>
    problems.push({ code: "InvalidArgument", field: `${field}.${at}`, message });
  const unimplemented = (at: string, what: string) =>
    problems.push({
      code: "Unimplemented",
      field: `${field}.${at}`,
      message: `${what} is not implemented yet: see docs/compatibility.md`,
    });
  const types = typesIn(trigger);
  if (types.length !== 1)
    invalid(
      "template",
      types.length === 0 ? "names no trigger type" : `names ${types.sort().join(" and ")}; one is allowed`,
    );
  for (const type of types) {
    if (!triggerTypes.includes(type as TriggerType)) unimplemented(`template.${type}`, `trigger type ${type}`);
  }
  const { template } = trigger;
  if (template?.conditionsReset?.length) unimplemented("template.conditionsReset", "conditionsReset");
  if (trigger.rateLimit) unimplemented("rateLimit", "rateLimit");
  if (trigger.policy?.k8s) unimplemented("policy.k8s", "policy.k8s");
  if (trigger.dlqTrigger && nested) invalid("dlqTrigger", "a dlqTrigger cannot have one of its own");
  if (trigger.dlqTrigger && trigger.atLeastOnce === false) invalid("dlqTrigger", "needs atLeastOnce");
  if (trigger.dlqTrigger && !nested) {
    problems.push(...triggerFieldProblems(trigger.dlqTrigger, `${field}.dlqTrigger`, dependencies, true));
  }

  if (template?.log?.intervalSeconds !== undefined) {
    unimplemented("template.log.intervalSeconds", "log intervalSeconds");
  }
  const parameterLists: [string, readonly TriggerParameter[] | undefined][] = [["parameters", trigger.parameters]];
  if (template?.k8s) {
    const { source, operation = "", patchStrategy, liveObject } = template.k8s;
    if (!k8sOperations.includes(operation))
      invalid("template.k8s.operation", `"${operation}" is not one of create, update, patch, delete`);
    if (patchStrategy && !patchTypes[patchStrategy])
      invalid("template.k8s.patchStrategy", `"${patchStrategy}" is not known`);
    if (liveObject) unimplemented("template.k8s.liveObject", "liveObject");
    sourceProblems("template.k8s.source", source);
    parameterLists.push(["template.k8s.parameters", template.k8s.parameters]);
  }
  if (template?.argoWorkflow) {
    const { source, operation = "submit", args } = template.argoWorkflow;
    if (operation !== "submit" && operation !== "")
      unimplemented("template.argoWorkflow.operation", `argoWorkflow operation ${operation}`);
    if (args?.length) unimplemented("template.argoWorkflow.args", "argoWorkflow args");
    sourceProblems("template.argoWorkflow.source", source);
    parameterLists.push(["template.argoWorkflow.parameters", template.argoWorkflow.parameters]);
  }
  if (template?.http) {
    const { http } = template;
    if (!/^https?:\/\//.test(http.url ?? ""))
      invalid("template.http.url", `"${http.url ?? ""}" is not an http or https URL`);
    if (http.timeout !== undefined && !(http.timeout > 0))
      invalid("template.http.timeout", `${http.timeout} is not a time in seconds`);
    if (http.tls?.clientCertSecret || http.tls?.clientKeySecret)
      unimplemented("template.http.tls.clientCertSecret", "client certificates");
    parameterLists.push(["template.http.parameters", http.parameters], ["template.http.payload", http.payload]);
    parameterLists.push(["template.http.dynamicHeaders", http.dynamicHeaders]);
  }
  for (const [list, parameters] of parameterLists) {
    for (const [index, parameter] of (parameters ?? []).entries()) {
      const at = `${field}.${list}[${index}]`;
      try {
        checkParameter(parameter, at, dependencies);
        if (!parameter.dest && list !== "template.http.payload") invalid(`${list}[${index}].dest`, "is missing");
      } catch (error) {
        problems.push(problemOf(at, error));
      }
    }
  }
  return problems;

  function sourceProblems(at: string, source: TriggerSource | undefined): void {
    const given = Object.keys(source ?? {}).filter((key) => source?.[key] !== undefined);
    if (given.length !== 1) invalid(at, given.length === 0 ? "is missing" : "names more than one source");
    for (const key of given)
      if (key !== "resource" && key !== "inline") unimplemented(`${at}.${key}`, `trigger source ${key}`);
  }
}

/** Patch types of the originals' patchStrategy. */
export const patchTypes: Readonly<Record<string, "json" | "merge" | "strategic" | "apply">> = {
  "application/json-patch+json": "json",
  "application/merge-patch+json": "merge",
  "application/strategic-merge-patch+json": "strategic",
  "application/apply-patch+yaml": "apply",
};
