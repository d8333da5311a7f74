import type { Principal } from "@tiphys/identity";
import { framingOf } from "@tiphys/kube-streams";
import type { KubeObject } from "@tiphys/resources";
import type { HandlerParts } from "../api/handle.js";
import { get } from "../api/reads.js";
import * as status from "../api/status.js";
import type { Exchange } from "./exchange.js";
import { proxy } from "./proxy.js";
import { flag } from "./query.js";
import type { Route } from "./route.js";

/** Subresources that are connections, not objects. */
const STREAMS: Readonly<Record<string, string>> = { exec: "exec", attach: "attach", portforward: "portForward" };
const PROXIES = new Set(["pods", "services", "nodes"]);

/** True when the request is for exec, attach, port forwarding or a proxy. */
export const isConnect = ({ kind, subresource, name }: Route): boolean =>
  kind.builtin !== undefined &&
  kind.group === "" &&
  name !== undefined &&
  ((kind.resource === "pods" && subresource !== undefined && subresource in STREAMS) ||
    (subresource === "proxy" && PROXIES.has(kind.resource)));

/** Hands the connection to the pod's node, or forwards the request to what a pod, Service or node serves. */
export async function serveConnect(
  parts: HandlerParts,
  exchange: Exchange,
  found: Route,
  principal: Principal,
): Promise<void> {
  const { kind, name = "", subresource = "" } = found;
  if (subresource === "proxy") return proxy(parts, exchange, found);
  const { request } = exchange;
  if (request.method !== "GET" && request.method !== "POST") throw status.methodNotAllowed();
  const { namespace } = found;
  // A WebSocket begins with a GET; what it does is a creation all the same.
  if (request.method === "GET") {
    const place = { namespace: namespace ?? "" };
    parts.access.check(principal, { verb: "create", group: "", resource: kind.resource, subresource, ...place, name });
  }
  const pod = await get(parts, {
    kind,
    name,
    ...(found.namespace === undefined ? {} : { namespace: found.namespace }),
  });
  const container = subresource === "portforward" ? undefined : containerOf(pod, exchange.query.get("container"));
  const node: string = pod["spec"]?.nodeName ?? "";
  if (!node) throw status.badRequest(`pod ${name} does not have a host assigned`);
  const connection = parts.nodeConnection(node);
  if (!connection) {
    throw status.internal(`${subresource} of pod "${name}": node "${node}" is not connected to this API server`);
  }
  const upgrade = framingOf(request) === undefined ? undefined : exchange.takeOver();
  if (!upgrade) throw status.badRequest("Upgrade request required");
  const path = [STREAMS[subresource]!, pod.metadata.namespace ?? "", name, ...(container ? [container] : [])];
  const query = subresource === "portforward" ? portQuery(exchange.query) : streamQuery(exchange.query);
  await connection.upgrade(`/${path.map(encodeURIComponent).join("/")}?${query}`, upgrade);
}

/** What a client asks of a remote command, as kubelets name it. */
function streamQuery(query: URLSearchParams): URLSearchParams {
  const asked = new URLSearchParams();
  for (const [name, kubelet] of [
    ["stdin", "input"],
    ["stdout", "output"],
    ["stderr", "error"],
    ["tty", "tty"],
  ] as const) {
    if (flag(query, name)) asked.append(kubelet, "1");
  }
  for (const word of query.getAll("command")) asked.append("command", word);
  return asked;
}

const portQuery = (query: URLSearchParams): URLSearchParams =>
  new URLSearchParams(query.getAll("ports").map((port) => ["port", port]));

/** The container that was named, or the only one. */
function containerOf(pod: KubeObject, wanted: string | null): string {
  const { containers = [], initContainers = [], ephemeralContainers = [] } = pod["spec"] ?? {};
  const namesOf = (list: { name: string }[]) => list.map(({ name }) => name);
  const all = [...namesOf(initContainers), ...namesOf(containers), ...namesOf(ephemeralContainers)];
  const { name } = pod.metadata;
  if (wanted) {
    if (!all.includes(wanted)) throw status.badRequest(`container ${wanted} is not valid for pod ${name}`);
    return wanted;
  }
  if (containers.length === 1) return containers[0].name;
  throw status.badRequest(`a container name must be specified for pod ${name}, choose one of: [${all.join(" ")}]`);
}
