import { ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { Socket } from "node:net";
import { FailedPreconditionError, messageOf } from "@tiphys/errors";
import type { Principal } from "@tiphys/identity";
import { ISSUER } from "@tiphys/kube-access";
import { attributesOfPath } from "../access/attributes.js";
import type { HandlerParts } from "../api/handle.js";
import { noSuchResource } from "../api/status.js";
import { SERVER_VERSION } from "../api/version.js";
import type { Listening, ListenOptions } from "../embedded-kube.js";
import type { Credentials } from "../pki/credentials.js";
import { actingAs, authenticated } from "./authentication.js";
import { aggregatedDiscovery, discovery } from "./discovery.js";
import { Exchange } from "./exchange.js";
import { type HealthCheck, healthAnswer } from "./health.js";
import { kubeconfig } from "./kubeconfig.js";
import { negotiate, type Representation } from "./negotiation.js";
import { serveObjects } from "./objects.js";
import { OpenApi } from "./openapi.js";
import { asksForOpenApiProtobuf, OPENAPI_PROTOBUF } from "./openapi-protobuf.js";
import { NoSuchPage } from "./route.js";
import { endWhenStalled } from "./stalled-readers.js";

const VERSION = {
  major: "1",
  minor: "36",
  gitVersion: SERVER_VERSION,
  gitCommit: "",
  gitTreeState: "clean",
  buildDate: "1970-01-01T00:00:00Z",
  goVersion: "none",
  compiler: "none",
  platform: `${process.platform}/${process.arch === "x64" ? "amd64" : process.arch}`,
};

/** How long a client may take for the head of a request. */
const HEADERS_TIMEOUT_MS = 30_000;
/** Largest head of a request: tokens can be long (the real server allows as much). */
const HEADER_BYTES = 1 << 20;
/** How long a client may take for a whole request; answers, such as watches, may last. */
const REQUEST_TIMEOUT_MS = 60_000;

export interface ServerOptions extends ListenOptions {
  readonly keys: Credentials;
  readonly admin: Principal;
}

/** Serves the API over HTTPS on a loopback address. */
export async function listen(parts: HandlerParts, options: ServerOptions): Promise<Listening> {
  const { host, port, keys, admin } = options;
  parts.tokens.fix(keys.adminToken, admin);
  const openapi = new OpenApi(parts.kinds);
  // The original's name of the store, which scripts ask for.
  const healthChecks: readonly HealthCheck[] = [
    { name: "ping", problem: () => undefined },
    { name: "etcd", problem: () => parts.store.problem?.message },
  ];
  const server = createServer(
    {
      cert: keys.serverCert,
      key: keys.serverKey,
      ca: keys.ca,
      requestCert: true,
      // Tokens are a way in as well: a client without a certificate is judged by its request.
      rejectUnauthorized: false,
      minVersion: "TLSv1.2",
      headersTimeout: HEADERS_TIMEOUT_MS,
      maxHeaderSize: HEADER_BYTES,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: 120_000,
    },
    (request, response) => {
      endWhenStalled(response);
      answer(new Exchange(request, response));
    },
  );
  const upgraded = new Set<Socket>();
  server.on("upgrade", (request, stream, head) => {
    const socket = stream as Socket;
    upgraded.add(socket);
    socket.once("close", () => upgraded.delete(socket));
    socket.on("error", () => {});
    // Node leaves HTTP here; what turns out to be an ordinary request is answered on the connection all the same.
    const response = new ServerResponse(request);
    response.assignSocket(socket);
    response.shouldKeepAlive = false;
    response.once("finish", () => socket.end());
    answer(new Exchange(request, response, { socket, head }));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(
        error.code === "EADDRINUSE"
          ? new FailedPreconditionError(
              `port ${port} of ${host} is in use: choose another one, or 0 for any free one`,
              { cause: error },
            )
          : error,
      ),
    );
    server.listen(port, host, () => resolve());
  });
  const address = server.address();
  const url = `https://${host}:${typeof address === "object" && address ? address.port : port}`;
  return {
    url,
    kubeconfig: kubeconfig(url, keys),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        for (const socket of upgraded) socket.destroy();
      }),
  };

  function answer(exchange: Exchange): void {
    serve(exchange).catch((error: unknown) => {
      if (error instanceof NoSuchPage) return exchange.notFound();
      const known = error instanceof Error && "status" in error;
      if (!known) parts.log.warn("request failed", { path: exchange.url.pathname, error: messageOf(error) });
      exchange.fail(error);
    });
  }

  async function serve(exchange: Exchange): Promise<void> {
    if (exchange.malformed) return exchange.badRequest();
    const { request, url, path, query } = exchange;
    const known = authenticated(request, parts.authenticate, exchange.warn);
    const asked = attributesOfPath(request.method ?? "GET", url.pathname, path, query);
    const principal = actingAs(request, known, parts.access, asked);
    parts.access.check(principal, asked);
    const [root = ""] = path;
    if (isObjectPath(exchange.path)) return serveObjects(parts, exchange, principal);
    serveDocument(exchange, root);
  }

  /** What verifiers of service account tokens elsewhere need: who issues them, and the public key. */
  function openId(exchange: Exchange): boolean {
    const pathname = exchange.path.join("/");
    if (pathname !== ".well-known/openid-configuration" && pathname !== "openid/v1/jwks") return false;
    const isKeys = pathname === "openid/v1/jwks";
    const text = isKeys ? { keys: [parts.tokens.jwk] } : openIdConfiguration(url);
    exchange.response.writeHead(200, {
      "content-type": isKeys ? "application/jwk-set+json" : "application/json",
      "cache-control": "public, max-age=3600",
    });
    exchange.response.end(JSON.stringify(text));
    return true;
  }

  function serveDocument(exchange: Exchange, root: string): void {
    if (openId(exchange)) return;
    if (root === "healthz" || root === "livez" || root === "readyz") {
      const only = exchange.path.length > 1 ? exchange.path.slice(1).join("/") : undefined;
      const answer = healthAnswer(root, only, exchange.query, healthChecks);
      if (!answer) throw new NoSuchPage();
      exchange.response.setHeader("x-content-type-options", "nosniff");
      exchange.head(answer.code, "text/plain; charset=utf-8");
      exchange.response.end(answer.text);
      return;
    }
    if (exchange.path.join("/") === "openapi/v2" && asksForOpenApiProtobuf(exchange.request.headers.accept)) {
      exchange.response.setHeader("cache-control", "public");
      exchange.sendCompressed(200, openapi.v2Protobuf(), OPENAPI_PROTOBUF);
      return;
    }
    // A form that is not there is refused (406), which is what makes clients of OpenAPI fall back from protobuf.
    const representation = negotiate(exchange.request.headers.accept);
    const { text, contentType, etag } = documentOf(exchange, root, representation);
    if (etag) exchange.response.setHeader("etag", `"${etag}"`);
    if (contentType === AGGREGATED) {
      exchange.response.setHeader("vary", "Accept");
      exchange.response.setHeader("cache-control", "public");
    }
    exchange.send(200, text, representation, contentType);
  }

  function documentOf(exchange: Exchange, root: string, representation: Representation): Document {
    const { path } = exchange;
    const json = (value: object): Document => ({ text: JSON.stringify(value) });
    if (root === "version") return json(VERSION);
    if (root === "openapi") return openApiDocument(openapi, path.slice(1));
    if ((root === "api" || root === "apis") && path.length === 1 && representation.as === "APIGroupDiscoveryList") {
      return { ...json(aggregatedDiscovery(parts.kinds, root)), contentType: AGGREGATED };
    }
    const found = discovery(parts.kinds, path, url.replace("https://", ""));
    if (found) return json(found);
    if (path.length === 0) return json({ paths: PATHS });
    const known = root === "api" || (root === "apis" && (path.length > 2 || parts.kinds.hasGroup(path[1] ?? "")));
    throw known ? noSuchResource() : new NoSuchPage();
  }
}

const openIdConfiguration = (url: string) => ({
  issuer: ISSUER,
  jwks_uri: `${url}/openid/v1/jwks`,
  response_types_supported: ["id_token"],
  subject_types_supported: ["public"],
  id_token_signing_alg_values_supported: ["ES256"],
});

/** A path outside of the API, which is answered without a Status. */

interface Document {
  readonly text: string;
  readonly contentType?: string;
  readonly etag?: string;
}

const AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const PATHS = [
  "/.well-known/openid-configuration",
  "/api",
  "/apis",
  "/healthz",
  "/livez",
  "/openapi/v2",
  "/openapi/v3",
  "/openid/v1/jwks",
  "/readyz",
  "/version",
];

function openApiDocument(openapi: OpenApi, [version, ...rest]: readonly string[]): Document {
  if (version === "v2") return { text: openapi.v2().text };
  if (version !== "v3") throw noSuchResource();
  if (rest.length === 0) return { text: openapi.index() };
  const found = openapi.v3(rest.join("/"));
  if (!found) throw noSuchResource();
  return { text: found.text, etag: found.hash };
}

/** True for paths that name a resource, false for discovery's own. */
const isObjectPath = (path: readonly string[]): boolean =>
  (path[0] === "api" && path.length > 2) || (path[0] === "apis" && path.length > 3);
