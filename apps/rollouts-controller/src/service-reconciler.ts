import type { Reconciler } from "@tiphys/controller";
import { codeOf } from "@tiphys/errors";
import type { Informer, KubeClient } from "@tiphys/kube";
import {
  type KubeObject,
  keyOf,
  keyText,
  MANAGED_BY_ROLLOUTS_ANNOTATION,
  POD_TEMPLATE_HASH_LABEL,
  type Rollout,
  types,
} from "@tiphys/resources";
import { servicesOf } from "@tiphys/rollout";
import { MANAGER } from "./rollout-reconciler.js";

interface ServiceState {
  readonly service: KubeObject;
  readonly owner: string;
  /** The Rollout is there, and this Service is still one of its own. */
  readonly used: boolean;
}

/** Gives a Service its own selector back once no Rollout names it: the injected one would select nothing for ever. */
export function serviceReconciler(deps: {
  client: KubeClient;
  rollouts: Informer;
}): Reconciler<ServiceState, KubeObject> {
  const { client, rollouts } = deps;
  return {
    async observe(service, signal) {
      const owner = service.metadata.annotations?.[MANAGED_BY_ROLLOUTS_ANNOTATION];
      if (owner === undefined || service.metadata.deletionTimestamp) return undefined;
      const { namespace = "", name } = service.metadata;
      if (rollouts.byIndex("service", `${namespace}/${name}`).length > 0) return { service, owner, used: true };
      // A cache may be behind; what takes a selector away must be sure.
      try {
        const rollout = (await client.get(types.rollouts, { namespace, name: owner }, { signal })) as Rollout;
        return { service, owner, used: servicesOf(rollout).includes(name) };
      } catch (error) {
        if (codeOf(error) !== "NotFound") throw error;
        return { service, owner, used: false };
      }
    },

    plan: ({ service, owner, used }) => ({
      actions: used ? [] : [service],
      reasons: [
        used
          ? { code: "ServiceInUse", message: `Rollout ${owner} decides which pods the Service selects` }
          : { code: "RolloutGone", message: `Rollout ${owner} is gone or no longer names the Service` },
      ],
    }),

    async act(service, signal) {
      const body = {
        metadata: { annotations: { [MANAGED_BY_ROLLOUTS_ANNOTATION]: null } },
        spec: { selector: { [POD_TEMPLATE_HASH_LABEL]: null } },
      };
      try {
        await client.patch(types.services, keyOf(service), { type: "merge", body }, { signal, fieldManager: MANAGER });
      } catch (error) {
        if (codeOf(error) !== "NotFound") throw error;
      }
    },

    describe: (service) => `restore the selector of Service ${keyText(keyOf(service))}`,
  };
}
