import { codeOf, UnimplementedError } from "@tiphys/errors";
import { applyParameters, triggerTypeOf } from "@tiphys/eventing";
import type { Trigger, TriggerTemplate } from "@tiphys/resources";
import type { TriggerContext, TriggerResult } from "./context.js";
import { runHttpTrigger } from "./http.js";
import { runKubeTrigger, runWorkflowTrigger } from "./kube-object.js";

/** Runs one trigger once. Safe to repeat with the same `runId`: objects are made once, receivers get the same key. */
export async function executeTrigger(trigger: Trigger, context: TriggerContext): Promise<TriggerResult> {
  const template: TriggerTemplate = applyParameters(trigger.template!, trigger.parameters, context.events);
  const type = triggerTypeOf({ ...trigger, template });
  if (type === "k8s") return runKubeTrigger(template.k8s!, context);
  if (type === "argoWorkflow") return runWorkflowTrigger(template.argoWorkflow!, context);
  if (type === "http") return runHttpTrigger(template.http!, trigger.policy, context);
  if (type === "log") {
    const events = Object.values(context.events).map(({ id, source, subject }) => `${source}/${subject} ${id}`);
    context.log.info("log trigger", { sensor: context.sensor, trigger: context.trigger, events });
    return { summary: `logged ${events.length === 1 ? "the event" : `${events.length} events`}` };
  }
  throw new UnimplementedError(`trigger type ${type ?? "(none)"}`);
}

/** Codes after which the same run would fail again. */
const permanent = new Set(["InvalidArgument", "AlreadyExists", "Unimplemented"]);

/** True when trying the run again makes no sense until somebody changes something. */
export const isPermanent = (error: unknown): boolean => permanent.has(codeOf(error));
