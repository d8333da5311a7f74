import { fail } from "../errors.js";
import type { ResourceId } from "../ids.js";
import { idText } from "../ids.js";
import type { ResourceList } from "../resource-list.js";

export interface SortOptions {
  readonly order?: string;
  readonly legacySortOptions?: { readonly orderFirst?: readonly string[]; readonly orderLast?: readonly string[] };
}

const FIRST = [
  ...["Namespace", "ResourceQuota", "StorageClass", "CustomResourceDefinition", "ServiceAccount", "PodSecurityPolicy"],
  ...["Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "ConfigMap", "Secret", "Endpoints", "Service"],
  ...[
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
  ],
  "PodDisruptionBudget",
];
const LAST = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

const kindWord = ({ group, version, kind }: ResourceId): string =>
  `${group || "~G"}_${version || "~V"}_${kind || "~K"}`;

/** Brings resources into the order of `sortOptions`. */
export function sortResources(list: ResourceList, { order = "fifo", legacySortOptions }: SortOptions): void {
  if (order !== "fifo" && order !== "legacy") fail("the field 'sortOptions.order' must be one of [fifo, legacy]");
  if (order === "fifo") {
    if (legacySortOptions) {
      fail("the field 'sortOptions.legacySortOptions' is set but the selected sort order is 'fifo', not 'legacy'");
    }
    return;
  }
  const first = legacySortOptions ? (legacySortOptions.orderFirst ?? []) : FIRST;
  const last = legacySortOptions ? (legacySortOptions.orderLast ?? []) : LAST;
  const ranks = new Map<string, number>([
    ...first.map((kind, at): [string, number] => [kind, at - first.length]),
    ...last.map((kind, at): [string, number] => [kind, at + 1]),
  ]);
  const keyed = list.items.map((resource) => {
    const id = resource.id();
    return {
      resource,
      rank: ranks.get(id.kind) ?? 0,
      kind: kindWord(id),
      word: `${idText({ ...id, name: "x", namespace: "x" })}|${id.namespace || "~X"}|${id.name || "~N"}`,
    };
  });
  const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  keyed.sort((a, b) => a.rank - b.rank || compare(a.kind, b.kind) || compare(a.word, b.word));
  list.items = keyed.map(({ resource }) => resource);
}
