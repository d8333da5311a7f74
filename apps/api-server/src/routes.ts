import { InvalidArgumentError, UnimplementedError } from "@tiphys/errors";
import type { KubeObject } from "@tiphys/resources";
import { rolloutInfo } from "@tiphys/rollout";
import type { Accounts } from "./accounts.js";
import type { History } from "./history.js";
import type { Operations } from "./operations.js";
import type { RestCall, Route } from "./router.js";
import { versionMessage } from "./version.js";

const SESSION_COOKIE = "argocd.token";

const listOf = (kind: string, page: { items: readonly KubeObject[]; resourceVersion: string; continue?: string }) => ({
  apiVersion: "argoproj.io/v1alpha1",
  kind: `${kind}List`,
  metadata: { resourceVersion: page.resourceVersion, ...(page.continue ? { continue: page.continue } : {}) },
  items: page.items,
});

/** Paging and selection as both families spell them. */
const selection = ({ query, params }: RestCall) => ({
  ...(params["namespace"] && params["namespace"] !== "-" ? { namespace: params["namespace"] } : {}),
  ...(query.get("selector") || query.get("listOptions.labelSelector")
    ? { labelSelector: query.get("selector") ?? query.get("listOptions.labelSelector") ?? "" }
    : {}),
  ...(query.get("limit") || query.get("listOptions.limit")
    ? { limit: count(query.get("limit") ?? query.get("listOptions.limit")) }
    : {}),
  ...(query.get("continue") || query.get("listOptions.continue")
    ? { continue: query.get("continue") ?? query.get("listOptions.continue") ?? "" }
    : {}),
});

function count(text: string | null): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError("limit", `"${text}" is not a whole number`);
  return value;
}

/** Every REST route, with the originals' paths where they have one. */
export function routes(operations: Operations, history: History, accounts: Accounts): readonly Route[] {
  return [
    ...sessionRoutes(accounts),
    ...applicationRoutes(operations),
    ...workflowRoutes(operations),
    ...rolloutRoutes(operations),
    ...eventRoutes(operations),
    ...ownRoutes(operations, history),
  ];
}

function sessionRoutes(accounts: Accounts): Route[] {
  return [
    { method: "GET", path: "/api/version", open: true, handler: () => versionMessage() },
    {
      method: "POST",
      path: "/api/v1/session",
      open: true,
      async handler(call) {
        const { username = "", password = "" } = await call.body<{ username?: string; password?: string }>();
        const token = await accounts.login(String(username), String(password));
        call.response.setHeader("set-cookie", `${SESSION_COOKIE}=${token}; path=/; SameSite=lax; httpOnly; Secure`);
        return { token };
      },
    },
    {
      method: "DELETE",
      path: "/api/v1/session",
      handler({ response }) {
        response.setHeader("set-cookie", `${SESSION_COOKIE}=; path=/; Max-Age=0; SameSite=lax; httpOnly; Secure`);
        return { token: "" };
      },
    },
    {
      method: "GET",
      path: "/api/v1/session/userinfo",
      handler: ({ principal }) => ({
        loggedIn: true,
        username: principal.username,
        iss: "argocd",
        groups: principal.groups,
      }),
    },
  ];
}

function applicationRoutes(operations: Operations): Route[] {
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
      handler: async (call) => await operations.apply(asKind(await call.body(), "Application")),
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
        const body = await call.body<{
          revision?: string;
          prune?: boolean;
          dryRun?: boolean;
          appNamespace?: string;
          resources?: unknown;
          manifests?: unknown;
          strategy?: unknown;
        }>();
        for (const field of ["resources", "manifests", "strategy"] as const) {
          if (body[field] !== undefined && body[field] !== null)
            throw new UnimplementedError(`application sync: field ${field}`);
        }
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

function workflowRoutes(operations: Operations): Route[] {
  const base = "/api/v1/workflows/{namespace}";
  const act = (action: string): Route => ({
    method: "PUT",
    path: `${base}/{name}/${action}`,
    handler: ({ params }) => operations.actOnWorkflow(params["namespace"], params["name"], action),
  });
  return [
    {
      method: "GET",
      path: base,
      handler: async (call) => listOf("Workflow", await operations.list({ resource: "workflows", ...selection(call) })),
    },
    {
      method: "POST",
      path: base,
      async handler(call) {
        const { workflow } = await call.body<{ workflow?: KubeObject }>();
        return await operations.submitWorkflow({ namespace: call.params["namespace"], workflow });
      },
    },
    {
      method: "POST",
      path: `${base}/submit`,
      async handler(call) {
        const body = await call.body<{
          resourceKind?: string;
          resourceName?: string;
          submitOptions?: { parameters?: string[] };
        }>();
        if (body.resourceKind !== "WorkflowTemplate")
          throw new UnimplementedError(`workflow submit from ${body.resourceKind}`);
        const parameters = Object.fromEntries((body.submitOptions?.parameters ?? []).map(parameter));
        return await operations.submitWorkflow({
          namespace: call.params["namespace"],
          template: body.resourceName,
          parameters,
        });
      },
    },
    {
      method: "GET",
      path: `${base}/{name}`,
      handler: ({ params }) => operations.get("workflows", params["namespace"], params["name"]),
    },
    {
      method: "DELETE",
      path: `${base}/{name}`,
      async handler({ params }) {
        await operations.remove("workflows", params["namespace"], params["name"], false);
        return {};
      },
    },
    ...["stop", "terminate", "suspend", "resume", "retry", "resubmit", "set"].map(act),
    {
      method: "GET",
      path: `${base}/{name}/log`,
      async *handler({ params, query, signal }) {
        const follow = query.get("logOptions.follow") === "true";
        for await (const { pod, content } of operations.workflowLogs(
          params["namespace"],
          params["name"],
          follow,
          signal,
        ))
          yield { podName: pod, content };
      },
    },
    {
      method: "GET",
      path: "/api/v1/workflow-events/{namespace}",
      handler: (call) => watchOf(operations, "workflows", call, "object"),
    },
  ];
}

function parameter(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at <= 0) throw new InvalidArgumentError("submitOptions.parameters", `"${text}" is not name=value`);
  return [text.slice(0, at), text.slice(at + 1)];
}

function rolloutRoutes(operations: Operations): Route[] {
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
      async *handler(call) {
        for await (const { type, object } of operations.watch(
          { resource: "rollouts", ...selection(call) },
          call.signal,
        )) {
          yield { type: type[0] + type.slice(1).toLowerCase(), rolloutInfo: info(object) };
        }
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
        await operations.actOnRollout(params["namespace"], params["name"], "undo", count(params["revision"] ?? ""));
        return info(await operations.get("rollouts", params["namespace"], params["name"]));
      },
    },
  ];
}

function eventRoutes(operations: Operations): Route[] {
  const kinds = [
    { path: "event-sources", resource: "eventsources", kind: "EventSource" },
    { path: "sensors", resource: "sensors", kind: "Sensor" },
  ];
  return kinds.flatMap(({ path, resource, kind }): Route[] => [
    {
      method: "GET",
      path: `/api/v1/${path}/{namespace}`,
      handler: async (call) => listOf(kind, await operations.list({ resource, ...selection(call) })),
    },
    {
      method: "GET",
      path: `/api/v1/${path}/{namespace}/{name}`,
      handler: ({ params }) => operations.get(resource, params["namespace"], params["name"]),
    },
    {
      method: "GET",
      path: `/api/v1/stream/${path}/{namespace}`,
      handler: (call) => watchOf(operations, resource, call, "object"),
    },
  ]);
}

/** What the originals have no path for. */
function ownRoutes(operations: Operations, history: History): Route[] {
  return [
    {
      method: "GET",
      path: "/api/tiphys/v1/watch/{resource}",
      handler: (call) => watchOf(operations, call.params["resource"] ?? "", call, "object"),
    },
    {
      method: "GET",
      path: "/api/tiphys/v1/explain/{resource}/{namespace}/{name}",
      handler: async ({ params }) => ({
        decisions: await history.explain(params["resource"] ?? "", params["namespace"], params["name"]),
      }),
    },
    {
      method: "GET",
      path: "/api/tiphys/v1/events",
      handler: async ({ query }) => ({
        events: await history.events({
          ...(query.get("namespace") ? { namespace: query.get("namespace") ?? "" } : {}),
          ...(query.get("change") ? { change: query.get("change") ?? "" } : {}),
          limit: count(query.get("limit") ?? "100"),
        }),
      }),
    },
  ];
}

async function* watchOf(operations: Operations, resource: string, call: RestCall, member: string) {
  const name = call.query.get("name");
  for await (const { type, object } of operations.watch(
    { resource, ...selection(call), ...(name ? { name } : {}) },
    call.signal,
  )) {
    yield { type, [member]: object };
  }
}

function asKind(object: Record<string, unknown>, kind: string): KubeObject {
  return { ...object, apiVersion: "argoproj.io/v1alpha1", kind } as unknown as KubeObject;
}
