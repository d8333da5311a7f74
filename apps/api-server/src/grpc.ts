import { InvalidArgumentError, UnimplementedError } from "@tiphys/errors";
import { tiphysApiV1Api as api, session, version } from "@tiphys/proto";
import type { KubeObject } from "@tiphys/resources";
import { type ServedService, serve } from "@tiphys/rpc";
import type { Accounts } from "./accounts.js";
import type { History } from "./history.js";
import type { Operations } from "./operations.js";
import { versionMessage } from "./version.js";

const encode = (object: KubeObject) => ({ json: Buffer.from(JSON.stringify(object)) });

function decode(json: Uint8Array | undefined, field: string): KubeObject {
  try {
    return JSON.parse(Buffer.from(json ?? []).toString("utf8"));
  } catch (cause) {
    throw new InvalidArgumentError(field, "is not JSON", { cause });
  }
}

/** RPCs that anybody may call. */
export const openMethods: ReadonlySet<string> = new Set([
  "/version.VersionService/Version",
  "/session.SessionService/Create",
]);

/** Everything the public port serves over gRPC. */
export function grpcServices(operations: Operations, history: History, accounts: Accounts): readonly ServedService[] {
  return [
    serve(version.VersionServiceDefinition, { version: async () => versionMessage() }),
    serve(session.SessionServiceDefinition, {
      async create({ username = "", password = "", token }) {
        if (token) throw new UnimplementedError("session.SessionService/Create with a token of another issuer");
        return { token: await accounts.login(username, password) };
      },
      delete: async () => ({ token: "" }),
      getUserInfo: async (_request, { principal }) => ({
        loggedIn: true,
        username: principal.username,
        iss: "argocd",
        groups: [...principal.groups],
      }),
    }),
    serve(api.TiphysServiceDefinition, {
      async list(request) {
        const page = await operations.list({ ...request, resource: request.resource ?? "" });
        return {
          items: page.items.map((item) => encode(item).json),
          continue: page.continue ?? "",
          resourceVersion: page.resourceVersion,
        };
      },
      get: async ({ resource = "", namespace, name }) => encode(await operations.get(resource, namespace, name)),
      async *watch(request, { signal }) {
        const events = await operations.watch({ ...request, resource: request.resource ?? "" }, signal);
        for await (const { type, object } of events) yield { type, ...encode(object) };
      },
      apply: async ({ json, dryRun = false }) => encode(await operations.apply(decode(json, "json"), { dryRun })),
      async delete({ resource = "", namespace, name, cascade = false }) {
        await operations.remove(resource, namespace, name, cascade);
        return {};
      },
      syncApplication: async (request, { principal }) => encode(await operations.syncApplication(request, principal)),
      submitWorkflow: async ({ json, ...request }) =>
        encode(
          await operations.submitWorkflow({
            ...request,
            ...(json && json.length > 0 ? { workflow: decode(json, "json") } : {}),
          }),
        ),
      actOnWorkflow: async ({ namespace, name, action = "" }) =>
        encode(await operations.actOnWorkflow(namespace, name, action)),
      async *workflowLogs({ namespace, name, follow = false }, { signal }) {
        yield* await operations.workflowLogs(namespace, name, follow, signal);
      },
      actOnRollout: async ({ namespace, name, action = "", revision }) =>
        encode(await operations.actOnRollout(namespace, name, action, revision)),
      explain: async ({ resource = "", namespace, name }) => ({
        decisions: await history.explain(resource, namespace, name),
      }),
      listEvents: async (request) => ({ events: await history.events(request) }),
    }),
  ];
}
