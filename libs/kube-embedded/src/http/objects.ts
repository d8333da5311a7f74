import type { Principal } from "@tiphys/identity";
import type { Patch } from "@tiphys/kube";
import { statusError } from "@tiphys/kube";
import type { KubeObject } from "@tiphys/resources";
import { deprecation } from "../api/behaviour.js";
import { type ApiAnswer, type ApiRequest, type HandlerParts, handle, refuseMissing } from "../api/handle.js";
import { badRequest, methodNotAllowed } from "../api/status.js";
import { returnsDeletedObject } from "../api/strategy.js";
import { type Body, decodeRequest, mediaTypeOf, readBody } from "./body.js";
import { isConnect, serveConnect } from "./connect.js";
import type { Exchange } from "./exchange.js";
import { negotiate, type Representation } from "./negotiation.js";
import { PROTOBUF } from "./protobuf.js";
import { deleteOptions, flag, listQuery, logOptions, watchQuery, writeContext } from "./query.js";
import { listText, objectText, type Shaping } from "./representations.js";
import { type Route, route } from "./route.js";
import { streamWatch } from "./watch-stream.js";

const DOCUMENTS = ["application/json", "application/yaml", PROTOBUF];
const patchTypes: Readonly<Record<string, Patch["type"]>> = {
  "application/json-patch+json": "json",
  "application/merge-patch+json": "merge",
  "application/strategic-merge-patch+json": "strategic",
  "application/apply-patch+yaml": "apply",
};

/** In the real server's words. */
const PODS_STAY =
  "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning";

/** Answers a request for objects of a kind. */
export async function serveObjects(parts: HandlerParts, exchange: Exchange, principal: Principal): Promise<void> {
  const { request, query } = exchange;
  const found = route(parts.kinds, exchange.path, exchange.url.pathname);
  if (isConnect(found)) return serveConnect(parts, exchange, found, principal);
  if (found.subresource === "log") return serveLogs(parts, exchange, found, principal);
  const representation = negotiate(request.headers.accept);
  const shaping: Shaping = {
    kind: found.kind,
    representation,
    includeObject: query.get("includeObject") ?? "Metadata",
    now: parts.clock.now(),
  };
  refuseMissing(found);
  const advice = deprecation(found.kind);
  if (advice) exchange.warn(advice);
  const asked = await toRequest(exchange, found, principal);
  if (asked.verb === "watch") {
    const { bookmarks, timeoutSeconds } = watchQuery(query);
    return streamWatch(parts, exchange, asked, shaping, {
      bookmarks,
      ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
    });
  }
  answer(exchange, await handle(parts, asked), found, shaping, representation);
}

async function toRequest(exchange: Exchange, found: Route, principal: Principal): Promise<ApiRequest> {
  const { request, query } = exchange;
  const { kind, namespace, name, subresource } = found;
  const common = { principal, kind, ...(namespace === undefined ? {} : { namespace }) };
  const sub = subresource === undefined ? {} : { subresource };
  const context = (optionsKind: string, { duplicates }: Pick<Body, "duplicates">, apply = false) =>
    writeContext({
      query,
      principal,
      userAgent: request.headers["user-agent"],
      optionsKind,
      duplicates,
      apply,
      warn: exchange.warn,
    });
  switch (request.method) {
    case "GET":
      if (name !== undefined) return { ...common, verb: "get", name, ...sub };
      return flag(query, "watch")
        ? { ...common, verb: "watch", query: watchQuery(query) }
        : { ...common, verb: "list", query: listQuery(query) };
    case "POST": {
      if (name !== undefined && subresource === undefined) throw methodNotAllowed();
      const body = await decodeRequest(request, DOCUMENTS, kind.kind);
      return {
        ...common,
        verb: "create",
        ...(name === undefined ? {} : { name }),
        ...sub,
        body: body.value,
        context: context("CreateOptions", body),
      };
    }
    case "PUT": {
      if (name === undefined) throw methodNotAllowed();
      const body = await decodeRequest(request, DOCUMENTS, kind.kind);
      return { ...common, verb: "update", name, ...sub, body: body.value, context: context("UpdateOptions", body) };
    }
    case "PATCH": {
      if (name === undefined) throw methodNotAllowed();
      const type = patchTypes[mediaTypeOf(request)];
      if (!type) throw statusError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {});
      const body = await decodeRequest(request, Object.keys(patchTypes), kind.kind);
      const patch = { type, body: checkedPatch(type, body.value) } as Patch;
      return {
        ...common,
        verb: "patch",
        name,
        ...sub,
        patch,
        context: context("PatchOptions", body, type === "apply"),
      };
    }
    case "DELETE": {
      const options = deleteOptions(query, await deleteBody(exchange));
      if (kind.collection === "batch/jobs" && options.propagation === undefined) exchange.warn(PODS_STAY);
      return name === undefined
        ? { ...common, verb: "deletecollection", query: listQuery(query), options }
        : { ...common, verb: "delete", name, options };
    }
    default:
      throw methodNotAllowed();
  }
}

function checkedPatch(type: Patch["type"], value: unknown): unknown {
  if (type === "json" && !Array.isArray(value)) {
    throw badRequest(
      `error decoding patch: json: cannot unmarshal ${value === null ? "null" : typeof value} into Go value of type []handlers.jsonPatchOp`,
    );
  }
  if (type !== "json" && (value === null || typeof value !== "object" || Array.isArray(value))) {
    throw badRequest("error decoding patch: the patch must be an object");
  }
  return value;
}

async function deleteBody({ request }: Exchange): Promise<unknown> {
  if (
    request.headers["content-length"] === "0" ||
    (!request.headers["content-length"] && !request.headers["transfer-encoding"])
  ) {
    return undefined;
  }
  if (mediaTypeOf(request) === "" || mediaTypeOf(request) === "application/x-www-form-urlencoded") {
    const text = (await readBody(request)).toString();
    if (!text) return undefined;
    throw badRequest("the body of a deletion needs the content type application/json");
  }
  return (await decodeRequest(request, DOCUMENTS, "DeleteOptions")).value;
}

function answer(
  exchange: Exchange,
  given: ApiAnswer,
  { kind, name }: Route,
  shaping: Shaping,
  representation: Representation,
): void {
  switch (given.type) {
    case "object":
      exchange.send(given.created ? 201 : 200, objectText(given.object, shaping), representation);
      return;
    case "success":
      exchange.send(given.created ? 201 : 200, JSON.stringify(success()), representation);
      return;
    case "deletion": {
      const { gone, object } = given.deletion;
      if (!gone || returnsDeletedObject(kind)) exchange.send(200, objectText(object, shaping), representation);
      else exchange.send(200, JSON.stringify(success(deleted(kind, name ?? "", object))), representation);
      return;
    }
    case "list": {
      const { items, ...meta } = given.list;
      if (representation.format === "yaml" || exchange.wantsIndented()) {
        exchange.send(200, [...listText(items, meta, shaping)].join(""), representation);
        return;
      }
      exchange.head(200, "application/json");
      exchange.response.end(Buffer.concat([...listText(items, meta, shaping), "\n"].map((part) => Buffer.from(part))));
      return;
    }
    case "watch":
    case "bytes":
      throw new TypeError(`a ${given.type} is answered as a stream`);
  }
}

const success = (details?: object) => ({
  kind: "Status",
  apiVersion: "v1",
  metadata: {},
  status: "Success",
  ...(details ? { details } : {}),
});

const deleted = (kind: Route["kind"], name: string, object: KubeObject) => ({
  name,
  ...(kind.group ? { group: kind.group } : {}),
  kind: kind.resource,
  uid: object.metadata.uid,
});

async function serveLogs(parts: HandlerParts, exchange: Exchange, found: Route, principal: Principal): Promise<void> {
  const { request, response, query } = exchange;
  if (request.method !== "GET" || found.name === undefined) throw methodNotAllowed();
  const abort = new AbortController();
  response.once("close", () => abort.abort());
  const { kind, namespace, name } = found;
  const given = await handle(parts, {
    principal,
    kind,
    ...(namespace === undefined ? {} : { namespace }),
    verb: "logs",
    name,
    options: logOptions(query, name),
    signal: abort.signal,
  });
  if (given.type !== "bytes") return;
  try {
    for await (const bytes of given.bytes) {
      if (!response.headersSent) exchange.head(200, "text/plain");
      if (!response.write(bytes)) await drained(response, abort.signal);
      if (abort.signal.aborted) return;
    }
  } catch (error) {
    if (!abort.signal.aborted) throw error;
    return;
  }
  if (!response.headersSent) exchange.head(200, "text/plain");
  response.end();
}

export function drained(response: Exchange["response"], signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off("drain", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    response.once("drain", done);
    signal.addEventListener("abort", done, { once: true });
  });
}
