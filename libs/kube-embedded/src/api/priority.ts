import type { KubeObject } from "@tiphys/resources";
import type { Store } from "../store/store.js";
import type { ServedKind } from "./kinds.js";
import { forbidden } from "./status.js";

const CLASSES = "scheduling.k8s.io/priorityclasses";

/** Classes that every cluster has. */
export const systemPriorityClasses = [
  {
    name: "system-cluster-critical",
    value: 2_000_000_000,
    description:
      "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
  },
  {
    name: "system-node-critical",
    value: 2_000_001_000,
    description: "Used for system critical pods that must not be moved from their current node.",
  },
] as const;

function classes(store: Store): KubeObject[] {
  return [...store.keys(CLASSES)].flatMap((key) => store.byKey(CLASSES, key) ?? []);
}

/** Fills in the priority of a new pod from its class, or from the class that is the default; a pod cannot bring its own. */
export function admitPriority(store: Store, kind: ServedKind, pod: KubeObject): void {
  const { spec } = pod;
  const named: string | undefined = spec.priorityClassName || undefined;
  let found = named === undefined ? undefined : store.get(CLASSES, undefined, named);
  if (named !== undefined && !found) {
    throw forbidden(kind, pod.metadata.name, `no PriorityClass with name ${named} was found`);
  }
  found ??= classes(store)
    .filter((one) => one["globalDefault"] === true)
    .sort((a, b) => a["value"] - b["value"])[0];
  const priority: number = found?.["value"] ?? 0;
  const policy: string = found?.["preemptionPolicy"] ?? "PreemptLowerPriority";
  const refuse = (what: string, given: unknown, computed: unknown) =>
    forbidden(
      kind,
      pod.metadata.name,
      `the ${what} (${given}) must not be provided in pod spec; priority admission controller computed ${computed} from the given PriorityClass name`,
    );
  if (spec.priority !== undefined && spec.priority !== priority) {
    throw refuse("integer value of priority", spec.priority, priority);
  }
  if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== policy) {
    throw refuse("string value of PreemptionPolicy", spec.preemptionPolicy, policy);
  }
  if (found) spec.priorityClassName = found.metadata.name;
  spec.priority = priority;
  spec.preemptionPolicy = policy;
}

/** Only one class can be the default. */
export function admitPriorityClass(store: Store, kind: ServedKind, object: KubeObject): void {
  if (object["globalDefault"] !== true) return;
  const other = classes(store).find(
    (one) => one["globalDefault"] === true && one.metadata.name !== object.metadata.name,
  );
  if (!other) return;
  throw forbidden(
    kind,
    object.metadata.name,
    `PriorityClass ${other.metadata.name} is already marked as default. Only one default can exist`,
  );
}

const NOT_READY = { key: "node.kubernetes.io/not-ready", effect: "NoSchedule" };

/** A new node takes no pods until it has been seen ready. */
export function taintNewNode(node: KubeObject): void {
  const taints = (node["spec"]?.taints ?? []) as { key: string; effect: string }[];
  if (taints.some(({ key, effect }) => key === NOT_READY.key && effect === NOT_READY.effect)) return;
  node["spec"] = { ...node["spec"], taints: [...taints, NOT_READY] };
}
