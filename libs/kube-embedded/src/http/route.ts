import type { Kinds, ServedKind } from "../api/kinds.js";
import { noSuchResource } from "../api/status.js";

/** The path leads nowhere, which is told in plain text. */
export class NoSuchPage extends Error {}

export interface Route {
  readonly kind: ServedKind;
  readonly namespace?: string;
  readonly name?: string;
  readonly subresource?: string;
  /** Path behind the proxy subresource, from its slash on; "" when there is none. */
  readonly rest?: string;
  /** The path is one of the older form that always watches: /api/v1/watch/… */
  readonly watch?: boolean;
}

/** Subresources of namespaces; any other third part of /namespaces/x/… is a resource inside. */
const ofNamespaces = new Set(["status", "finalize"]);

/** /api/v1/… and /apis/<group>/<version>/… as a resource, and perhaps an object, of a served kind. */
export function route(kinds: Kinds, path: readonly string[], pathname = ""): Route {
  const [root, ...rest] = path;
  const group = root === "api" ? "" : (rest.shift() ?? "");
  const version = rest.shift() ?? "";
  const watch = rest[0] === "watch";
  if (watch) rest.shift();
  let namespace: string | undefined;
  if (
    rest[0] === "namespaces" &&
    rest.length > 2 &&
    !(group === "" && rest.length === 3 && ofNamespaces.has(rest[2] ?? ""))
  ) {
    namespace = rest[1] ?? "";
    rest.splice(0, 2);
  }
  const [resource = "", name, subresource, ...more] = rest;
  const kind = kinds.find(group, version, resource);
  const proxied = subresource === "proxy" && kind?.builtin !== undefined;
  if (!kind && !kinds.hasGroupVersion(group, version)) throw new NoSuchPage();
  if (!kind || (more.length > 0 && !proxied)) throw noSuchResource();
  if (namespace !== undefined && !kind.namespaced) throw noSuchResource();
  if (namespace === undefined && kind.namespaced && name !== undefined) throw noSuchResource();
  return {
    kind,
    ...(watch ? { watch } : {}),
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    ...(subresource === undefined ? {} : { subresource }),
    ...(proxied ? { rest: behind(pathname) } : {}),
  };
}

/** What follows `/proxy` of an object's path, as it was written. */
function behind(pathname: string): string {
  const found = /^\/(?:api|apis\/[^/]+)\/[^/]+\/(?:namespaces\/[^/]+\/)?[^/]+\/[^/]+\/proxy(\/.*)?$/.exec(pathname);
  return found?.[1] ?? "";
}
