import { InvalidArgumentError, UnimplementedError } from "@tiphys/errors";
import type { Operations } from "../operations.js";
import type { Route } from "../router.js";
import { asKind, listOf, onlyFields, selection, watchOf } from "./shapes.js";

/** Argo Workflows' paths of workflows. */
export function workflowRoutes(operations: Operations): Route[] {
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
        const body = await call.body<{ workflow?: Record<string, unknown> }>();
        onlyFields(body, "workflow create", ["namespace", "workflow"]);
        const workflow = body.workflow && asKind(body.workflow, "Workflow");
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
        onlyFields(body, "workflow submit", ["namespace", "resourceKind", "resourceName", "submitOptions"]);
        onlyFields(body.submitOptions ?? {}, "workflow submit", ["parameters"]);
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
      async handler({ params, query, signal }) {
        const follow = query.get("logOptions.follow") === "true";
        const lines = await operations.workflowLogs(params["namespace"], params["name"], follow, signal);
        return (async function* () {
          for await (const { pod, content } of lines) yield { podName: pod, content };
        })();
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
