import { PassThrough, Readable, Writable } from "node:stream";
import { InvalidArgumentError, LimitExceededError } from "@tiphys/errors";
import type { ObjectKey } from "@tiphys/resources";
import type { ClusterConnection } from "./connection.js";
import { KubeApiError, type StatusBody, statusError } from "./errors.js";

export interface ExecRequest {
  readonly pod: ObjectKey;
  /** Absent: the pod's only or default container. */
  readonly container?: string;
  readonly command: readonly string[];
  readonly stdin?: string | Uint8Array;
  /** Largest output in bytes, each of the two streams. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal;
}

export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command in a running container and waits for its end. Loads @kubernetes/client-node on first use. */
export async function execInPod(connection: ClusterConnection, request: ExecRequest): Promise<ExecResult> {
  const { pod, container, command, stdin, signal, maxBytes } = request;
  if (command.length === 0) throw new InvalidArgumentError("command", "has to name a program");
  signal?.throwIfAborted();
  const { Exec } = await import("@kubernetes/client-node");
  const exec = new Exec(await kubeConfigOf(connection));
  const stdout = collector("stdout", maxBytes);
  const stderr = collector("stderr", maxBytes);
  const input = stdin === undefined ? null : Readable.from([Buffer.from(stdin)]).pipe(new PassThrough());
  return new Promise((resolve, reject) => {
    let close = () => {};
    const fail = (error: unknown) => {
      close();
      reject(error);
    };
    const onAbort = () => fail(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    for (const { stream } of [stdout, stderr]) stream.on("error", fail);
    exec
      .exec(
        pod.namespace ?? "default",
        pod.name,
        container ?? "",
        [...command],
        stdout.stream,
        stderr.stream,
        input,
        false,
        (status) => {
          signal?.removeEventListener("abort", onAbort);
          const exitCode = exitCodeOf(status as unknown as StatusBody | { status: "Success" });
          if (exitCode === undefined) reject(new KubeApiError(status as unknown as StatusBody));
          else resolve({ exitCode, stdout: stdout.text(), stderr: stderr.text() });
        },
      )
      .then(
        (socket) => {
          close = () => socket.close();
          if (signal?.aborted) onAbort();
        },
        (error: unknown) =>
          fail(
            statusError(
              500,
              "InternalError",
              `exec in pod "${pod.name}" failed: ${error instanceof Error ? error.message : "the server refused the connection"}`,
            ),
          ),
      );
  });
}

async function kubeConfigOf(connection: ClusterConnection) {
  const { KubeConfig } = await import("@kubernetes/client-node");
  const config = new KubeConfig();
  if (connection.kubeconfig) {
    config.loadFromString(connection.kubeconfig.text.reveal());
    config.setCurrentContext(connection.kubeconfig.context);
    return config;
  }
  const base64 = (text: string | undefined) => (text === undefined ? undefined : Buffer.from(text).toString("base64"));
  const token = typeof connection.token === "function" ? await connection.token() : connection.token;
  const ca = base64(connection.ca);
  const certData = base64(connection.clientCert);
  const keyData = base64(connection.clientKey?.reveal());
  config.loadFromOptions({
    clusters: [
      {
        name: "cluster",
        server: connection.server,
        skipTLSVerify: connection.insecureSkipTlsVerify === true,
        ...(ca === undefined ? {} : { caData: ca }),
        ...(connection.serverName === undefined ? {} : { tlsServerName: connection.serverName }),
      },
    ],
    users: [
      {
        name: "user",
        ...(token === undefined ? {} : { token: token.reveal() }),
        ...(certData === undefined ? {} : { certData }),
        ...(keyData === undefined ? {} : { keyData }),
      },
    ],
    contexts: [{ name: "context", cluster: "cluster", user: "user" }],
    currentContext: "context",
  });
  return config;
}

/** The server tells the exit code as a cause of its final Status; undefined when the command did not run. */
export function exitCodeOf(status: StatusBody | { status: "Success" }): number | undefined {
  if (status.status === "Success") return 0;
  if (status.reason !== "NonZeroExitCode") return undefined;
  const cause = status.details?.causes?.find(({ reason }) => reason === "ExitCode");
  return cause?.message === undefined ? undefined : Number(cause.message);
}

function collector(name: string, maxBytes: number) {
  const chunks: Buffer[] = [];
  let size = 0;
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      if (size > maxBytes) {
        done(new LimitExceededError(`${name} of the command is larger than ${maxBytes} bytes`));
        return;
      }
      chunks.push(chunk);
      done();
    },
  });
  return { stream, text: () => Buffer.concat(chunks).toString("utf8") };
}
