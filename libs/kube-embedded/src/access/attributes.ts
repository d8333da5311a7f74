import type { Attributes, ResourceAttributes } from "@tiphys/kube-access";
import type { ApiRequest } from "../api/handle.js";

const SELECTED_NAME = /(?:^|,)metadata\.name==?([^,=!]+)(?:,|$)/;

/** The one object a list or watch is limited to by its field selector. */
const selectedName = (fieldSelector: string | undefined): string => SELECTED_NAME.exec(fieldSelector ?? "")?.[1] ?? "";

/** What a request of this process asks to be allowed. */
export function attributesOf(request: ApiRequest): ResourceAttributes {
  const { kind, namespace = "", verb } = request;
  const subresource = verb === "logs" ? "log" : "subresource" in request ? (request.subresource ?? "") : "";
  const query = "query" in request ? request.query : undefined;
  const name = "name" in request && request.name !== undefined ? request.name : selectedName(query?.fieldSelector);
  return {
    verb: verb === "logs" ? "get" : verb,
    group: kind.group,
    resource: kind.resource,
    subresource,
    // A name in the body of a creation is not asked about, as it is not in the URL either.
    name: verb === "create" && !subresource ? "" : name,
    namespace: kind.namespaced ? namespace : kind.collection === "/namespaces" ? name : "",
    ...(query?.fieldSelector ? { fieldSelector: query.fieldSelector } : {}),
  };
}

const verbs: Readonly<Record<string, string>> = {
  POST: "create",
  GET: "get",
  HEAD: "get",
  PUT: "update",
  PATCH: "patch",
  DELETE: "delete",
};
/** Subresources of namespaces; any other third part of /namespaces/x/… is a resource inside. */
const ofNamespaces = new Set(["status", "finalize"]);

/** What a request over HTTP asks to be allowed: decided by its method and path alone, before anything is looked up. */
export function attributesOfPath(
  method: string,
  pathname: string,
  path: readonly string[],
  query: URLSearchParams,
): Attributes {
  const [root, ...rest] = path;
  const isResource = (root === "api" && path.length >= 3) || (root === "apis" && path.length >= 4);
  if (!isResource) return { verb: method.toLowerCase(), path: pathname };
  const group = root === "apis" ? (rest.shift() ?? "") : "";
  rest.shift();
  let verb = verbs[method] ?? "";
  if ((rest[0] === "watch" || rest[0] === "proxy") && rest.length > 1) verb = rest.shift() ?? "";
  let namespace = "";
  if (rest[0] === "namespaces" && rest.length > 1) {
    namespace = rest[1] ?? "";
    if (rest.length > 2 && !ofNamespaces.has(rest[2] ?? "")) rest.splice(0, 2);
  }
  const [resource = "", named = "", subresource = ""] = rest;
  let name = named;
  if (name === "" && verb === "get") {
    const wanted = query.get("watch");
    verb = wanted !== null && wanted !== "false" && wanted !== "0" ? "watch" : "list";
    name = selectedName(query.get("fieldSelector") ?? undefined);
  } else if (name === "" && verb === "delete") verb = "deletecollection";
  const fieldSelector = query.get("fieldSelector");
  return { verb, group, resource, subresource, name, namespace, ...(fieldSelector ? { fieldSelector } : {}) };
}
