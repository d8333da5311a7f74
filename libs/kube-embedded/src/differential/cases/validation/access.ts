import type { Group } from "../../play.js";
import { fieldsOf, type Members } from "./tried.js";

const rbac = "rbac.authorization.k8s.io";
const rule = (more: Members): Members => ({
  rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"], ...more }],
});
const rules: Readonly<Record<string, Members>> = {
  "no rules": { rules: null },
  "no verbs": rule({ verbs: [] }),
  "no groups": rule({ apiGroups: null }),
  "no resources": rule({ resources: null }),
  names: rule({ resourceNames: ["a"] }),
  "a path": rule({ apiGroups: null, resources: null, nonResourceURLs: ["/healthz"] }),
  "a path and resources": rule({ nonResourceURLs: ["/healthz"] }),
  "a path with names": rule({ apiGroups: null, resources: null, resourceNames: ["a"], nonResourceURLs: ["/a"] }),
  "a bad path": rule({ apiGroups: null, resources: null, nonResourceURLs: ["a", "/a*b", "*", "/a/*"] }),
  everything: rule({ apiGroups: ["*"], resources: ["*"], verbs: ["*"] }),
  "a name with a slash": { metadata: { name: "a/b" } },
  "a name with a colon": { metadata: { name: "$RUN:a" } },
};

const role = { group: rbac, version: "v1", base: rule({}) } as const;
const roles = fieldsOf({ ...role, resource: "roles", kind: "Role" }, rules, { "no verbs": rule({ verbs: [] }) });
const clusterRoles = fieldsOf(
  { ...role, resource: "clusterroles", kind: "ClusterRole", cluster: true },
  {
    ...rules,
    aggregation: { aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: "b" } }] }, rules: null },
    "aggregation of nothing": { aggregationRule: {}, rules: null },
    "a bad aggregation": {
      aggregationRule: { clusterRoleSelectors: [{ matchLabels: { "a b": "c d" } }] },
      rules: null,
    },
    "an aggregation of everything": { aggregationRule: { clusterRoleSelectors: [{}] }, rules: null },
  },
  { "no verbs": rule({ verbs: [] }) },
);

const ref = (more: Members): Members => ({ roleRef: { apiGroup: rbac, kind: "ClusterRole", name: "view", ...more } });
const subject = (one: Members): Members => ({ subjects: [one] });
const bindings: Readonly<Record<string, Members>> = {
  "no reference": { roleRef: null },
  "no group": ref({ apiGroup: null }),
  "another group": ref({ apiGroup: "x" }),
  "no kind": ref({ kind: null }),
  "another kind": ref({ kind: "Pod" }),
  "a role": ref({ kind: "Role", name: "none" }),
  "no name": ref({ name: null }),
  "a bad name": ref({ name: "a/b" }),
  "no subjects": { subjects: null },
  "a user": subject({ kind: "User", name: "u", apiGroup: rbac }),
  "a user without a name": subject({ kind: "User", apiGroup: rbac }),
  "a user of another group": subject({ kind: "User", name: "u", apiGroup: "x" }),
  "a user with a namespace": subject({ kind: "User", name: "u", namespace: "n" }),
  "a group": subject({ kind: "Group", name: "g" }),
  "a group of another group": subject({ kind: "Group", name: "g", apiGroup: "x" }),
  "an account": subject({ kind: "ServiceAccount", name: "a", namespace: "n" }),
  "an account without a namespace": subject({ kind: "ServiceAccount", name: "a" }),
  "an account with a bad name": subject({ kind: "ServiceAccount", name: "A_", namespace: "n" }),
  "an account of a group": subject({ kind: "ServiceAccount", name: "a", namespace: "n", apiGroup: rbac }),
  "an unknown subject": subject({ kind: "Robot", name: "r" }),
  "a subject without a kind": subject({ name: "r" }),
};
const binding = { group: rbac, version: "v1", base: { ...ref({}), ...subject({ kind: "User", name: "u" }) } } as const;
const changes: Readonly<Record<string, Members>> = {
  "its reference": ref({ name: "edit" }),
  "its subjects": subject({ kind: "Group", name: "g" }),
  "a bad subject": subject({ kind: "Robot", name: "r" }),
};

export const accessFields: readonly Group[] = [
  roles,
  clusterRoles,
  fieldsOf({ ...binding, resource: "rolebindings", kind: "RoleBinding" }, bindings, changes),
  fieldsOf(
    { ...binding, resource: "clusterrolebindings", kind: "ClusterRoleBinding", cluster: true },
    bindings,
    changes,
  ),
];
