import { runCommand } from "@tiphys/child-process";
import { messageOf } from "@tiphys/errors";
import type { ContainerProcess } from "./container-process.js";
import type { Execution } from "./container-setup.js";
import type { PodContext } from "./deps.js";
import { enterContainer } from "./exec/enter.js";
import { checkGrpc } from "./grpc-check.js";
import { checkHttp, checkTcp } from "./probe-check.js";
import type { ProbeSpec } from "./probes.js";
import type { PodRecord } from "./record.js";

/** What of a running container a check needs. */
interface Checked {
  readonly process: ContainerProcess;
  readonly abort: AbortController;
  readonly execution: Execution;
}

const EXEC_OUTPUT_BYTES = 64 * 1024;

/** Runs the exec, httpGet, tcpSocket or grpc handler of a probe or hook; undefined when it passed. */
export async function checkContainer(
  context: PodContext,
  record: PodRecord,
  entry: Checked,
  container: ProbeSpec,
  probe: ProbeSpec,
  timeoutMs: number,
): Promise<string | undefined> {
  if (probe["exec"]) return execute(context, entry, probe["exec"].command ?? [], timeoutMs);
  const target = probe["httpGet"] ?? probe["tcpSocket"] ?? probe["grpc"];
  if (!target) return "the probe names no handler";
  const port = hostPort(record, container, target.port);
  if (port === undefined) return `port ${target.port} is not one of the container's`;
  const host = target.host ?? "127.0.0.1";
  if (probe["grpc"]) return checkGrpc(host, port, target.service ?? "", timeoutMs);
  if (probe["tcpSocket"]) return checkTcp(host, port, timeoutMs);
  const headers = Object.fromEntries(
    (target.httpHeaders ?? []).map((header: { name: string; value: string }) => [header.name, header.value]),
  );
  return checkHttp({ scheme: target.scheme ?? "HTTP", host, port, path: target.path ?? "/", headers }, timeoutMs);
}

function hostPort(record: PodRecord, container: ProbeSpec, port: number | string): number | undefined {
  const declared = (container["ports"] ?? []).find((one: { name?: string; containerPort: number }) =>
    typeof port === "number" ? one.containerPort === port : one.name === port || String(one.containerPort) === port,
  );
  const number = declared?.containerPort ?? (typeof port === "number" ? port : Number(port) || undefined);
  return number === undefined ? undefined : (record.ports[`${container["name"]}/${number}`] ?? number);
}

/** Runs a command inside the container; undefined when it exits 0. */
async function execute(
  context: PodContext,
  entry: Checked,
  argv: readonly string[],
  timeoutMs: number,
): Promise<string | undefined> {
  const entered = await enterContainer(context, entry, argv);
  if (!entered) return "the container has ended";
  try {
    const result = await runCommand(context.deps.spawner, {
      ...entered,
      timeoutMs,
      maxOutputBytes: EXEC_OUTPUT_BYTES,
      signal: entry.abort.signal,
    });
    return result.code === 0
      ? undefined
      : `${String(result.stdout)}${result.stderr}`.trim().slice(0, 1024) || `exit code ${result.code}`;
  } catch (error) {
    return messageOf(error);
  }
}
