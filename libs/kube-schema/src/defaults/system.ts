// biome-ignore-all lint/suspicious/noExplicitAny: defaulting walks objects of builtin kinds, decoded against their schemas before
import { fill } from "./pod.js";

// Kinds that tell the control plane itself how to work.

function fillRule(rule: any): void {
  if (!rule.scope) rule.scope = "*";
}

export function fillWebhooks({ kind, webhooks }: any): void {
  for (const webhook of webhooks ?? []) {
    fill(webhook, "failurePolicy", "Fail");
    fill(webhook, "matchPolicy", "Equivalent");
    fill(webhook, "namespaceSelector", {});
    fill(webhook, "objectSelector", {});
    fill(webhook, "timeoutSeconds", 10);
    if (kind === "MutatingWebhookConfiguration") fill(webhook, "reinvocationPolicy", "Never");
    if (webhook.clientConfig?.service) fill(webhook.clientConfig.service, "port", 443);
    for (const rule of webhook.rules ?? []) fillRule(rule);
  }
}

function fillMatch(match: any): void {
  if (!match) return;
  fill(match, "matchPolicy", "Equivalent");
  fill(match, "namespaceSelector", {});
  fill(match, "objectSelector", {});
  for (const rule of [...(match.resourceRules ?? []), ...(match.excludeResourceRules ?? [])]) fillRule(rule);
}

export function fillAdmissionPolicy({ spec }: any): void {
  if (!spec) return;
  fill(spec, "failurePolicy", "Fail");
  fillMatch(spec.matchConstraints);
}

export function fillPolicyBinding({ spec }: any): void {
  if (!spec) return;
  fillMatch(spec.matchResources);
}

/** What a container may have at most it has by default, and what it has by default it asks for. */
export function fillLimitRange({ spec }: any): void {
  for (const limit of spec?.limits ?? []) {
    if (limit.type !== "Container") continue;
    const standard = { ...limit.max, ...limit.default };
    const requested = { ...limit.min, ...standard, ...limit.defaultRequest };
    if (Object.keys(standard).length > 0) limit.default = standard;
    if (Object.keys(requested).length > 0) limit.defaultRequest = requested;
  }
}

export function fillApiService({ spec }: any): void {
  if (spec?.service) fill(spec.service, "port", 443);
}

export function fillFlowSchema({ spec }: any): void {
  if (spec && !spec.matchingPrecedence) spec.matchingPrecedence = 1000;
}

export function fillPriorityLevel({ spec }: any): void {
  if (spec?.exempt) {
    fill(spec.exempt, "nominalConcurrencyShares", 0);
    fill(spec.exempt, "lendablePercent", 0);
  }
  const limited = spec?.limited;
  if (!limited) return;
  fill(limited, "nominalConcurrencyShares", 30);
  fill(limited, "lendablePercent", 0);
  const queuing = limited.limitResponse?.queuing;
  if (!queuing) return;
  if (!queuing.handSize) queuing.handSize = 8;
  if (!queuing.queues) queuing.queues = 64;
  if (!queuing.queueLengthLimit) queuing.queueLengthLimit = 50;
}

function fillDevices(devices: any): void {
  for (const request of devices?.requests ?? []) {
    for (const wanted of [...(request.exactly ? [request.exactly] : []), ...(request.firstAvailable ?? [])]) {
      if (!wanted.allocationMode) wanted.allocationMode = "ExactCount";
      if (wanted.allocationMode === "ExactCount" && !wanted.count) wanted.count = 1;
    }
  }
}

export const fillResourceClaim = ({ spec }: any): void => fillDevices(spec?.devices);
export const fillResourceClaimTemplate = ({ spec }: any): void => fillDevices(spec?.spec?.devices);

export function fillCsiDriver({ spec }: any): void {
  if (!spec) return;
  fill(spec, "attachRequired", true);
  fill(spec, "podInfoOnMount", false);
  fill(spec, "storageCapacity", false);
  fill(spec, "fsGroupPolicy", "ReadWriteOnceWithFSType");
  fill(spec, "volumeLifecycleModes", ["Persistent"]);
  fill(spec, "requiresRepublish", false);
  fill(spec, "seLinuxMount", false);
}
