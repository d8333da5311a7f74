import type { Principal } from "@tiphys/identity";
import type { Patch } from "@tiphys/kube";
import { statusError } from "@tiphys/kube";
import type { KubeObject } from "@tiphys/resources";
import { deprecation } from "../api/behaviour.js";
import { goJsonKind } from "../api/go-json.js";
import { type ApiAnswer, type ApiRequest, type HandlerParts, handle, refuseMissing } from "../api/handle.js";
import { badRequest, methodNotAllowed, noSuchResource } from "../api/status.js";
import { returnsDeletedObject } from "../api/strategy.js";
import { type Body, decodeObject, decodeRequest, mediaTypeOf, type Refusal, readBody } from "./body.js";
import { isConnect, serveConnect } from "./connect.js";
import { type Exchange, GZIP_FROM } from "./exchange.js";
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
  const { kind } = found;
  // What can only be created has no objects of its own.
  if (found.name !== undefined && !found.subresource && kind.verbs.length === 1) throw noSuchResource();
  refuseMissing(found);
  const advice = deprecation(found.kind);
  const isServed = !found.subresource || found.kind.subresources.some(({ name }) => name === found.subresource);
  if (advice && isServed) exchange.warn(advice);
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
      if (name !== undefined && !found.watch) {
        const resourceVersion = query.get("resourceVersion");
        return { ...common, verb: "get", name, ...sub, ...(resourceVersion ? { resourceVersion } : {}) };
      }
      if (name !== undefined) return { ...common, verb: "watch", query: { ...watchQuery(query), name } };
      return flag(query, "watch") || found.watch
        ? { ...common, verb: "watch", query: watchQuery(query) }
        : { ...common, verb: "list", query: listQuery(query) };
    case "POST": {
      if (name !== undefined && subresource === undefined) throw methodNotAllowed();
      const body = await decodeObject(request, DOCUMENTS, kind.kind);
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
      const body = await decodeObject(request, DOCUMENTS, subresource === "scale" ? "Scale" : kind.kind);
      return { ...common, verb: "update", name, ...sub, body: body.value, context: context("UpdateOptions", body) };
    }
    case "PATCH": {
      if (name === undefined) throw methodNotAllowed();
      const type = patchTypes[mediaTypeOf(request)];
      if (!type) throw statusError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {});
      const body = await decodeRequest(request, Object.keys(patchTypes), patchRefusals[type]);
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
      if (subresource !== undefined) throw methodNotAllowed();
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

const decoding = (problem: string) => badRequest(`error decoding patch: ${problem}`);
const decodingYaml = (problem: string) => badRequest(`error decoding YAML: ${problem}`);
const patchRefusals: Readonly<Record<Patch["type"], Refusal>> = {
  json: { json: decoding, yaml: decoding },
  merge: { json: decoding, yaml: decoding },
  strategic: { json: badRequest, yaml: badRequest },
  apply: {
    json: (problem) => decodingYaml(`error converting YAML to JSON: ${problem}`),
    yaml: (problem) => decodingYaml(`error converting YAML to JSON: ${problem}`),
  },
};

function checkedPatch(type: Patch["type"], value: unknown): unknown {
  if (type === "json") {
    if (Array.isArray(value)) return value;
    if (value === null) return [];
    throw decoding(`json: cannot unmarshal ${goJsonKind(value)} into Go value of type []handlers.jsonPatchOp`);
  }
  if (value === null) {
    if (type === "merge") throw badRequest("Invalid JSON Patch");
    return {};
  }
  if (typeof value === "object" && !Array.isArray(value)) return value;
  const problem = `json: cannot unmarshal ${goJsonKind(value)} into Go value of type map[string]interface {}`;
  if (type === "merge") throw decoding(problem);
  throw type === "apply"
    ? decodingYaml(`error unmarshaling JSON: while decoding JSON: ${problem}`)
    : badRequest(problem);
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
  const plain = {
    json: (problem: string) => badRequest(`couldn't get version/kind; json parse error: ${problem}`),
    yaml: badRequest,
  };
  return (await decodeRequest(request, DOCUMENTS, plain)).value;
}

/** Whether the answer can have the form that was asked for. */
function checkForm(given: ApiAnswer, { kind, representation, includeObject }: Shaping): void {
  const { as } = representation;
  if (as === "Table" && !["", "Metadata", "Object", "None"].includes(includeObject)) {
    throw badRequest(
      `Unable to convert to Table as requested: includeObject: Invalid value: ${JSON.stringify(includeObject)}: must be 'Metadata', 'Object', 'None', or empty`,
    );
  }
  const internal = `*${kind.crd ? "unstructured.Unstructured" : `${kind.group.split(".")[0] || "core"}.${kind.kind}`}`;
  const refuse = (what: string) =>
    statusError(406, "NotAcceptable", `you requested ${as}, but the requested object is ${what}`);
  if (as === "PartialObjectMetadataList" && given.type === "object") throw refuse(`not a list (${internal})`);
  if (as === "PartialObjectMetadata" && given.type === "list") throw refuse(`a list (${internal}List)`);
}

function answer(
  exchange: Exchange,
  given: ApiAnswer,
  { kind, name }: Route,
  shaping: Shaping,
  representation: Representation,
): void {
  checkForm(given, shaping);
  switch (given.type) {
    case "object":
      exchange.send(given.created ? 201 : 200, objectText(given.object, shaping), representation);
      return;
    case "success":
      exchange.send(
        given.created ? 201 : 200,
        JSON.stringify({ ...success(), ...(given.created ? { code: 201 } : {}) }),
        representation,
      );
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
      const bytes = joined([...listText(items, meta, shaping), "\n"]);
      if (bytes.length >= GZIP_FROM && exchange.takesGzip()) {
        exchange.sendCompressed(200, bytes, "application/json");
        return;
      }
      exchange.head(200, "application/json");
      exchange.response.end(bytes);
      return;
    }
    case "watch":
    case "bytes":
      throw new TypeError(`a ${given.type} is answered as a stream`);
  }
}

/** Texts and bytes as one piece, each copied once. */
function joined(parts: readonly (string | Buffer)[]): Buffer {
  let length = 0;
  for (const part of parts) length += typeof part === "string" ? Buffer.byteLength(part) : part.length;
  const all = Buffer.allocUnsafe(length);
  let at = 0;
  for (const part of parts) at += typeof part === "string" ? all.write(part, at) : part.copy(all, at);
  return all;
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
