import type { KubeObject } from "@tiphys/resources";
import { rolloutInfo } from "@tiphys/rollout";
import type { Operations } from "../operations.js";
import type { Route } from "../router.js";
import { count, selection } from "./shapes.js";

/** Argo Rollouts' paths of its dashboard. */
export function rolloutRoutes(operations: Operations): Route[] {
  const base = "/api/v1/rollouts/{namespace}";
  const info = (rollout: KubeObject) => ({
    objectMeta: rollout.metadata,
    ...rolloutInfo(rollout as never),
  });
  const act = (action: string, name = action): Route => ({
    method: "PUT",
    path: `${base}/{name}/${action}`,
    async handler(call) {
      const { full } = await call.body<{ full?: boolean }>();
      await operations.actOnRollout(
        call.params["namespace"],
        call.params["name"],
        name === "promote" && full ? "promote-full" : name,
      );
      return info(await operations.get("rollouts", call.params["namespace"], call.params["name"]));
    },
  });
  return [
    {
      method: "GET",
      path: `${base}/info`,
      handler: async (call) => ({
        rollouts: (await operations.list({ resource: "rollouts", ...selection(call) })).items.map(info),
      }),
    },
    {
      method: "GET",
      path: `${base}/info/watch`,
      async handler(call) {
        const events = await operations.watch({ resource: "rollouts", ...selection(call) }, call.signal);
        return (async function* () {
          for await (const { type, object } of events)
            yield { type: type[0] + type.slice(1).toLowerCase(), rolloutInfo: info(object) };
        })();
      },
    },
    {
      method: "GET",
      path: `${base}/{name}/info`,
      handler: async ({ params }) => info(await operations.get("rollouts", params["namespace"], params["name"])),
    },
    act("promote"),
    act("abort"),
    act("retry"),
    act("restart"),
    {
      method: "PUT",
      path: `${base}/{name}/undo/{revision}`,
      async handler({ params }) {
        await operations.actOnRollout(
          params["namespace"],
          params["name"],
          "undo",
          count(params["revision"] ?? "", "revision"),
        );
        return info(await operations.get("rollouts", params["namespace"], params["name"]));
      },
    },
  ];
}
