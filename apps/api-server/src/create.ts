import type { IncomingMessage } from "node:http";
import type { Server as GrpcServer } from "@grpc/grpc-js";
import type { Clock } from "@tiphys/clock";
import { UnauthenticatedError } from "@tiphys/errors";
import { anonymous, type Principal, type RandomBytes } from "@tiphys/identity";
import type { KubeClient } from "@tiphys/kube";
import { descriptorSet } from "@tiphys/proto";
import { createGrpcServer } from "@tiphys/rpc";
import type { Service } from "@tiphys/service-host";
import type { Logger, Metrics } from "@tiphys/telemetry";
import { type Accounts, openAccounts } from "./accounts.js";
import { consoleFiles } from "./console-files.js";
import { grpcServices, openMethods } from "./grpc.js";
import { createHistory, type HistoryOptions } from "./history.js";
import { createOperations } from "./operations.js";
import { openPort, type Patience, type Port } from "./port.js";
import { type RefreshRepository, repositoryWebhook } from "./repository-webhook.js";
import { createRouter, json } from "./router.js";
import { routes } from "./routes/index.js";
import { servingCertificate } from "./serving-certificate.js";
import { unserved } from "./unserved.js";

export interface ApiServerDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Control namespace, `argocd` by default in every install. */
  readonly namespace: string;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly history: HistoryOptions;
  readonly refreshRepository?: RefreshRepository;
  /** Folder of the console's bundle. */
  readonly consoleFolder?: string;
  /** Reflection needs packages that load slowly; laptops can do without. */
  readonly reflection?: boolean;
  /** How long slow clients may take; seconds when absent. */
  readonly patience?: Patience;
}

export interface ApiServer extends Service {
  /** Where it listens, after start. */
  readonly url: string;
  readonly accounts: Accounts;
  /** PEM of the certificate that clients have to trust. */
  readonly certificate: string;
}

/** The public port: gRPC, REST, login and the console. */
export function createApiServer(deps: ApiServerDeps): ApiServer {
  let port: Port | undefined;
  let grpc: GrpcServer | undefined;
  let accounts: Accounts | undefined;
  let certificate = "";
  const required = (): Accounts => {
    if (!accounts) throw new Error("the api-server has not been started");
    return accounts;
  };
  return {
    name: "api-server",
    get url() {
      return `https://${deps.host}:${port?.port ?? deps.port}`;
    },
    get accounts() {
      return required();
    },
    get certificate() {
      return certificate;
    },
    async start() {
      const { client, namespace, clock, random, log, metrics } = deps;
      accounts = await openAccounts({ client, namespace, clock, random });
      const opened = accounts;
      const tls = await servingCertificate({ client, namespace, clock, host: deps.host });
      certificate = tls.cert;
      const operations = createOperations({ client, clock, random, namespace });
      const history = createHistory(deps.history);
      grpc = await createGrpcServer({
        services: grpcServices(operations, history, opened),
        authenticate: async (metadata, path) =>
          openMethods.has(path)
            ? anonymous
            : await opened.verify(metadata["token"] ?? bearer(metadata["authorization"]) ?? ""),
        log,
        metrics,
        ...(deps.reflection === false ? {} : { descriptorSet }),
      });
      const router = createRouter({
        routes: [
          ...routes(operations, history, opened),
          ...(deps.refreshRepository ? [repositoryWebhook(client, namespace, deps.refreshRepository)] : []),
          { method: "GET", path: "/healthz", open: true, handler: () => ({ status: "ok" }) },
        ],
        unserved,
        authenticate: (request) => authenticate(request, opened),
        log,
      });
      const files = deps.consoleFolder ? consoleFiles(deps.consoleFolder) : undefined;
      port = await openPort({
        host: deps.host,
        port: deps.port,
        ...tls,
        grpc,
        log,
        ...(deps.patience ? { patience: deps.patience } : {}),
        http: async (request, response) => {
          try {
            if (await router.handle(request, response)) return;
            if (request.url?.startsWith("/api/") || !files) {
              json(response, 404, { error: "Not Found", code: 5, message: "Not Found" });
            } else await files(request, response);
          } catch (error) {
            log.error("request failed", { path: request.url?.split("?")[0], error });
            if (!response.headersSent)
              json(response, 500, { error: "internal error", code: 13, message: "internal error" });
            else response.destroy();
          }
        },
      });
      log.info("api-server listens", { port: port.port });
    },
    async stop() {
      const [openedPort, openedGrpc] = [port, grpc];
      port = undefined;
      grpc = undefined;
      await openedPort?.close();
      openedGrpc?.forceShutdown();
    },
    ready: async () => (port ? undefined : "the port is not open yet"),
  };
}

const bearer = (header: string | undefined): string | undefined => header?.match(/^Bearer (.+)$/i)?.[1];

/** Token places in the original's order: metadata-like header, bearer, cookie. */
async function authenticate(request: IncomingMessage, accounts: Accounts): Promise<Principal> {
  const header = request.headers["token"];
  const cookie = request.headers.cookie
    ?.split(/; */)
    .find((part) => part.startsWith("argocd.token="))
    ?.slice("argocd.token=".length);
  const token = (Array.isArray(header) ? header[0] : header) ?? bearer(request.headers.authorization) ?? cookie;
  if (!token) throw new UnauthenticatedError("no session information");
  return await accounts.verify(token);
}
