import type { KubeObject } from "@tiphys/resources";
import { missingRules } from "./coverage.js";
import { bootstrapPolicyJson } from "./generated/bootstrap-policy.js";
import type { PolicyRule } from "./rules.js";

const GROUP = "rbac.authorization.k8s.io";
const API_VERSION = `${GROUP}/v1`;
const AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate";

interface Short {
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
}
interface Entry {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: Record<string, string>;
  readonly rules?: readonly PolicyRule[];
  readonly aggregationRule?: object;
  readonly roleRef?: Short;
  readonly subjects?: readonly Short[];
}

const kinds = {
  clusterRoles: "ClusterRole",
  clusterRoleBindings: "ClusterRoleBinding",
  roles: "Role",
  roleBindings: "RoleBinding",
} as const;

/** The roles and bindings that every API server has from its first moment on. Fresh objects. */
export function bootstrapPolicy(): KubeObject[] {
  const lists = JSON.parse(bootstrapPolicyJson) as Record<keyof typeof kinds, Entry[]>;
  return Object.entries(kinds).flatMap(([list, kind]) =>
    lists[list as keyof typeof kinds].map(({ name, namespace, labels, roleRef, subjects, ...role }) => ({
      apiVersion: API_VERSION,
      kind,
      metadata: {
        name,
        ...(namespace ? { namespace } : {}),
        annotations: { [AUTOUPDATE]: "true" },
        labels: { "kubernetes.io/bootstrapping": "rbac-defaults", ...labels },
      },
      ...role,
      ...(roleRef
        ? {
            roleRef: { apiGroup: GROUP, kind: roleRef.kind, name: roleRef.name },
            subjects: (subjects ?? []).map(({ kind: of, ...subject }) => ({
              ...(of === "ServiceAccount" ? {} : { apiGroup: GROUP }),
              kind: of,
              ...subject,
            })),
          }
        : {}),
    })),
  );
}

/**
 * What an object of the bootstrap policy has to become at a start: missing rules and subjects come back, additions stay. Undefined
 * when nothing is missing, or when the object asks to be left alone (autoupdate "false").
 */
export function reconciled(existing: KubeObject, wanted: KubeObject): KubeObject | undefined {
  if (existing.metadata.annotations?.[AUTOUPDATE] === "false") return undefined;
  const next: KubeObject = {
    ...existing,
    metadata: {
      ...existing.metadata,
      annotations: { ...wanted.metadata.annotations, ...existing.metadata.annotations },
      labels: { ...wanted.metadata.labels, ...existing.metadata.labels },
    },
  };
  let changed =
    size(next.metadata.annotations) !== size(existing.metadata.annotations) ||
    size(next.metadata.labels) !== size(existing.metadata.labels);
  if (wanted["roleRef"]) {
    const have = new Set((existing["subjects"] ?? []).map(subjectKey));
    const missing = (wanted["subjects"] ?? []).filter((subject: Short) => !have.has(subjectKey(subject)));
    if (missing.length > 0) {
      next["subjects"] = [...(existing["subjects"] ?? []), ...missing];
      changed = true;
    }
    return changed ? next : undefined;
  }
  const missing = missingRules(existing["rules"] ?? [], wanted["rules"] ?? []);
  if (missing.length > 0) {
    next["rules"] = [...(existing["rules"] ?? []), ...missing];
    changed = true;
  }
  if (JSON.stringify(existing["aggregationRule"]) !== JSON.stringify(wanted["aggregationRule"])) {
    if (wanted["aggregationRule"] === undefined) delete next["aggregationRule"];
    else next["aggregationRule"] = wanted["aggregationRule"];
    changed = true;
  }
  return changed ? next : undefined;
}

const size = (map: object | undefined): number => Object.keys(map ?? {}).length;
const subjectKey = ({ kind, namespace = "", name }: Short): string => `${kind}/${namespace}/${name}`;
