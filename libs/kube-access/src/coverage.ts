import type { PolicyRule } from "./rules.js";
import { quoted, quotedList } from "./text.js";

const ALL = "*";
const NONE: readonly string[] = [];

/** The rule as equivalent ones of one verb and one resource (and name) or URL each. */
function atoms(rule: PolicyRule): PolicyRule[] {
  const out: PolicyRule[] = [];
  for (const group of rule.apiGroups ?? NONE) {
    for (const resource of rule.resources ?? NONE) {
      for (const verb of rule.verbs) {
        const atom = { verbs: [verb], apiGroups: [group], resources: [resource] };
        if (!rule.resourceNames?.length) out.push(atom);
        else for (const name of rule.resourceNames) out.push({ ...atom, resourceNames: [name] });
      }
    }
  }
  for (const url of rule.nonResourceURLs ?? NONE) {
    for (const verb of rule.verbs) out.push({ verbs: [verb], nonResourceURLs: [url] });
  }
  return out;
}

const hasAll = (set: readonly string[], wanted: readonly string[]) => wanted.every((one) => set.includes(one));

function coversResources(held: readonly string[], wanted: readonly string[]): boolean {
  if (held.includes(ALL)) return true;
  return wanted.every((resource) => {
    if (held.includes(resource)) return true;
    const slash = resource.indexOf("/");
    return slash >= 0 && held.includes(`*/${resource.slice(slash + 1)}`);
  });
}

const coversUrls = (held: readonly string[], wanted: readonly string[]): boolean =>
  wanted.every((path) =>
    held.some((own) => own === path || (own.endsWith(ALL) && path.startsWith(own.replace(/\*+$/, "")))),
  );

function covers(held: PolicyRule, atom: PolicyRule): boolean {
  const { resourceNames: names = NONE } = held;
  const wantedNames = atom.resourceNames ?? NONE;
  return (
    (held.verbs.includes(ALL) || hasAll(held.verbs, atom.verbs)) &&
    (held.apiGroups?.includes(ALL) || hasAll(held.apiGroups ?? NONE, atom.apiGroups ?? NONE)) &&
    coversResources(held.resources ?? NONE, atom.resources ?? NONE) &&
    (names.length === 0 || (wantedNames.length > 0 && hasAll(names, wantedNames))) &&
    coversUrls(held.nonResourceURLs ?? NONE, atom.nonResourceURLs ?? NONE)
  );
}

/** What `wanted` grants and `held` does not, in atoms; empty when all of it is held. */
export function missingRules(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  return wanted.flatMap(atoms).filter((atom) => !held.some((rule) => covers(rule, atom)));
}

/** Atoms of the same resource and name become one rule of several verbs. */
export function compact(rules: readonly PolicyRule[]): PolicyRule[] {
  const out: PolicyRule[] = [];
  const simple = new Map<string, PolicyRule>();
  for (const rule of rules) {
    const { apiGroups = NONE, resources = NONE, resourceNames = NONE, nonResourceURLs = NONE } = rule;
    if (apiGroups.length !== 1 || resources.length !== 1 || resourceNames.length > 1 || nonResourceURLs.length > 0) {
      out.push(rule);
      continue;
    }
    const key = JSON.stringify([apiGroups, resources, resourceNames]);
    const known = simple.get(key);
    simple.set(key, known ? { ...known, verbs: [...known.verbs, ...rule.verbs] } : rule);
  }
  return [...out, ...simple.values()];
}

const FIELDS = [
  ["APIGroups", "apiGroups"],
  ["Resources", "resources"],
  ["NonResourceURLs", "nonResourceURLs"],
  ["ResourceNames", "resourceNames"],
  ["Verbs", "verbs"],
] as const;

/** `{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}` */
export function describeRule(rule: PolicyRule): string {
  const parts = FIELDS.flatMap(([label, field]) => {
    const values = rule[field];
    return values?.length ? [`${label}:${quotedList(values)}`] : [];
  });
  return `{${parts.join(", ")}}`;
}

/** Why `user` may not grant `wanted`; undefined when they hold all of it. */
export function escalationProblem(
  user: { readonly username: string; readonly groups: readonly string[] },
  held: readonly PolicyRule[],
  wanted: readonly PolicyRule[],
  resolutionErrors: readonly string[] = [],
): string | undefined {
  const missing = missingRules(held, wanted);
  if (missing.length === 0) return undefined;
  const lines = [...new Set(compact(missing).map(describeRule))].sort();
  const problem = `user ${quoted(user.username)} (groups=${quotedList(user.groups)}) is attempting to grant RBAC permissions not currently held:\n${lines.join("\n")}`;
  return resolutionErrors.length > 0 ? `${problem}; resolution errors: ${aggregate(resolutionErrors)}` : problem;
}

/** Several errors in one text, as the API server writes them. */
export function aggregate(errors: readonly string[]): string {
  const unique = [...new Set(errors)];
  return unique.length === 1 ? (unique[0] ?? "") : `[${unique.join(", ")}]`;
}
