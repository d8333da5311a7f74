import type { Principal } from "@tiphys/identity";
import { apiVersionsOf, type KubeClient, type Patch, type WriteOptions } from "@tiphys/kube";
import { groupVersionOf, type KubeObject, type ResourceType } from "@tiphys/resources";
import { isSuperuser } from "./access/access.js";
import { attributesOf } from "./access/attributes.js";
import { plain } from "./api/body.js";
import { type ApiAnswer, type ApiRequest, type HandlerParts, handle } from "./api/handle.js";
import type { ServedKind } from "./api/kinds.js";
import type { WriteContext } from "./api/parts.js";
import * as status from "./api/status.js";
import { SERVER_VERSION } from "./api/version.js";

const PATCH_CONTENT = (patch: Patch): Patch => ({ ...patch, body: plain(patch.body) }) as Patch;

/** Decisions that a client remembers. */
const REMEMBERED = 10_000;

/** The API without a wire: what goes in is copied, what comes out is frozen, all between is what HTTPS runs too. */
export function memoryClient(parts: HandlerParts, principal: Principal): KubeClient {
  const superuser = isSuperuser(principal);
  const kindOf = (type: ResourceType): ServedKind => {
    const kind = parts.kinds.find(type.group, type.version, type.resource);
    if (!kind) throw status.noSuchResource();
    return kind;
  };
  let decided = new Set<string>();
  let generation = parts.access.generation;
  /** Throws the refusal. Controllers ask the same again and again: what roles allow for every name is remembered. */
  const check = (request: ApiRequest): void => {
    const { verb, kind, namespace } = request;
    const subresource = "subresource" in request ? request.subresource : undefined;
    const key = `${verb} ${kind.collection} ${subresource ?? ""} ${namespace ?? ""}`;
    if (generation !== parts.access.generation) {
      generation = parts.access.generation;
      decided = new Set();
    }
    // The name is the namespace there.
    if (kind.collection !== "/namespaces" && decided.has(key)) return;
    const attributes = attributesOf(request);
    if (kind.collection !== "/namespaces" && parts.access.allowsAnyName(principal, attributes)) {
      if (decided.size >= REMEMBERED) decided.clear();
      decided.add(key);
    } else parts.access.check(principal, attributes);
  };
  const call = async (request: ApiRequest, signal?: AbortSignal): Promise<ApiAnswer> => {
    signal?.throwIfAborted();
    if (!superuser) check(request);
    return handle(parts, request);
  };
  const context = (options: WriteOptions = {}): WriteContext => ({
    principal,
    manager: options.fieldManager ?? principal.username.split(":").at(-1) ?? principal.username,
    fieldValidation: options.fieldValidation ?? "Warn",
    dryRun: options.dryRun ?? false,
    ...(options.force ? { force: true } : {}),
    warn: (message) => parts.log.debug("field ignored", { problem: message, by: principal.username }),
  });
  const within = (namespace: string | undefined) => (namespace === undefined ? {} : { namespace });
  const sub = (options: { subresource?: string } | undefined) =>
    options?.subresource ? { subresource: options.subresource } : {};
  const objectOf = (answer: ApiAnswer): KubeObject => {
    if (answer.type === "object") return Object.isFrozen(answer.object) ? answer.object : Object.freeze(answer.object);
    return { kind: "Status", apiVersion: "v1", metadata: { name: "" }, status: "Success" };
  };

  return {
    async get(type, { namespace, name }, options) {
      const request = {
        principal,
        verb: "get",
        kind: kindOf(type),
        ...within(namespace),
        name,
        ...sub(options),
      } as const;
      return objectOf(await call(request, options?.signal));
    },
    async list(type, options = {}) {
      const { signal, namespace, ...query } = options;
      const answer = await call({ principal, verb: "list", kind: kindOf(type), ...within(namespace), query }, signal);
      if (answer.type !== "list") throw status.internal("the list has no items");
      const { remaining: _, ...list } = answer.list;
      return list;
    },
    async *watch(type, options, signal) {
      if (signal.aborted) return;
      const { namespace, timeoutSeconds, ...query } = options;
      const answer = await call({ principal, verb: "watch", kind: kindOf(type), ...within(namespace), query });
      if (answer.type !== "watch") throw status.internal("the watch has no events");
      const { watch } = answer;
      const end = () => watch.close();
      const cancel = timeoutSeconds
        ? parts.clock.at(new Date(parts.clock.now().getTime() + timeoutSeconds * 1000), end)
        : undefined;
      signal.addEventListener("abort", end, { once: true });
      if (signal.aborted) end();
      try {
        for await (const frame of watch.frames()) yield frame;
      } finally {
        cancel?.();
        signal.removeEventListener("abort", end);
        end();
      }
    },
    async create(type, object, options) {
      const kind = kindOf(type);
      const body = plain(object);
      const { name, namespace } = body.metadata ?? {};
      const request = {
        principal,
        verb: "create",
        kind,
        ...within(namespace),
        ...(name ? { name } : {}),
        ...sub(options),
        body,
        context: context(options),
      } as const;
      return objectOf(await call(request, options?.signal));
    },
    async replace(type, object, options) {
      const kind = kindOf(type);
      const body = plain(object);
      const { name, namespace } = body.metadata;
      const request = {
        principal,
        verb: "update",
        kind,
        ...within(namespace),
        name,
        ...sub(options),
        body,
        context: context(options),
      } as const;
      return objectOf(await call(request, options?.signal));
    },
    async patch(type, { namespace, name }, patch, options) {
      const request = {
        principal,
        verb: "patch",
        kind: kindOf(type),
        ...within(namespace),
        name,
        ...sub(options),
        patch: PATCH_CONTENT(patch),
        context: context(options),
      } as const;
      return objectOf(await call(request, options?.signal));
    },
    async delete(type, { namespace, name }, options = {}) {
      const { signal, ...rest } = options;
      await call({ principal, verb: "delete", kind: kindOf(type), ...within(namespace), name, options: rest }, signal);
    },
    async resourceFor(apiVersion, kind) {
      const { group, version } = groupVersionOf(apiVersion);
      const found = parts.kinds.byKind(group, version, kind);
      if (!found) {
        throw parts.kinds.hasGroupVersion(group, version)
          ? status.notFound({ group, resource: kind, kind }, apiVersion)
          : status.noSuchResource();
      }
      return typeOf(found);
    },
    async resources() {
      const preferred = new Map<string, ServedKind>();
      for (const kind of parts.kinds.all()) {
        if (kind.verbs.includes("list") && !preferred.has(kind.collection)) preferred.set(kind.collection, kind);
      }
      return [...preferred.values()].map(typeOf);
    },
    cluster: async () => ({ version: SERVER_VERSION, apiVersions: apiVersionsOf(parts.kinds.all()) }),
    async *logs({ namespace, name }, options, signal) {
      const kind = parts.kinds.find("", "v1", "pods");
      if (!kind) throw status.noSuchResource();
      const answer = await call({ principal, verb: "logs", kind, ...within(namespace), name, options, signal }, signal);
      if (answer.type === "bytes") yield* answer.bytes;
    },
    as: (other) => memoryClient(parts, other),
  };
}

const typeOf = ({ group, version, resource, kind, namespaced }: ServedKind): ResourceType =>
  Object.freeze({ group, version, resource, kind, namespaced });
