import { InvalidArgumentError } from "@tiphys/errors";
import type { Operations } from "../operations.js";
import type { RestCall, Route } from "../router.js";
import { asKind, listOf, onlyFields, selection, watchOf } from "./shapes.js";

/** Argo CD's paths of applications. */
export function applicationRoutes(operations: Operations): Route[] {
  const base = "/api/v1/applications";
  const namespace = ({ query }: RestCall) => query.get("appNamespace") ?? undefined;
  return [
    {
      method: "GET",
      path: base,
      handler: async (call) =>
        listOf(
          "Application",
          await operations.list({
            resource: "applications",
            ...selection(call),
            ...(namespace(call) ? { namespace: namespace(call) } : {}),
          }),
        ),
    },
    {
      method: "POST",
      path: base,
      async handler(call) {
        const application = asKind(await call.body(), "Application");
        return await operations.createApplication(application, { upsert: call.query.get("upsert") === "true" });
      },
    },
    {
      method: "GET",
      path: `${base}/{name}`,
      async handler(call) {
        const refresh = call.query.get("refresh");
        if (refresh === "normal" || refresh === "hard")
          return await operations.refreshApplication(namespace(call), call.params["name"], refresh);
        return await operations.get("applications", namespace(call), call.params["name"]);
      },
    },
    {
      method: "PUT",
      path: `${base}/{name}`,
      async handler(call) {
        const object = asKind(await call.body(), "Application");
        if (object.metadata?.name !== call.params["name"])
          throw new InvalidArgumentError("metadata.name", "differs from the name in the path");
        await operations.get("applications", object.metadata.namespace, object.metadata.name);
        return await operations.apply(object);
      },
    },
    {
      method: "DELETE",
      path: `${base}/{name}`,
      async handler(call) {
        await operations.remove(
          "applications",
          namespace(call),
          call.params["name"],
          call.query.get("cascade") !== "false",
        );
        return {};
      },
    },
    {
      method: "POST",
      path: `${base}/{name}/sync`,
      async handler(call) {
        const body = await call.body<{ revision?: string; prune?: boolean; dryRun?: boolean; appNamespace?: string }>();
        onlyFields(body, "application sync", ["name", "appNamespace", "project", "revision", "prune", "dryRun"]);
        return await operations.syncApplication(
          { ...body, namespace: body.appNamespace ?? namespace(call), name: call.params["name"] },
          call.principal,
        );
      },
    },
    {
      method: "GET",
      path: "/api/v1/stream/applications",
      handler: (call) => watchOf(operations, "applications", call, "application"),
    },
  ];
}
