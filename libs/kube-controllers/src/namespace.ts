import type { Plan, Reconciler } from "@tiphys/controller";
import type { Informers } from "@tiphys/kube";
import { isNotFound } from "@tiphys/kube";
import { type Condition, type KubeObject, keyOf, type ResourceType, types } from "@tiphys/resources";
import { timeText, withCondition } from "./shared.js";

export interface NamespaceState {
  readonly namespace: KubeObject;
  readonly content: readonly { readonly type: ResourceType; readonly objects: readonly KubeObject[] }[];
}

export type NamespaceAction =
  | { readonly do: "delete"; readonly type: ResourceType; readonly object: KubeObject }
  | { readonly do: "finalize"; readonly namespace: KubeObject };

const FINALIZER = "kubernetes";
/** How soon to count again while content is on its way out: it is of any kind, so nothing could be watched. */
const RECOUNT_MS = 250;

/** Empties a namespace that is being deleted, then lets it go. */
export function namespaceReconciler(deps: {
  readonly informers: Informers;
}): Reconciler<NamespaceState, NamespaceAction, void> {
  const { client } = deps.informers;
  return {
    async observe(namespace, signal) {
      const dying = namespace.metadata.deletionTimestamp && namespace.spec?.finalizers?.includes(FINALIZER);
      if (!dying) return undefined;
      const content = [];
      for (const type of await client.resources()) {
        if (!type.namespaced) continue;
        const { items } = await client.list(type, { namespace: namespace.metadata.name, signal });
        // Events tell of the end itself; they go last and with the namespace.
        if (items.length > 0) content.push({ type, objects: items });
      }
      return { namespace, content };
    },
    plan: planNamespace,
    async act(action, signal) {
      if (action.do === "finalize") {
        const { namespace } = action;
        const finalizers = (namespace.spec.finalizers as string[]).filter((name) => name !== FINALIZER);
        await client.replace(
          types.namespaces,
          { ...namespace, spec: { ...namespace.spec, finalizers } },
          { subresource: "finalize", signal },
        );
        return;
      }
      try {
        await client.delete(action.type, keyOf(action.object), { propagation: "Background", signal });
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    },
    describe: (action) =>
      action.do === "finalize" ? "finalize" : `delete ${action.object.kind} ${action.object.metadata.name}`,
    digestOf: ({ content }) => content.map(({ type, objects }) => ({ type: type.resource, count: objects.length })),
  };
}

export function planNamespace({ namespace, content }: NamespaceState, now: Date): Plan<NamespaceAction> {
  if (content.length === 0) return { actions: [{ do: "finalize", namespace }], reasons: [] };
  const actions = content.flatMap(({ type, objects }) =>
    objects
      .filter((object) => !object.metadata.deletionTimestamp)
      .map((object) => ({ do: "delete" as const, type, object })),
  );
  const listed = content
    .map(({ type, objects }) => `${type.resource}.${type.group} has ${objects.length} resource instances`)
    .sort()
    .join(", ");
  const held = new Map<string, number>();
  for (const { objects } of content) {
    for (const object of objects) {
      for (const name of object.metadata.finalizers ?? []) held.set(name, (held.get(name) ?? 0) + 1);
    }
  }
  const finalizers = [...held]
    .map(([name, count]) => `${name} in ${count} resource instances`)
    .sort()
    .join(", ");
  const condition = (type: string, status: "True" | "False", reason: string, message: string): Condition => ({
    type,
    status,
    reason,
    message,
    lastTransitionTime: timeText(now),
  });
  const remaining = `Some resources are remaining: ${listed}`;
  let conditions = ((namespace.status?.conditions ?? []) as Condition[]).filter(
    ({ type }) => !type.startsWith("NamespaceContentRemaining") && !type.startsWith("NamespaceFinalizersRemaining"),
  );
  for (const next of [
    condition(
      "NamespaceDeletionDiscoveryFailure",
      "False",
      "ResourcesDiscovered",
      "All resources successfully discovered",
    ),
    condition(
      "NamespaceDeletionContentFailure",
      "False",
      "ContentDeleted",
      "All content successfully deleted, may be waiting on finalization",
    ),
    condition("NamespaceContentRemaining", "True", "SomeResourcesRemain", remaining),
    ...(finalizers
      ? [
          condition(
            "NamespaceFinalizersRemaining",
            "True",
            "SomeFinalizersRemain",
            `Some content in the namespace has finalizers remaining: ${finalizers}`,
          ),
        ]
      : []),
  ]) {
    const before = ((namespace.status?.conditions ?? []) as Condition[]).find(({ type }) => type === next.type);
    conditions = withCondition(conditions, {
      ...next,
      ...(before?.lastTransitionTime ? { lastTransitionTime: before.lastTransitionTime } : {}),
    });
  }
  return {
    status: { ...namespace.status, conditions },
    actions,
    reasons: [{ code: "SomeResourcesRemain", message: remaining }],
    lookAgainAt: new Date(now.getTime() + RECOUNT_MS),
  };
}
