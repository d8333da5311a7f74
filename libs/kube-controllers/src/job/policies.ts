import type { KubeObject } from "@tiphys/resources";
import { countIndexes, countShared, type Indexes, parseIndexes } from "./indexes.js";

type Action = "Ignore" | "FailIndex" | "Count" | "FailJob";

interface ExitCodes {
  readonly containerName?: string;
  readonly operator: string;
  readonly values?: readonly number[];
}
interface Pattern {
  readonly type: string;
  readonly status?: string;
}
interface Rule {
  readonly action: Action;
  readonly onExitCodes?: ExitCodes;
  readonly onPodConditions?: readonly Pattern[];
}
interface ContainerStatus {
  readonly name: string;
  readonly state?: { readonly terminated?: { readonly exitCode: number } };
}

/** What spec.podFailurePolicy makes of a failed pod. */
export interface Verdict {
  /** Why the whole job has to fail. */
  readonly failsJob?: string;
  /** Counts towards the back-off limits. */
  readonly counts: boolean;
  readonly action?: Action;
}

/** The first rule that matches `pod` decides; a failure that no rule matches counts. */
export function judgeFailure(job: KubeObject, pod: KubeObject): Verdict {
  for (const [index, rule] of ((job.spec.podFailurePolicy?.rules ?? []) as Rule[]).entries()) {
    const why = rule.onExitCodes
      ? exitCodeMatch(pod, rule.onExitCodes)
      : conditionMatch(pod, rule.onPodConditions ?? []);
    if (why === undefined) continue;
    if (rule.action === "Ignore") return { counts: false, action: rule.action };
    if (rule.action !== "FailJob") return { counts: true, action: rule.action };
    return { counts: true, action: rule.action, failsJob: `${why} matching FailJob rule at index ${index}` };
  }
  return { counts: true };
}

const named = (pod: KubeObject): string => `${pod.metadata.namespace}/${pod.metadata.name}`;

function exitCodeMatch(pod: KubeObject, { containerName, operator, values = [] }: ExitCodes): string | undefined {
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  for (const { name, state } of [...containerStatuses, ...initContainerStatuses] as ContainerStatus[]) {
    const code = state?.terminated?.exitCode;
    if (!code || (containerName !== undefined && containerName !== name)) continue;
    if (values.includes(code) !== (operator === "In")) continue;
    return `Container ${name} for pod ${named(pod)} failed with exit code ${code}`;
  }
  return undefined;
}

function conditionMatch(pod: KubeObject, patterns: readonly Pattern[]): string | undefined {
  for (const { type, status } of (pod.status?.conditions ?? []) as Pattern[]) {
    const matches = patterns.some((pattern) => pattern.type === type && (pattern.status ?? "True") === status);
    if (matches) return `Pod ${named(pod)} has condition ${type}`;
  }
  return undefined;
}

/** The message of the first rule of spec.successPolicy that the succeeded indexes fulfil. */
export function metSuccessPolicy(job: KubeObject, succeeded: Indexes): string | undefined {
  if (succeeded.length === 0) return undefined;
  type SuccessRule = { readonly succeededIndexes?: string; readonly succeededCount?: number };
  for (const [index, rule] of ((job.spec.successPolicy?.rules ?? []) as SuccessRule[]).entries()) {
    const { succeededIndexes, succeededCount } = rule;
    const wanted = parseIndexes(succeededIndexes, job.spec.completions ?? 0);
    if (succeededIndexes !== undefined && wanted.length === 0) continue;
    const reached = succeededIndexes === undefined ? countIndexes(succeeded) : countShared(wanted, succeeded);
    const all = succeededIndexes !== undefined && reached === countIndexes(wanted);
    if (all || (succeededCount !== undefined && reached >= succeededCount)) return `Matched rules at index ${index}`;
  }
  return undefined;
}
