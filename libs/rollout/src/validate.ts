import { messageOf } from "@tiphys/errors";
import type { CanaryStep, CanaryStrategy, Rollout } from "@tiphys/resources";
import { headroom, sufficientPods } from "./arithmetic.js";
import { maxWeightOf, pauseMilliseconds, stepKinds } from "./steps.js";

/** What is wrong with a field. */
export interface FieldProblem {
  readonly field: string;
  readonly problem: string;
}

const unimplemented = (what: string): string => `${what} is not implemented yet: see docs/compatibility.md`;

const DEFAULT_PROGRESS_DEADLINE = 600;
const stepsToCome = new Set(["experiment", "setHeaderRoute", "setMirrorRoute", "plugin"]);
const routersToCome = ["alb", "ambassador", "apisix", "appMesh", "istio", "plugins", "smi", "traefik"];

/** Everything in the spec that keeps a Rollout from working, with field paths; empty when it is good. */
export function validateRollout(rollout: Rollout): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  const say = (field: string, problem: string) => problems.push({ field, problem });
  const { spec } = rollout;
  if (!spec) return [{ field: "spec", problem: "Required value" }];
  if (spec.workloadRef) say("spec.workloadRef", unimplemented("workloadRef"));
  else checkTemplate(rollout, say);
  if (spec.replicas !== undefined && spec.replicas < 0) say("spec.replicas", "must be 0 or more");
  const minReady = spec.minReadySeconds ?? 0;
  if (minReady < 0) say("spec.minReadySeconds", "must be 0 or more");
  if ((spec.progressDeadlineSeconds ?? DEFAULT_PROGRESS_DEADLINE) <= minReady) {
    say("spec.progressDeadlineSeconds", "must be greater than minReadySeconds");
  }
  if (spec.revisionHistoryLimit !== undefined && spec.revisionHistoryLimit < 0) {
    say("spec.revisionHistoryLimit", "must be 0 or more");
  }
  const { strategy } = spec;
  if (strategy?.canary && strategy.blueGreen) say("spec.strategy", "set canary or blueGreen, not both");
  else if (strategy?.blueGreen) say("spec.strategy.blueGreen", unimplemented("the blueGreen strategy"));
  else if (strategy?.canary) checkCanary(strategy.canary, spec.replicas ?? 1, say);
  else say("spec.strategy", "Required value: set canary");
  return problems;
}

type Say = (field: string, problem: string) => void;

function checkTemplate(rollout: Rollout, say: Say): void {
  const { selector, template } = rollout.spec;
  const wanted = selector?.matchLabels ?? {};
  if (!selector || (Object.keys(wanted).length === 0 && !selector.matchExpressions?.length)) {
    say("spec.selector", "Required value");
  }
  if (!template?.spec) {
    say("spec.template", "Required value");
    return;
  }
  const labels = template.metadata?.labels ?? {};
  for (const [key, value] of Object.entries(wanted)) {
    if (labels[key] !== value)
      say("spec.template.metadata.labels", `\`selector\` does not match template \`labels\`: ${key}`);
  }
  const containers = template.spec["containers"];
  if (!Array.isArray(containers) || containers.length === 0) {
    say("spec.template.spec.containers", "Required value");
    return;
  }
  containers.forEach((container: { name?: unknown; image?: unknown }, index) => {
    for (const field of ["name", "image"] as const) {
      if (!container?.[field]) say(`spec.template.spec.containers[${index}].${field}`, "Required value");
    }
  });
}

function checkCanary(canary: CanaryStrategy, replicas: number, say: Say): void {
  const at = "spec.strategy.canary";
  for (const check of [() => headroom(canary, replicas), () => sufficientPods(canary, replicas)]) {
    try {
      check();
    } catch (error) {
      const [field = at, ...problem] = messageOf(error).split(": ");
      say(field, problem.join(": "));
    }
  }
  if (canary.antiAffinity) say(`${at}.antiAffinity`, unimplemented("antiAffinity"));
  if (canary.canaryMetadata) say(`${at}.canaryMetadata`, unimplemented("canaryMetadata"));
  if (canary.stableMetadata) say(`${at}.stableMetadata`, unimplemented("stableMetadata"));
  if (canary.pingPong) say(`${at}.pingPong`, unimplemented("pingPong"));
  if (canary.dynamicStableScale) say(`${at}.dynamicStableScale`, unimplemented("dynamicStableScale"));
  if (canary.canaryService && canary.canaryService === canary.stableService) {
    say(`${at}.canaryService`, "must not be the same Service as stableService");
  }
  checkRouting(canary, say);
  const starting = canary.analysis?.startingStep;
  if (starting !== undefined && (starting < 0 || starting >= (canary.steps?.length ?? 0))) {
    say(`${at}.analysis.startingStep`, `${starting} is no step: the canary has ${canary.steps?.length ?? 0}`);
  }
  if (canary.analysis && !canary.analysis.templates?.length) say(`${at}.analysis.templates`, "Required value");
  canary.steps?.forEach((step, index) => {
    checkStep(step, `${at}.steps[${index}]`, canary, say);
  });
}

function checkRouting(canary: CanaryStrategy, say: Say): void {
  const at = "spec.strategy.canary";
  const routing = canary.trafficRouting;
  if (!routing) {
    if (canary.scaleDownDelaySeconds !== undefined) {
      say(`${at}.scaleDownDelaySeconds`, "works with trafficRouting only");
    }
    return;
  }
  for (const router of routersToCome) {
    if (routing[router] !== undefined)
      say(`${at}.trafficRouting.${router}`, unimplemented(`the ${router} traffic router`));
  }
  const { nginx } = routing;
  if (routing.managedRoutes?.length) say(`${at}.trafficRouting.managedRoutes`, unimplemented("managedRoutes"));
  if (routing.maxTrafficWeight !== undefined && routing.maxTrafficWeight < 1) {
    say(`${at}.trafficRouting.maxTrafficWeight`, "must be 1 or more");
  }
  if (!nginx) {
    if (!routersToCome.some((router) => routing[router] !== undefined))
      say(`${at}.trafficRouting`, "set a router, such as nginx");
    return;
  }
  for (const field of ["stableService", "canaryService"] as const) {
    if (!canary[field]) say(`${at}.${field}`, "Required value with trafficRouting");
  }
  if (nginx.stableIngress && nginx.stableIngresses?.length) {
    say(`${at}.trafficRouting.nginx`, "set stableIngress or stableIngresses, not both");
  }
  if (!nginx.stableIngress && !nginx.stableIngresses?.length)
    say(`${at}.trafficRouting.nginx.stableIngress`, "Required value");
}

function checkStep(step: CanaryStep, at: string, canary: CanaryStrategy, say: Say): void {
  const kinds = stepKinds(step);
  if (kinds.length !== 1) {
    say(at, kinds.length === 0 ? "the step does nothing: set one kind" : `set one kind, not ${kinds.join(" and ")}`);
    return;
  }
  const kind = kinds[0] as string;
  if (stepsToCome.has(kind)) {
    say(`${at}.${kind}`, unimplemented(`the ${kind} step`));
    return;
  }
  const most = maxWeightOf(canary);
  if (step.setWeight !== undefined && (step.setWeight < 0 || step.setWeight > most)) {
    say(`${at}.setWeight`, `must be between 0 and ${most}`);
  }
  if (step.pause) {
    const duration = pauseMilliseconds(step.pause);
    if (duration !== undefined && !(duration >= 0)) {
      say(`${at}.pause.duration`, `"${step.pause.duration}" is no duration: give seconds or a text such as 1m30s`);
    }
  }
  if (step.analysis && !step.analysis.templates?.length) say(`${at}.analysis.templates`, "Required value");
  const scale = step.setCanaryScale;
  if (!scale) return;
  if (!canary.trafficRouting) say(`${at}.setCanaryScale`, "works with trafficRouting only");
  const set = [scale.weight !== undefined, scale.replicas !== undefined, scale.matchTrafficWeight === true].filter(
    Boolean,
  );
  if (set.length !== 1) say(`${at}.setCanaryScale`, "set one of weight, replicas and matchTrafficWeight");
}
