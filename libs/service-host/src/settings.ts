import { InvalidArgumentError } from "@tiphys/errors";

/** Settings that every service understands, by environment variable. `main.ts` hands the environment in. */
export interface ServiceSettings {
  /** Path of a kubeconfig; absent: the pod's own service account. */
  readonly kubeconfig?: string;
  /** NATS servers, comma separated; absent: a local log in the data folder. */
  readonly nats?: string;
  /** Where decisions are kept: files of the data folder, or a stream of the NATS servers. */
  readonly journal: "files" | "nats";
  /** Redis URL; absent: local cache and queue in the data folder. */
  readonly redis?: string;
  /** PostgreSQL URL of the archive; absent: SQLite in the data folder. */
  readonly postgres?: string;
  /** S3 settings of artifacts; absent: the data folder. */
  readonly s3?: { endpoint: string; bucket: string; region: string; accessKey: string; secretKeyFile: string };
  /** File with the key that services sign their tokens with. */
  readonly internalKeyFile: string;
  readonly data: string;
  readonly namespace: string;
  readonly grpcListen: string;
  readonly httpListen: string;
  readonly tls?: { cert: string; key: string; ca: string };
  /** Addresses of the other services, `host:port`. */
  readonly peers: Readonly<Partial<Record<Peer, string>>>;
  /** Cluster names that are served outside of the cluster: name → `host:port`. */
  readonly clusterHosts: Readonly<Record<string, string>>;
  /** OTLP/HTTP endpoint of traces. */
  readonly otlp?: string;
  readonly logLevel: "debug" | "info" | "warn" | "error";
}

export type Peer =
  | "repo-server"
  | "app-controller"
  | "workflow-controller"
  | "rollouts-controller"
  | "events-gateway"
  | "api-server";

const peers: readonly Peer[] = [
  "repo-server",
  "app-controller",
  "workflow-controller",
  "rollouts-controller",
  "events-gateway",
  "api-server",
];

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads the settings; throws InvalidArgument that names the variable. */
export function readSettings(env: Environment): ServiceSettings {
  const required = (name: string): string => {
    const value = env[name];
    if (!value) throw new InvalidArgumentError(name, "must be set");
    return value;
  };
  const address = (name: string, fallback: string): string => {
    const value = env[name] ?? fallback;
    const port = Number(value.slice(value.lastIndexOf(":") + 1));
    if (!value.includes(":") || !Number.isInteger(port) || port < 0 || port > 65_535) {
      throw new InvalidArgumentError(name, `"${value}" is not host:port`);
    }
    return value;
  };
  const level = env["TIPHYS_LOG_LEVEL"] ?? "info";
  if (level !== "debug" && level !== "info" && level !== "warn" && level !== "error") {
    throw new InvalidArgumentError("TIPHYS_LOG_LEVEL", `"${level}" is none of debug, info, warn, error`);
  }
  const grpcListen = address("TIPHYS_GRPC_LISTEN", "127.0.0.1:0");
  const tls =
    env["TIPHYS_TLS_CERT"] || env["TIPHYS_TLS_KEY"]
      ? { cert: required("TIPHYS_TLS_CERT"), key: required("TIPHYS_TLS_KEY"), ca: required("TIPHYS_TLS_CA") }
      : undefined;
  if (!tls && !/^(127\.|localhost:|\[::1\])/.test(grpcListen)) {
    throw new InvalidArgumentError(
      "TIPHYS_GRPC_LISTEN",
      "listens beyond loopback, so TIPHYS_TLS_CERT, TIPHYS_TLS_KEY and TIPHYS_TLS_CA must be set",
    );
  }
  const journal = env["TIPHYS_JOURNAL"] ?? "files";
  if (journal !== "files" && journal !== "nats")
    throw new InvalidArgumentError("TIPHYS_JOURNAL", `"${journal}" is none of files, nats`);
  if (journal === "nats" && !env["TIPHYS_NATS"])
    throw new InvalidArgumentError("TIPHYS_JOURNAL", "is nats, so TIPHYS_NATS must be set");
  const found: Partial<Record<Peer, string>> = {};
  for (const peer of peers) {
    const name = `TIPHYS_${peer.toUpperCase().replaceAll("-", "_")}`;
    if (env[name]) found[peer] = address(name, "");
  }
  return {
    ...(env["TIPHYS_KUBECONFIG"] ? { kubeconfig: env["TIPHYS_KUBECONFIG"] } : {}),
    ...(env["TIPHYS_NATS"] ? { nats: env["TIPHYS_NATS"] } : {}),
    ...(env["TIPHYS_REDIS"] ? { redis: env["TIPHYS_REDIS"] } : {}),
    ...(env["TIPHYS_POSTGRES"] ? { postgres: env["TIPHYS_POSTGRES"] } : {}),
    ...(env["TIPHYS_S3_ENDPOINT"]
      ? {
          s3: {
            endpoint: env["TIPHYS_S3_ENDPOINT"],
            bucket: required("TIPHYS_S3_BUCKET"),
            region: env["TIPHYS_S3_REGION"] ?? "us-east-1",
            accessKey: required("TIPHYS_S3_ACCESS_KEY"),
            secretKeyFile: required("TIPHYS_S3_SECRET_KEY_FILE"),
          },
        }
      : {}),
    journal,
    internalKeyFile: required("TIPHYS_INTERNAL_KEY_FILE"),
    data: required("TIPHYS_DATA"),
    namespace: env["TIPHYS_NAMESPACE"] ?? "argocd",
    grpcListen,
    httpListen: address("TIPHYS_HTTP_LISTEN", "127.0.0.1:0"),
    ...(tls ? { tls } : {}),
    peers: found,
    clusterHosts: Object.fromEntries(
      (env["TIPHYS_CLUSTER_HOSTS"] ?? "")
        .split(",")
        .filter(Boolean)
        .map((pair) => clusterHost(pair)),
    ),
    ...(env["TIPHYS_OTLP"] ? { otlp: env["TIPHYS_OTLP"] } : {}),
    logLevel: level,
  };
}

/** `name=host:port`. */
function clusterHost(pair: string): [string, string] {
  const match = pair.match(/^([a-z0-9.-]+)=([^=]+:\d+)$/);
  if (!match) throw new InvalidArgumentError("TIPHYS_CLUSTER_HOSTS", `"${pair}" is not name=host:port`);
  return [match[1] ?? "", match[2] ?? ""];
}
