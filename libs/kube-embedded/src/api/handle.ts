import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Principal } from "@tiphys/identity";
import type { DeleteOptions, KubeList, LogOptions, Patch } from "@tiphys/kube";
import type { UpgradeRequest } from "@tiphys/kube-streams";
import type { KubeObject } from "@tiphys/resources";
import { restrictNode } from "../access/node-restriction.js";
import type { Authenticate, Tokens } from "../access/tokens.js";
import { caveats } from "./behaviour.js";
import { checkType, decodeBody } from "./body.js";
import { type Deletion, remove, removeNow } from "./deletes.js";
import type { ServedKind } from "./kinds.js";
import type { Parts, Target, WriteContext } from "./parts.js";
import { patch } from "./patches.js";
import { get, type ListQuery, list, type Watch, type WatchQuery, watch } from "./reads.js";
import { review } from "./reviews.js";
import { hasScale, scaleOf, writeScale } from "./scale.js";
import * as status from "./status.js";
import { bind, evict, serves } from "./subresources.js";
import { requestToken } from "./token-request.js";
import { create, update } from "./writes.js";

/** How the log of a pod is read; node runtimes register one. */
export type LogSource = (pod: KubeObject, options: LogOptions, signal: AbortSignal) => AsyncIterable<Uint8Array>;

/** How a node's kubelet is asked; targets are paths and queries as a kubelet knows them. */
export interface NodeConnection {
  /** Exec, attach and port forwarding. */
  upgrade(target: string, upgrade: UpgradeRequest): Promise<void>;
  request(target: string, request: IncomingMessage, response: ServerResponse): void;
}

export interface HandlerParts extends Parts {
  readonly authenticate: Authenticate;
  readonly tokens: Tokens;
  readonly logSource: (node: string) => LogSource | undefined;
  readonly nodeConnection: (node: string) => NodeConnection | undefined;
  /** Connects to a pod's address. */
  readonly reach: (ip: string, port: number) => Promise<Duplex>;
}

interface Common {
  readonly principal: Principal;
  readonly kind: ServedKind;
  readonly namespace?: string;
}

/** A request as both transports make it. Bodies are plain data that nobody else holds. */
export type ApiRequest = Common &
  (
    | { readonly verb: "get"; readonly name: string; readonly subresource?: string; readonly resourceVersion?: string }
    | { readonly verb: "list"; readonly query: ListQuery }
    | { readonly verb: "watch"; readonly query: WatchQuery }
    | {
        readonly verb: "create";
        readonly name?: string;
        readonly subresource?: string;
        readonly body: unknown;
        readonly context: WriteContext;
      }
    | {
        readonly verb: "update";
        readonly name: string;
        readonly subresource?: string;
        readonly body: unknown;
        readonly context: WriteContext;
      }
    | {
        readonly verb: "patch";
        readonly name: string;
        readonly subresource?: string;
        readonly patch: Patch;
        readonly context: WriteContext;
      }
    | { readonly verb: "delete"; readonly name: string; readonly options: DeleteOptions }
    | { readonly verb: "deletecollection"; readonly query: ListQuery; readonly options: DeleteOptions }
    | { readonly verb: "logs"; readonly name: string; readonly options: LogOptions; readonly signal: AbortSignal }
  );

export type ApiAnswer =
  | { readonly type: "object"; readonly object: KubeObject; readonly created?: boolean }
  | { readonly type: "list"; readonly list: KubeList & { readonly remaining?: number } }
  | { readonly type: "watch"; readonly watch: Watch }
  | { readonly type: "deletion"; readonly deletion: Deletion }
  | { readonly type: "success"; readonly created?: boolean }
  | { readonly type: "bytes"; readonly bytes: AsyncIterable<Uint8Array> };

/** Subresources by name that exist in the API and not here yet. */
const missing = new Set(["exec", "attach", "portforward", "proxy"]);

/** Says by name that a subresource is known and not there yet. */
export function refuseMissing({
  kind,
  subresource,
}: {
  readonly kind: ServedKind;
  readonly subresource?: string;
}): void {
  if (subresource && missing.has(subresource) && kind.builtin) {
    throw status.unimplemented(`${status.resourceName(kind)}/${subresource}`);
  }
}

/** Answers a request; refusals are KubeApiErrors. Everything a client can ask of objects goes through here. */
export async function handle(parts: HandlerParts, request: ApiRequest): Promise<ApiAnswer> {
  const { kind, namespace } = request;
  const subresource = "subresource" in request ? request.subresource : undefined;
  if (subresource) {
    refuseMissing({ kind, subresource });
    if (!serves(kind, subresource, request.verb)) {
      throw kind.subresources.some(({ name }) => name === subresource)
        ? status.methodNotAllowed()
        : status.noSuchResource();
    }
  } else if (request.verb !== "logs" && !kind.verbs.includes(request.verb)) throw status.methodNotAllowed();
  const target = (name: string): Target => ({
    kind,
    name,
    ...(kind.namespaced && namespace !== undefined ? { namespace } : {}),
    ...(subresource ? { subresource } : {}),
  });
  switch (request.verb) {
    case "get": {
      const object = await get(parts, target(request.name), request.resourceVersion);
      return { type: "object", object: subresource === "scale" && hasScale(kind) ? scaleOf(object, kind) : object };
    }
    case "list":
      return {
        type: "list",
        list: await list(parts, kind, { ...request.query, ...(namespace !== undefined ? { namespace } : {}) }),
      };
    case "watch":
      return {
        type: "watch",
        watch: await watch(parts, kind, { ...request.query, ...(namespace !== undefined ? { namespace } : {}) }),
      };
    case "create":
      return post(parts, request, target);
    case "update": {
      if (subresource === "scale") {
        return {
          type: "object",
          object: await writeScale(parts, target(request.name), { body: request.body }, request.context),
        };
      }
      return { type: "object", ...(await update(parts, target(request.name), request.body, request.context)) };
    }
    case "patch": {
      if (subresource === "scale") {
        return {
          type: "object",
          object: await writeScale(parts, target(request.name), { patch: request.patch }, request.context),
        };
      }
      const patched = await patch(parts, target(request.name), request.patch, request.context);
      if (patched.created) for (const caveat of caveats(kind, patched.object)) request.context.warn(caveat);
      return { type: "object", ...patched };
    }
    case "delete":
      restrictDeletion(parts, request.principal, target(request.name));
      return { type: "deletion", deletion: await remove(parts, target(request.name), request.options) };
    case "deletecollection": {
      const { items, resourceVersion } = await list(parts, kind, {
        ...request.query,
        ...(namespace !== undefined ? { namespace } : {}),
      });
      for (const { metadata } of items) {
        const one = { kind, name: metadata.name, ...(metadata.namespace ? { namespace: metadata.namespace } : {}) };
        if (parts.store.get(kind.collection, metadata.namespace, metadata.name)) removeNow(parts, one, request.options);
      }
      await parts.store.settled();
      return { type: "list", list: { items, resourceVersion } };
    }
    case "logs": {
      const pod = await get(parts, target(request.name));
      return { type: "bytes", bytes: logs(parts, kind, pod, request.options, request.signal) };
    }
  }
}

/** A kubelet deletes and evicts pods of its node alone. */
function restrictDeletion(parts: HandlerParts, principal: Principal, { kind, namespace, name, subresource }: Target) {
  const old = parts.store.get(kind.collection, kind.namespaced ? namespace : undefined, name);
  if (old) restrictNode(principal, "delete", kind, name, { old, subresource });
}

const BINDING = { group: "", version: "v1", kind: "Binding" } as const;
const EVICTION = { group: "policy", version: "v1", kind: "Eviction" } as const;

async function post(
  parts: HandlerParts,
  request: Extract<ApiRequest, { verb: "create" }>,
  target: (name: string) => Target,
): Promise<ApiAnswer> {
  const { kind, namespace, body, context, subresource } = request;
  if (!subresource) {
    if (kind.verbs.length === 1) {
      const answer = review(parts, kind, namespace, decodeBody(kind, body, context), context);
      if (answer) return { type: "object", object: answer, created: true };
    }
    if (kind.collection === "/bindings") {
      const pods = parts.kinds.find("", "v1", "pods");
      const binding = decodeBody(kind, body, context);
      if (pods) await bind(parts, { ...target(binding.metadata.name), kind: pods }, binding, context);
      return { type: "success", created: true };
    }
    const object = await create(parts, kind, namespace, body, context);
    for (const caveat of caveats(kind, object)) context.warn(caveat);
    return { type: "object", object, created: true };
  }
  const given = body as KubeObject;
  const name = request.name || given?.metadata?.name;
  if (!name) {
    if (subresource === "eviction" || subresource === "binding") {
      throw status.badRequest(
        `name in URL does not match name in ${subresource === "binding" ? "Binding" : "Eviction"} object`,
      );
    }
    throw status.badRequest("metadata.name: the name of the object is required");
  }
  if (subresource === "token") {
    return { type: "object", object: requestToken(parts, target(name), body, context), created: true };
  }
  const named = { binding: "Binding", eviction: "Eviction" }[subresource];
  if (named) {
    checkType(
      named === "Binding" ? BINDING : EVICTION,
      given.apiVersion || (named === "Binding" ? "v1" : "policy/v1"),
      given.kind || named,
      given,
    );
    if (request.name && given.metadata?.name !== request.name) {
      throw status.badRequest(`name in URL does not match name in ${named} object`);
    }
  }
  if (subresource === "binding") await bind(parts, target(name), given, context);
  else if (subresource === "eviction") {
    restrictDeletion(parts, context.principal, target(name));
    await evict(parts, target(name), given, context);
  } else throw status.methodNotAllowed();
  return { type: "success", created: true };
}

function logs(parts: HandlerParts, kind: ServedKind, pod: KubeObject, options: LogOptions, signal: AbortSignal) {
  const { name } = pod.metadata;
  const { initContainers = [], containers: mains = [], ephemeralContainers = [] } = pod["spec"] ?? {};
  const containers = [...initContainers, ...mains, ...ephemeralContainers].map(
    (container: { name: string }) => container.name,
  );
  const container = options.container ?? defaultContainer(pod);
  if (!container) {
    throw status.badRequest(
      `a container name must be specified for pod ${name}, choose one of: [${containers.join(" ")}]`,
    );
  }
  if (!containers.includes(container)) {
    throw status.badRequest(`container ${container} is not valid for pod ${name}`);
  }
  const node = pod["spec"].nodeName;
  // A pod without a node has no log yet.
  if (!node) return (async function* () {})();
  const source = parts.logSource(node);
  if (!source)
    throw status.internal(`Get logs of ${kind.resource} "${name}": node "${node}" is not connected to this API server`);
  return source(pod, { ...options, container }, signal);
}

function defaultContainer(pod: KubeObject): string | undefined {
  const containers = (pod["spec"]?.containers ?? []) as { name: string }[];
  return containers.length === 1 ? containers[0]?.name : undefined;
}
