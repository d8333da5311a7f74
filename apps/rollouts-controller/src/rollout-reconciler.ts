import { templateKey } from "@tiphys/analysis";
import type { Reconciler } from "@tiphys/controller";
import { codeOf } from "@tiphys/errors";
import { type Informer, type Informers, parseLabelSelector } from "@tiphys/kube";
import {
  type AnalysisRun,
  type AnalysisTemplate,
  type AnalysisTemplateRef,
  controllerOf,
  controllerRef,
  type KubeObject,
  MANAGED_BY_ROLLOUTS_ANNOTATION,
  POD_TEMPLATE_HASH_LABEL,
  type ReplicaSet,
  type Rollout,
  types,
} from "@tiphys/resources";
import {
  analysesOf,
  planRollout,
  type RolloutAction,
  type RolloutState,
  restartPending,
  selectorText,
  servicesOf,
  type TrafficRouter,
  wantedSetName,
} from "@tiphys/rollout";

/** The caches that a Rollout's pass reads. */
export interface RolloutCaches {
  readonly replicaSets: Informer;
  readonly services: Informer;
  readonly ingresses: Informer;
  readonly analysisRuns: Informer;
  readonly analysisTemplates: Informer;
  readonly clusterAnalysisTemplates: Informer;
}

export interface RolloutReconcilerDeps {
  readonly informers: Informers;
  readonly caches: RolloutCaches;
  readonly routers: readonly TrafficRouter[];
  /** Tells users what has happened; does not wait. */
  record(rollout: Rollout, type: "Normal" | "Warning", reason: string, message: string): void;
}

/** An action with the Rollout that it is for. */
interface Doing {
  readonly rollout: Rollout;
  readonly action: RolloutAction;
}

export const ORPHANS = "orphans";
/** ReplicaSets that nobody controls, by namespace; those without the hash label are no part of a Rollout. */
export const orphanIndex = (object: KubeObject): readonly string[] =>
  controllerOf(object) || !object.metadata.labels?.[POD_TEMPLATE_HASH_LABEL] ? [] : [object.metadata.namespace ?? ""];

/** An empty selector would select whatever there is; it selects nothing. */
export function selects(rollout: Rollout, set: KubeObject): boolean {
  const text = rollout.spec.selector ? selectorText(rollout) : "";
  return text !== "" && parseLabelSelector(text)(set.metadata.labels);
}

export const MANAGER = "tiphys-rollouts";

/** Drives one Rollout: reads what it owns and names, lets `planRollout` decide, makes the writes. */
export function rolloutReconciler(deps: RolloutReconcilerDeps): Reconciler<RolloutState, Doing, void> {
  const { informers, caches, routers } = deps;
  const { client } = informers;

  function templatesOf(rollout: Rollout): Record<string, AnalysisTemplate | undefined> {
    const found: Record<string, AnalysisTemplate | undefined> = {};
    const read = (ref: AnalysisTemplateRef) => {
      const key = templateKey(ref);
      if (Object.hasOwn(found, key)) return;
      const template = ref.clusterScope
        ? caches.clusterAnalysisTemplates.get({ name: ref.templateName })
        : caches.analysisTemplates.get({ namespace: rollout.metadata.namespace ?? "", name: ref.templateName });
      found[key] = template as AnalysisTemplate | undefined;
      for (const nested of (template as AnalysisTemplate | undefined)?.spec.templates ?? []) read(nested);
    };
    for (const { analysis } of analysesOf(rollout)) for (const ref of analysis.templates ?? []) read(ref);
    return found;
  }

  function orphansOf(rollout: Rollout): readonly ReplicaSet[] {
    const { namespace = "" } = rollout.metadata;
    const orphans = caches.replicaSets.byIndex(ORPHANS, namespace) as readonly ReplicaSet[];
    return orphans.filter((set) => !set.metadata.deletionTimestamp && selects(rollout, set));
  }

  async function podsOf(rollout: Rollout, signal: AbortSignal): Promise<readonly KubeObject[]> {
    const { namespace = "" } = rollout.metadata;
    const listed = await client.list(types.pods, { namespace, labelSelector: selectorText(rollout), signal });
    return listed.items;
  }

  /** Evicts, so that disruption budgets hold; one that holds is no error, the pod is tried again later. */
  async function evict(namespace: string, name: string, signal: AbortSignal): Promise<void> {
    const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { namespace, name } };
    try {
      await client.create(types.pods, eviction, { signal, subresource: "eviction" });
    } catch (error) {
      if (codeOf(error) !== "NotFound" && codeOf(error) !== "ResourceExhausted") throw error;
    }
  }

  return {
    async observe(object, signal) {
      const rollout = object as Rollout;
      if (rollout.metadata.deletionTimestamp) return undefined;
      const namespace = rollout.metadata.namespace ?? "";
      const uid = rollout.metadata.uid ?? "";
      const replicaSets = caches.replicaSets.byIndex("owner", uid) as readonly ReplicaSet[];
      const orphans = orphansOf(rollout);
      const named = wantedSetName(rollout, replicaSets);
      const other = named === undefined ? undefined : caches.replicaSets.get({ namespace, name: named });
      return {
        rollout,
        replicaSets,
        ...(orphans.length > 0 ? { orphans } : {}),
        services: Object.fromEntries(
          servicesOf(rollout).map((name) => [name, caches.services.get({ namespace, name })]),
        ),
        routerObjects: Object.fromEntries(
          routers.flatMap((router) =>
            router.wanted(rollout)
              ? router
                  .objects(rollout)
                  .map(({ type, name }) => [`${type.resource}/${name}`, caches.ingresses.get({ namespace, name })])
              : [],
          ),
        ),
        analysisRuns: caches.analysisRuns.byIndex("owner", uid) as readonly AnalysisRun[],
        templates: templatesOf(rollout),
        ...(restartPending(rollout) ? { pods: await podsOf(rollout, signal) } : {}),
        ...(other && controllerOf(other)?.uid !== uid ? { nameTaken: true } : {}),
      };
    },

    plan(state, now) {
      const plan = planRollout(state, now, routers);
      return { ...plan, actions: plan.actions.map((action) => ({ rollout: state.rollout, action })) };
    },

    async act({ rollout, action }, signal) {
      const options = { signal, fieldManager: MANAGER };
      const namespace = rollout.metadata.namespace ?? "";
      switch (action.kind) {
        case "createReplicaSet":
          await once(client.create(types.replicaSets, action.set, options));
          return;
        case "adoptReplicaSet": {
          const { name, uid, resourceVersion, ownerReferences = [] } = action.set.metadata;
          // Whoever adopted it meanwhile keeps it: the version is the one without an owner.
          const metadata = { uid, resourceVersion, ownerReferences: [...ownerReferences, controllerRef(rollout)] };
          await client.patch(types.replicaSets, { namespace, name }, { type: "merge", body: { metadata } }, options);
          return;
        }
        case "patchReplicaSet": {
          const { replicas, minReadySeconds, annotations } = action.patch;
          const spec = {
            ...(replicas === undefined ? {} : { replicas }),
            ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
          };
          const body = { ...(annotations ? { metadata: { annotations } } : {}), spec };
          await client.patch(types.replicaSets, { namespace, name: action.name }, { type: "merge", body }, options);
          return;
        }
        case "deleteReplicaSet":
          await gone(
            client.delete(
              types.replicaSets,
              { namespace, name: action.name },
              { signal, propagation: "Background", preconditions: { uid: action.uid } },
            ),
          );
          return;
        case "selectPods": {
          const body = {
            metadata: { annotations: { [MANAGED_BY_ROLLOUTS_ANNOTATION]: action.owner } },
            spec: { selector: { [POD_TEMPLATE_HASH_LABEL]: action.hash } },
          };
          await client.patch(types.services, { namespace, name: action.service }, { type: "strategic", body }, options);
          return;
        }
        case "route": {
          const { write } = action;
          if (write.verb === "create") await once(client.create(write.type, write.object, options));
          else
            await client.patch(
              write.type,
              { namespace, name: write.name },
              { type: "merge", body: write.body },
              options,
            );
          return;
        }
        case "createRun":
          await once(client.create(types.analysisRuns, action.run, options));
          return;
        case "terminateRun": {
          const body = { spec: { terminate: true } };
          await gone(
            client.patch(types.analysisRuns, { namespace, name: action.name }, { type: "merge", body }, options),
          );
          return;
        }
        case "deleteRun":
          await gone(
            client.delete(types.analysisRuns, { namespace, name: action.name }, { signal, propagation: "Background" }),
          );
          return;
        case "evictPod":
          await evict(namespace, action.name, signal);
          return;
        case "event":
          deps.record(rollout, action.type, action.reason, action.message);
      }
    },

    describe: ({ action }) => describeAction(action),
  };
}

/** A create that an earlier, crashed pass has made already is done. */
async function once(create: Promise<KubeObject>): Promise<void> {
  try {
    await create;
  } catch (error) {
    if (codeOf(error) !== "AlreadyExists") throw error;
  }
}

async function gone(write: Promise<unknown>): Promise<void> {
  try {
    await write;
  } catch (error) {
    if (codeOf(error) !== "NotFound") throw error;
  }
}

function describeAction(action: RolloutAction): string {
  switch (action.kind) {
    case "createReplicaSet":
      return `create ReplicaSet ${action.set.metadata.name} with ${action.set.spec.replicas} replicas`;
    case "adoptReplicaSet":
      return `adopt ReplicaSet ${action.set.metadata.name}`;
    case "patchReplicaSet":
      return action.patch.replicas === undefined
        ? `annotate ReplicaSet ${action.name}`
        : `scale ReplicaSet ${action.name} to ${action.patch.replicas}`;
    case "deleteReplicaSet":
      return `delete ReplicaSet ${action.name}`;
    case "selectPods":
      return `point Service ${action.service} at ${action.hash}`;
    case "route":
      return action.write.verb === "create"
        ? `create ${action.write.type.kind} ${action.write.object.metadata.name}`
        : `patch ${action.write.type.kind} ${action.write.name}`;
    case "createRun":
      return `create AnalysisRun ${action.run.metadata.name}`;
    case "terminateRun":
      return `terminate AnalysisRun ${action.name}`;
    case "deleteRun":
      return `delete AnalysisRun ${action.name}`;
    case "evictPod":
      return `evict Pod ${action.name}`;
    case "event":
      return `event ${action.reason}`;
  }
}
