import type { Reconciler } from "@tiphys/controller";
import { type EventRecorder, type Informers, isAlreadyExists } from "@tiphys/kube";
import { controllerOf, type KubeObject, keyOf, types } from "@tiphys/resources";
import { claim, orphanIndex } from "../shared.js";
import { describeWrite, perform, type Write } from "../writes.js";
import { type DeploymentState, planDeployment } from "./plan.js";

/** Rolls Deployments out over their ReplicaSets. */
export function deploymentReconciler(deps: {
  readonly informers: Informers;
  readonly events: EventRecorder;
}): Reconciler<DeploymentState, Write, KubeObject | undefined> {
  const { client } = deps.informers;
  const replicaSets = deps.informers.informer(types.replicaSets, { indexes: orphanIndex });
  const pods = deps.informers.informer(types.pods, { indexes: orphanIndex });
  const deployments = deps.informers.informer(types.deployments);
  const writing = { client, events: deps.events, manager: "kube-controller-manager" };
  return {
    async observe(deployment) {
      const { uid = "", namespace = "" } = deployment.metadata;
      const sets = claim(
        deployment,
        deployment.spec.selector,
        replicaSets.byIndex("owner", uid),
        replicaSets.byIndex("orphans", namespace),
      );
      const byOwner = new Map<string, readonly KubeObject[]>();
      if (deployment.spec.strategy?.type === "Recreate") {
        for (const set of sets.mine) {
          const owner = set.metadata.uid ?? "";
          byOwner.set(owner, pods.byIndex("owner", owner));
        }
      }
      return { deployment, replicaSets: sets, pods: byOwner };
    },
    plan: planDeployment,
    async act(write, signal) {
      try {
        return await perform(write, writing, signal);
      } catch (error) {
        if (write.do !== "create" || !isAlreadyExists(error)) throw error;
        // Ours from a pass that was cut off; or another's by accident: then the next name carries a higher count.
        const there = await client.get(types.replicaSets, keyOf(write.object), { signal });
        const owner = controllerOf(write.object);
        if (owner && controllerOf(there)?.uid !== owner.uid) {
          const key = { ...keyOf(write.object), name: owner.name };
          const count = (deployments.get(key)?.status?.collisionCount ?? 0) + 1;
          const body = { status: { collisionCount: count } };
          await client.patch(types.deployments, key, { type: "merge", body }, { subresource: "status", signal });
        }
        throw error;
      }
    },
    describe: describeWrite,
  };
}
