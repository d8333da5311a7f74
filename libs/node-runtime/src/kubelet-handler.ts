import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { messageOf, UnavailableError } from "@tiphys/errors";
import { KubeApiError, type LogOptions } from "@tiphys/kube";
import {
  type CommandEnd,
  framingOf,
  type RemoteCommand,
  refuseUpgrade,
  type StreamOptions,
  servePortForward,
  serveRemoteCommand,
  type UpgradeRequest,
} from "@tiphys/kube-streams";
import type { ObjectKey } from "@tiphys/resources";
import type { Endpoint } from "./forwarders.js";
import { dialEndpoint } from "./reach.js";

/** What a kubelet's port answers. The API server asks it over HTTPS, or in this process; both have judged who asks. */
export interface KubeletHandler {
  /** `target`: path and query as a kubelet knows them. */
  request(target: string, request: IncomingMessage, response: ServerResponse): void;
  /** Exec, attach and port forwarding. */
  upgrade(target: string, upgrade: UpgradeRequest): Promise<void>;
}

export interface KubeletHandlerDeps {
  logs(pod: ObjectKey, options: LogOptions, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** Pods as `/pods` lists them. */
  pods(): readonly object[];
  exec(target: ContainerTarget, argv: readonly string[], tty: boolean, client: RemoteCommand): Promise<CommandEnd>;
  attach(target: ContainerTarget, client: RemoteCommand): Promise<CommandEnd>;
  /** Why there is nothing to stream with, or undefined. */
  problem(target: ContainerTarget): { readonly code: number; readonly message: string } | undefined;
  /** Where a port of a pod is. */
  endpoint(pod: ObjectKey, port: number): Promise<Endpoint | undefined>;
}

export interface ContainerTarget {
  readonly namespace: string;
  readonly name: string;
  readonly uid?: string;
  /** Absent for port forwarding. */
  readonly container?: string;
  /** Attaching and commands need a container that runs. */
  readonly running: boolean;
}

export function createKubeletHandler(deps: KubeletHandlerDeps): KubeletHandler {
  return {
    request(target, request, response) {
      const answer = (status: number, text: string, type = "text/plain; charset=utf-8") =>
        void response.writeHead(status, { "content-type": type }).end(text);
      const url = urlOf(target);
      const [verb = "", ...rest] = url.pathname.split("/").filter(Boolean).map(decoded);
      if (url.pathname === "/healthz") return answer(200, "ok");
      if (url.pathname === "/pods") {
        const list = { kind: "PodList", apiVersion: "v1", metadata: {}, items: deps.pods() };
        return answer(200, JSON.stringify(list), "application/json");
      }
      if (verb === "containerLogs" && rest.length === 3 && request.method === "GET") {
        void sendLogs(deps, url, rest as [string, string, string], response, answer);
        return;
      }
      if (["exec", "attach", "portForward"].includes(verb)) return answer(400, "Upgrade request required\n");
      answer(404, `${request.method} ${url.pathname} is not served by this node`);
    },
    async upgrade(target, upgrade) {
      const url = urlOf(target);
      const [verb = "", namespace = "", name = "", ...rest] = url.pathname.split("/").filter(Boolean).map(decoded);
      const container = rest.at(-1);
      const uid = rest.length === (verb === "portForward" ? 1 : 2) ? rest[0] : undefined;
      const wanted = verb === "portForward" ? rest.length <= 1 : rest.length === 1 || rest.length === 2;
      if (!["exec", "attach", "portForward"].includes(verb) || name === "" || !wanted) {
        return refuseUpgrade(upgrade, 404, `${url.pathname} is not served by this node\n`);
      }
      if (framingOf(upgrade.request) === undefined) return refuseUpgrade(upgrade, 400, "Upgrade request required\n");
      const pod: ContainerTarget = {
        namespace,
        name,
        running: verb !== "portForward",
        ...(uid ? { uid } : {}),
        ...(verb === "portForward" || !container ? {} : { container }),
      };
      const problem = deps.problem(pod);
      if (problem) return refuseUpgrade(upgrade, problem.code, problem.message);
      if (verb === "portForward") {
        return servePortForward(upgrade, (port, signal) =>
          deps.endpoint(pod, port).then((endpoint) => connectTo(endpoint, port, signal)),
        );
      }
      const options = streamsOf(url.searchParams);
      if (verb === "attach") return serveRemoteCommand(upgrade, options, (client) => deps.attach(pod, client));
      const argv = url.searchParams.getAll("command");
      if (argv.length === 0) return refuseUpgrade(upgrade, 400, "you must specify a command to run\n");
      return serveRemoteCommand(upgrade, options, (client) => deps.exec(pod, argv, options.tty, client));
    },
  };
}

function streamsOf(query: URLSearchParams): StreamOptions {
  const on = (name: string) => query.get(name) === "1" || query.get(name) === "true";
  return { stdin: on("input"), stdout: on("output"), stderr: on("error"), tty: on("tty") };
}

function connectTo(endpoint: Endpoint | undefined, port: number, signal: AbortSignal): Promise<Duplex> {
  if (!endpoint)
    return Promise.reject(new UnavailableError(`no process of the pod is known to listen on port ${port}`));
  return dialEndpoint(endpoint, signal);
}

async function sendLogs(
  deps: KubeletHandlerDeps,
  url: URL,
  [namespace, name, container]: readonly [string, string, string],
  response: ServerResponse,
  answer: (status: number, text: string) => void,
): Promise<void> {
  const gone = new AbortController();
  response.on("close", () => gone.abort());
  const number = (field: string) => (url.searchParams.get(field) ? Number(url.searchParams.get(field)) : undefined);
  const flag = (field: string) => url.searchParams.get(field) === "true";
  const sinceTime = url.searchParams.get("sinceTime");
  const options: LogOptions = {
    container,
    follow: flag("follow"),
    previous: flag("previous"),
    timestamps: flag("timestamps"),
    ...defined({
      tailLines: number("tailLines"),
      sinceSeconds: number("sinceSeconds"),
      limitBytes: number("limitBytes"),
      sinceTime: sinceTime || undefined,
    }),
  };
  try {
    for await (const chunk of deps.logs({ namespace, name }, options, gone.signal)) {
      if (!response.headersSent) response.writeHead(200, { "content-type": "text/plain" });
      if (!response.write(chunk)) await drained(response, gone.signal);
    }
    response.end();
  } catch (error) {
    if (response.headersSent) response.destroy();
    else answer(error instanceof KubeApiError ? error.status.code : 500, messageOf(error));
  }
}

const defined = <T extends object>(values: { [K in keyof T]: T[K] | undefined }): T =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;

const drained = (response: ServerResponse, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      response.off("drain", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    response.once("drain", done);
    signal.addEventListener("abort", done, { once: true });
  });

/** Put together as a text: a target such as `//` is no URL of its own, and must not end the process. */
const urlOf = (target: string): URL => new URL(`https://node${target.startsWith("/") ? "" : "/"}${target}`);

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
