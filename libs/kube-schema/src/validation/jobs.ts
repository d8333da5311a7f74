// biome-ignore-all lint/suspicious/noExplicitAny: objects were decoded against their schemas and defaulted before
import { deepEqual } from "@tiphys/canonical-json";
import { InvalidScheduleError, isTimeZone, parseSchedule } from "@tiphys/cron";
import { isDnsLabel, isQualifiedName } from "@tiphys/kube-values";
import type { KubeObject } from "@tiphys/resources";
import { duplicate, type FieldError, invalid, notSupported, required, sortedMap, tooMany } from "../field-error.js";
import { selects, validateSelector } from "./metadata.js";
import { counts, validateTemplate } from "./workloads.js";

const restartPolicies = ["OnFailure", "Never"];
const mostParallel = 100_000;
const mostFailedIndexes = 100_000;
const manyCompletions = 100_000;
const mostParallelOfMany = 10_000;
const mostFailedOfMany = 10_000;

function validateJobSpec(spec: any, path: string): FieldError[] {
  const errors = counts(
    spec,
    [
      "parallelism",
      "completions",
      "activeDeadlineSeconds",
      "backoffLimit",
      "ttlSecondsAfterFinished",
      "backoffLimitPerIndex",
      "maxFailedIndexes",
    ],
    path,
  );
  const { maxFailedIndexes, backoffLimitPerIndex, completionMode: mode } = spec;
  if (maxFailedIndexes !== undefined && backoffLimitPerIndex === undefined) {
    errors.push(required(`${path}.backoffLimitPerIndex`, "when maxFailedIndexes is specified"));
  }
  if (mode !== undefined && mode !== "NonIndexed" && mode !== "Indexed") {
    errors.push(notSupported(`${path}.completionMode`, mode, ["NonIndexed", "Indexed"]));
  }
  if (mode === "Indexed") errors.push(...indexed(spec, path));
  if (mode === undefined || mode === "NonIndexed") {
    for (const field of ["backoffLimitPerIndex", "maxFailedIndexes"]) {
      if (spec[field] === undefined) continue;
      errors.push(invalid(`${path}.${field}`, spec[field], "requires indexed completion mode"));
    }
  }
  if (spec.podFailurePolicy) errors.push(...failurePolicy(spec, `${path}.podFailurePolicy`));
  if (spec.successPolicy) {
    if (mode === "Indexed") errors.push(...successPolicy(spec, `${path}.successPolicy`));
    else {
      const shown = {
        Rules: (spec.successPolicy.rules ?? []).map((rule: any) => ({
          SucceededIndexes: rule.succeededIndexes ?? null,
          SucceededCount: rule.succeededCount ?? null,
        })),
      };
      errors.push(invalid(`${path}.successPolicy`, shown, "requires indexed completion mode"));
    }
  }
  const replacement = spec.podReplacementPolicy;
  const replacements = spec.podFailurePolicy ? ["Failed"] : ["Failed", "TerminatingOrFailed"];
  if (replacement !== undefined && !replacements.includes(replacement)) {
    errors.push(notSupported(`${path}.podReplacementPolicy`, replacement, replacements));
  }
  errors.push(...validateTemplate(spec.template, `${path}.template`));
  const policy = spec.template?.spec?.restartPolicy ?? "";
  const at = `${path}.template.spec.restartPolicy`;
  if (policy === "Always" || policy === "") errors.push(required(at, 'valid values: "OnFailure", "Never"'));
  else if (!restartPolicies.includes(policy)) errors.push(notSupported(at, policy, restartPolicies));
  else if (spec.podFailurePolicy && policy !== "Never") {
    errors.push(invalid(at, policy, 'only "Never" is supported when podFailurePolicy is specified'));
  }
  return errors;
}

function indexed(spec: any, path: string): FieldError[] {
  const { completions, parallelism, maxFailedIndexes: failed, backoffLimitPerIndex } = spec;
  const errors: FieldError[] = [];
  if (completions === undefined) errors.push(required(`${path}.completions`, "when completion mode is Indexed"));
  if (parallelism > mostParallel) {
    const problem = `must be less than or equal to ${mostParallel} when completion mode is Indexed`;
    errors.push(invalid(`${path}.parallelism`, parallelism, problem));
  }
  if (failed > completions) {
    errors.push(invalid(`${path}.maxFailedIndexes`, failed, "must be less than or equal to completions"));
  }
  if (failed > mostFailedIndexes) {
    errors.push(invalid(`${path}.maxFailedIndexes`, failed, `must be less than or equal to ${mostFailedIndexes}`));
  }
  if (!(completions > manyCompletions) || backoffLimitPerIndex === undefined) return errors;
  const when = `when completions are above ${manyCompletions} and used with backoff limit per index`;
  if (failed === undefined) {
    errors.push(required(`${path}.maxFailedIndexes`, `must be specified when completions is above ${manyCompletions}`));
  }
  if (parallelism > mostParallelOfMany) {
    const problem = `must be less than or equal to ${mostParallelOfMany} ${when}`;
    errors.push(invalid(`${path}.parallelism`, parallelism, problem));
  }
  if (failed > mostFailedOfMany) {
    const problem = `must be less than or equal to ${mostFailedOfMany} ${when}`;
    errors.push(invalid(`${path}.maxFailedIndexes`, failed, problem));
  }
  return errors;
}

const mostRules = 20;
const mostValues = 255;
const actions = ["Count", "FailIndex", "FailJob", "Ignore"];
const quotedList = (list: readonly string[]): string => `[${list.map((one) => JSON.stringify(one)).join(" ")}]`;

function failurePolicy(spec: any, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const rules: any[] = spec.podFailurePolicy.rules ?? [];
  if (rules.length > mostRules) errors.push(tooMany(`${path}.rules`, rules.length, mostRules));
  const pod = spec.template?.spec ?? {};
  const names = new Set([...(pod.containers ?? []), ...(pod.initContainers ?? [])].map(({ name }: any) => name));
  for (const [at, rule] of rules.entries()) {
    const here = `${path}.rules[${at}]`;
    if (!rule.action) errors.push(required(`${here}.action`, `valid values: ${quotedList(actions)}`));
    else if (rule.action === "FailIndex") {
      if (spec.backoffLimitPerIndex === undefined) {
        errors.push(invalid(`${here}.action`, rule.action, "requires the backoffLimitPerIndex to be set"));
      }
    } else if (!actions.includes(rule.action)) errors.push(notSupported(`${here}.action`, rule.action, actions));
    if (rule.onExitCodes) errors.push(...exitCodes(rule.onExitCodes, `${here}.onExitCodes`, names));
    const conditions: any[] = rule.onPodConditions ?? [];
    errors.push(...podConditions(conditions, `${here}.onPodConditions`));
    const omitted = (problem: string): FieldError => ({
      field: here,
      reason: "FieldValueInvalid",
      message: `Invalid value: ${problem}`,
    });
    if (rule.onExitCodes && conditions.length > 0) {
      errors.push(omitted("specifying both OnExitCodes and OnPodConditions is not supported"));
    }
    if (!rule.onExitCodes && conditions.length === 0) {
      errors.push(omitted("specifying one of OnExitCodes and OnPodConditions is required"));
    }
  }
  return errors;
}

function podConditions(list: any[], path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (list.length > mostRules) errors.push(tooMany(path, list.length, mostRules));
  const statuses = ["False", "True", "Unknown"];
  for (const [at, { type = "", status = "" }] of list.entries()) {
    for (const problem of isQualifiedName(type)) errors.push(invalid(`${path}[${at}].type`, type, problem));
    if (!status) errors.push(required(`${path}[${at}].status`, `valid values: ${quotedList(statuses)}`));
    else if (!statuses.includes(status)) errors.push(notSupported(`${path}[${at}].status`, status, statuses));
  }
  return errors;
}

function exitCodes(codes: any, path: string, names: ReadonlySet<string>): FieldError[] {
  const errors: FieldError[] = [];
  const { operator = "", containerName, values = [] } = codes;
  const operators = ["In", "NotIn"];
  if (!operator) errors.push(required(`${path}.operator`, `valid values: ${quotedList(operators)}`));
  else if (!operators.includes(operator)) errors.push(notSupported(`${path}.operator`, operator, operators));
  if (containerName !== undefined && !names.has(containerName)) {
    const problem = "must be one of the container or initContainer names in the pod template";
    errors.push(invalid(`${path}.containerName`, containerName, problem));
  }
  if (values.length === 0)
    errors.push(invalid(`${path}.values`, codes.values ?? null, "at least one value is required"));
  else if (values.length > mostValues) errors.push(tooMany(`${path}.values`, values.length, mostValues));
  const seen = new Set<number>();
  for (const [at, value] of values.entries()) {
    const here = `${path}.values[${at}]`;
    if (operator === "In" && value === 0) errors.push(invalid(here, value, "must not be 0 for the In operator"));
    if (seen.has(value)) errors.push(duplicate(here, value));
    seen.add(value);
  }
  if (values.some((value: number, at: number) => at > 0 && values[at - 1] > value)) {
    errors.push(invalid(`${path}.values`, values, "must be ordered"));
  }
  return errors;
}

function successPolicy(spec: any, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const rules: any[] = spec.successPolicy.rules ?? [];
  if (rules.length === 0) {
    errors.push(required(`${path}.rules`, "at least one rules must be specified when the successPolicy is specified"));
  }
  if (rules.length > mostRules) errors.push(tooMany(`${path}.rules`, rules.length, mostRules));
  for (const [at, { succeededCount: count, succeededIndexes: indexes }] of rules.entries()) {
    const here = `${path}.rules[${at}]`;
    if (count === undefined && indexes === undefined) {
      errors.push(required(here, "at least one of succeededCount or succeededIndexes must be specified"));
    }
    if (count === undefined) continue;
    errors.push(...counts({ succeededCount: count }, ["succeededCount"], here));
    if (count > spec.completions) {
      const problem = `must be less than or equal to ${spec.completions} (the number of specified completions)`;
      errors.push(invalid(`${here}.succeededCount`, count, problem));
    }
  }
  return errors;
}

const sortedSelector = (selector: any): unknown =>
  selector.matchLabels ? { ...selector, matchLabels: sortedMap(selector.matchLabels) } : selector;

/** A selector that the server has made up finds the pods of this Job and of no other. */
function generatedSelector({ metadata, spec }: KubeObject): FieldError[] {
  if (!spec || spec.manualSelector || !spec.selector) return [];
  const labels = spec.template?.metadata?.labels ?? {};
  const errors: FieldError[] = [];
  const expected: Record<string, string> = {};
  for (const [label, value] of [
    ["controller-uid", metadata.uid ?? ""],
    ["job-name", metadata.name],
    ["batch.kubernetes.io/controller-uid", metadata.uid ?? ""],
    ["batch.kubernetes.io/job-name", metadata.name],
  ] as const) {
    expected[label] = value;
    const field = `spec.template.metadata.labels[${label}]`;
    const problem = `must be '${value}'`;
    if (labels[label] === undefined) errors.push(required(field, problem));
    else if (labels[label] !== value) errors.push(invalid(field, sortedMap(labels), problem));
  }
  if (validateSelector(spec.selector, "").length === 0 && !selects(spec.selector, expected)) {
    errors.push(invalid("spec.selector", sortedSelector(spec.selector), "`selector` not auto-generated"));
  }
  return errors;
}

export function validateJob(object: KubeObject, old?: KubeObject): FieldError[] {
  const spec = object["spec"] ?? {};
  const errors = [...(old === undefined ? generatedSelector(object) : []), ...validateJobSpec(spec, "spec")];
  const selector = validateSelector(spec.selector, "spec.selector");
  errors.push(...selector);
  const labels = spec.template?.metadata?.labels ?? {};
  if (spec.selector && selector.length === 0 && !selects(spec.selector, labels)) {
    const problem = "`selector` does not match template `labels`";
    errors.push(invalid("spec.template.metadata.labels", sortedMap(labels), problem));
  }
  if (old === undefined) {
    if (spec.completionMode === "Indexed" && spec.completions > 0) {
      const longest = `${object.metadata.name}-${spec.completions - 1}`;
      if (isDnsLabel(longest).length > 0) {
        const problem = `will not able to create pod with invalid DNS label: ${longest}`;
        errors.push(invalid("metadata.name", object.metadata.name, problem));
      }
    }
    return errors;
  }
  const was = old["spec"] ?? {};
  const fixed = (field: string) => {
    if (deepEqual(spec[field] ?? null, was[field] ?? null)) return;
    errors.push(invalid(`spec.${field}`, spec[field] ?? null, immutable));
  };
  // An indexed job may grow or shrink with its parallelism.
  const elastic =
    spec.completionMode === "Indexed" &&
    was.completionMode === "Indexed" &&
    spec.completions === spec.parallelism &&
    spec.completions !== undefined;
  if (!elastic) fixed("completions");
  for (const field of [
    "selector",
    "completionMode",
    "podFailurePolicy",
    "backoffLimitPerIndex",
    "managedBy",
    "successPolicy",
  ])
    fixed(field);
  if (!deepEqual(schedulable(spec.template, was, old), schedulable(was.template, was, old))) fixed("template");
  return errors;
}

const immutable = "field is immutable";

/** A template without what may still change while a suspended job has not started. */
function schedulable(template: any, was: any, old: KubeObject): any {
  if (!was.suspend || old["status"]?.startTime || !template) return template;
  const { nodeSelector: _, tolerations: __, schedulingGates: ___, affinity, ...spec } = template.spec ?? {};
  const { nodeAffinity: ____, ...rest } = affinity ?? {};
  const { labels: _labels, annotations: _annotations, ...metadata } = template.metadata ?? {};
  return { ...template, metadata, spec: { ...spec, affinity: rest } };
}

/** What is wrong with a schedule, in the words of the original. */
function scheduleProblems(schedule: string): string[] {
  try {
    parseSchedule(schedule);
    return [];
  } catch (error) {
    return [error instanceof InvalidScheduleError ? error.problem : String(error)];
  }
}

function zoneProblem(zone: string): string | undefined {
  if (zone === "") return "timeZone must be nil or non-empty string";
  if (/^\s*local\s*$/i.test(zone)) {
    return "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
  }
  return isTimeZone(zone) ? undefined : `unknown time zone ${zone}`;
}

export function validateCronJob(object: KubeObject): FieldError[] {
  const spec = object["spec"] ?? {};
  const errors = validateJobSpec(spec.jobTemplate?.spec ?? {}, "spec.jobTemplate.spec");
  const schedule: string = spec.schedule ?? "";
  if (schedule === "") errors.push(required("spec.schedule"));
  else {
    const problems = scheduleProblems(schedule);
    if (schedule.includes("TZ")) problems.push("cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
    for (const problem of problems) errors.push(invalid("spec.schedule", schedule, problem));
  }
  const zone: string | undefined = spec.timeZone;
  const unknown = zone === undefined ? undefined : zoneProblem(zone);
  if (unknown !== undefined) errors.push(invalid("spec.timeZone", zone, unknown));
  errors.push(...counts(spec, ["startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"]));
  const policies = ["Allow", "Forbid", "Replace"];
  if (!policies.includes(spec.concurrencyPolicy))
    errors.push(notSupported("spec.concurrencyPolicy", spec.concurrencyPolicy, policies));
  return errors;
}
