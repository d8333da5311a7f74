import type { IncomingMessage } from "node:http";
import { StringDecoder } from "node:string_decoder";
import { deepFreeze } from "@tiphys/canonical-json";
import type { Clock } from "@tiphys/clock";
import type { Principal } from "@tiphys/identity";
import { apiVersionOf, type KubeObject, type ObjectKey, type ResourceType } from "@tiphys/resources";
import type { Logger } from "@tiphys/telemetry";
import {
  apiVersionsOf,
  type DeleteOptions,
  type KubeClient,
  type KubeList,
  type ListOptions,
  type LogOptions,
  type Patch,
  type WatchEvent,
  type WatchOptions,
  type WriteOptions,
} from "./client.js";
import type { ClusterConnection } from "./connection.js";
import { Discovery } from "./discovery.js";
import { KubeApiError, statusError } from "./errors.js";
import { type HttpCall, Transport, unavailable } from "./transport.js";

export interface HttpKubeClientOptions {
  readonly connection: ClusterConnection;
  readonly log: Logger;
  /** Given: a server that asks for patience (429 with Retry-After) gets it. */
  readonly clock?: Clock;
  readonly userAgent?: string;
}

export interface HttpKubeClient extends KubeClient {
  readonly connection: ClusterConnection;
  /** Ends idle connections; calls and watches under way fail. */
  close(): void;
}

const patchTypes: Readonly<Record<Patch["type"], string>> = {
  json: "application/json-patch+json",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  // JSON is YAML, and this is the one media type that every server version knows for server-side apply.
  apply: "application/apply-patch+yaml",
};

/** A client of any Kubernetes API server over HTTP(S). */
export function createHttpKubeClient(options: HttpKubeClientOptions): HttpKubeClient {
  const { connection } = options;
  const transport = new Transport(connection, options.userAgent ?? "tiphys", options.clock);
  const client = clientAs(transport, new Discovery(transport), undefined);
  return { ...client, connection, close: () => transport.close() };
}

function clientAs(transport: Transport, discovery: Discovery, principal: Principal | undefined): KubeClient {
  const call = async (request: HttpCall, type: ResourceType): Promise<KubeObject> => {
    const answer = await transport.call(principal ? { ...request, principal } : request);
    const object = JSON.parse(answer.text) as KubeObject;
    // Servers leave kind and apiVersion out of some answers; our objects always carry them.
    object.kind ??= type.kind;
    object.apiVersion ??= apiVersionOf(type);
    return deepFreeze(object);
  };

  return {
    get: (type, key, options) =>
      call({ method: "GET", path: pathOf(type, key, options?.subresource), ...withSignal(options) }, type),

    async list(type, options: ListOptions = {}): Promise<KubeList> {
      const { namespace, signal, limit, ...query } = options;
      const request: HttpCall = {
        method: "GET",
        path: collectionPath(type, namespace),
        query: { ...query, limit: limit?.toString() },
        ...(signal ? { signal } : {}),
      };
      const list = JSON.parse((await transport.call(principal ? { ...request, principal } : request)).text);
      const apiVersion = apiVersionOf(type);
      // Items of a typed list come without their kind.
      const items = ((list.items ?? []) as KubeObject[]).map((item) =>
        deepFreeze(item.kind ? item : { ...item, apiVersion, kind: type.kind }),
      );
      return {
        items,
        resourceVersion: list.metadata?.resourceVersion ?? "",
        ...(list.metadata?.continue ? { continue: list.metadata.continue } : {}),
      };
    },

    watch: (type, options, signal) => watch(transport, type, options, signal, principal),

    create: (type, object, options) =>
      call(
        {
          method: "POST",
          path: options?.subresource
            ? pathOf(type, objectKey(type, object), options.subresource)
            : collectionPath(type, namespaceFor(type, object)),
          query: writeQuery(options),
          body: object,
          ...withSignal(options),
        },
        type,
      ),

    replace: (type, object, options) =>
      call(
        {
          method: "PUT",
          path: pathOf(type, objectKey(type, object), options?.subresource),
          query: writeQuery(options),
          body: object,
          ...withSignal(options),
        },
        type,
      ),

    patch: (type, key, patch, options) =>
      call(
        {
          method: "PATCH",
          path: pathOf(type, key, options?.subresource),
          query: { ...writeQuery(options), force: options?.force ? "true" : undefined },
          body: patch.body,
          contentType: patchTypes[patch.type],
          ...withSignal(options),
        },
        type,
      ),

    async delete(type, key, options: DeleteOptions = {}) {
      const { propagation, gracePeriodSeconds, preconditions, dryRun } = options;
      const request: HttpCall = {
        method: "DELETE",
        path: pathOf(type, key),
        body: {
          kind: "DeleteOptions",
          apiVersion: "v1",
          ...(propagation ? { propagationPolicy: propagation } : {}),
          ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
          ...(preconditions ? { preconditions } : {}),
          ...(dryRun ? { dryRun: ["All"] } : {}),
        },
        ...withSignal(options),
      };
      await transport.call(principal ? { ...request, principal } : request);
    },

    resourceFor: (apiVersion, kind) => discovery.resourceFor(apiVersion, kind),
    resources: () => discovery.resources(),
    async cluster() {
      const [version, served] = await Promise.all([
        transport.call({ method: "GET", path: "/version" }),
        discovery.types(),
      ]);
      return { version: String(JSON.parse(version.text).gitVersion ?? ""), apiVersions: apiVersionsOf(served) };
    },
    logs: (pod, options, signal) => logs(transport, pod, options, signal, principal),
    as: (other) => clientAs(transport, discovery, other),
  };
}

const withSignal = (options: { signal?: AbortSignal } | undefined) =>
  options?.signal ? { signal: options.signal } : {};

const writeQuery = (options: WriteOptions | undefined) => ({
  fieldManager: options?.fieldManager,
  fieldValidation: options?.fieldValidation,
  dryRun: options?.dryRun ? "All" : undefined,
});

const namespaceFor = (type: ResourceType, object: KubeObject) =>
  type.namespaced ? (object.metadata.namespace ?? "default") : undefined;

function objectKey(type: ResourceType, object: KubeObject): ObjectKey {
  const namespace = namespaceFor(type, object);
  return namespace === undefined ? { name: object.metadata.name } : { namespace, name: object.metadata.name };
}

function collectionPath(type: ResourceType, namespace: string | undefined): string {
  const root = type.group ? `/apis/${type.group}/${type.version}` : `/api/${type.version}`;
  const scope = type.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : "";
  return `${root}${scope}/${type.resource}`;
}

function pathOf(type: ResourceType, key: ObjectKey, subresource?: string): string {
  if (!key.name) throw statusError(400, "BadRequest", `${type.resource}: metadata.name is required`);
  const path = `${collectionPath(type, type.namespaced ? (key.namespace ?? "default") : undefined)}/${encodeURIComponent(key.name)}`;
  return subresource ? `${path}/${subresource}` : path;
}

async function* watch(
  transport: Transport,
  type: ResourceType,
  options: WatchOptions,
  signal: AbortSignal,
  principal: Principal | undefined,
): AsyncGenerator<WatchEvent> {
  const { namespace, timeoutSeconds, ...query } = options;
  const request: HttpCall = {
    method: "GET",
    path: collectionPath(type, namespace),
    query: { ...query, watch: "true", allowWatchBookmarks: "true", timeoutSeconds: timeoutSeconds?.toString() },
    signal,
    ...(principal ? { principal } : {}),
  };
  if (signal.aborted) return;
  let response: IncomingMessage | undefined;
  try {
    response = await transport.open(request);
    for await (const line of lines(response)) {
      const event = JSON.parse(line);
      if (event.type === "ERROR") throw new KubeApiError(event.object);
      if (event.type === "BOOKMARK") {
        yield { type: "BOOKMARK", resourceVersion: event.object.metadata.resourceVersion };
      } else yield { type: event.type, object: deepFreeze(event.object) };
    }
  } catch (error) {
    if (signal.aborted) return;
    throw error instanceof KubeApiError ? error : unavailable(request, error);
  } finally {
    response?.destroy();
  }
}

async function* lines(response: IncomingMessage): AsyncGenerator<string> {
  const decoder = new StringDecoder("utf8");
  let rest: string[] = [];
  for await (const chunk of response) {
    let text = decoder.write(chunk as Buffer);
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
      rest.push(text.slice(0, end));
      const line = rest.join("");
      rest = [];
      text = text.slice(end + 1);
      if (line !== "") yield line;
    }
    if (text !== "") rest.push(text);
  }
}

async function* logs(
  transport: Transport,
  pod: ObjectKey,
  options: LogOptions,
  signal: AbortSignal,
  principal: Principal | undefined,
): AsyncGenerator<Uint8Array> {
  const path = `/api/v1/namespaces/${encodeURIComponent(pod.namespace ?? "default")}/pods/${encodeURIComponent(pod.name)}/log`;
  const request: HttpCall = {
    method: "GET",
    path,
    accept: "*/*",
    query: {
      container: options.container,
      follow: options.follow ? "true" : undefined,
      previous: options.previous ? "true" : undefined,
      timestamps: options.timestamps ? "true" : undefined,
      sinceSeconds: options.sinceSeconds?.toString(),
      sinceTime: options.sinceTime,
      limitBytes: options.limitBytes?.toString(),
      tailLines: options.tailLines?.toString(),
    },
    signal,
    ...(principal ? { principal } : {}),
  };
  if (signal.aborted) return;
  let response: IncomingMessage | undefined;
  try {
    response = await transport.open(request);
    for await (const chunk of response) yield chunk as Uint8Array;
  } catch (error) {
    if (signal.aborted) return;
    throw error instanceof KubeApiError ? error : unavailable(request, error);
  } finally {
    response?.destroy();
  }
}
