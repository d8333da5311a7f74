import type { KubeObject } from "@tiphys/resources";
import type { PolicyRule } from "./rules.js";

/**
 * The rules of an aggregated ClusterRole: those of the roles that its selectors choose, in the order of their names, none
 * twice. `matches` is the test of one selector. Undefined: the role aggregates nothing.
 */
export function aggregatedRules(
  role: KubeObject,
  roles: readonly KubeObject[],
  matches: (selector: object, labels: Readonly<Record<string, string>> | undefined) => boolean,
): PolicyRule[] | undefined {
  const selectors: object[] | undefined = role["aggregationRule"]?.clusterRoleSelectors;
  if (role["aggregationRule"] === undefined || role["aggregationRule"] === null) return undefined;
  const rules = new Map<string, PolicyRule>();
  const inOrder = [...roles].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  for (const selector of selectors ?? []) {
    for (const other of inOrder) {
      if (other.metadata.name === role.metadata.name || !matches(selector, other.metadata.labels)) continue;
      for (const rule of (other["rules"] ?? []) as PolicyRule[]) {
        const key = JSON.stringify(rule);
        if (!rules.has(key)) rules.set(key, rule);
      }
    }
  }
  return [...rules.values()];
}
