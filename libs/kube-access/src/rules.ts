/** A rule of a Role or ClusterRole, as the API has it. */
export interface PolicyRule {
  readonly verbs: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
}

/** What a request wants to do: with a resource, or with a path that is none. */
export type Attributes = ResourceAttributes | PathAttributes;

export interface ResourceAttributes {
  readonly verb: string;
  /** "" is the core group. */
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  /** Absent or "": the cluster scope, or all namespaces. */
  readonly namespace?: string;
  /** Absent or "": no single object. */
  readonly name?: string;
  /** Of a list or watch. */
  readonly fieldSelector?: string;
}

export interface PathAttributes {
  readonly verb: string;
  readonly path: string;
}

export const isPath = (attributes: Attributes): attributes is PathAttributes => "path" in attributes;

const ALL = "*";
const NONE: readonly string[] = [];

/** Whether one rule allows the request. */
export function ruleAllows(rule: PolicyRule, attributes: Attributes): boolean {
  if (!rule.verbs.includes(attributes.verb) && !rule.verbs.includes(ALL)) return false;
  if (isPath(attributes)) return (rule.nonResourceURLs ?? NONE).some((url) => urlMatches(url, attributes.path));
  const { group, resource, subresource, name = "" } = attributes;
  const groups = rule.apiGroups ?? NONE;
  if (!groups.includes(group) && !groups.includes(ALL)) return false;
  const { resourceNames = NONE } = rule;
  if (resourceNames.length > 0 && !resourceNames.includes(name)) return false;
  return resourceMatches(rule.resources ?? NONE, resource, subresource);
}

function resourceMatches(resources: readonly string[], resource: string, subresource: string | undefined): boolean {
  if (!subresource) return resources.includes(resource) || resources.includes(ALL);
  return (
    resources.includes(`${resource}/${subresource}`) ||
    resources.includes(ALL) ||
    resources.includes(`*/${subresource}`)
  );
}

/** A trailing `*` of a rule's URL stands for any rest. */
export const urlMatches = (pattern: string, path: string): boolean =>
  pattern === ALL || pattern === path || (pattern.endsWith(ALL) && path.startsWith(pattern.replace(/\*+$/, "")));
