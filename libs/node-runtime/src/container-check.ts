import { runCommand } from "@tiphys/child-process";
import { messageOf } from "@tiphys/errors";
import type { ContainerProcess } from "./container-process.js";
import type { Execution } from "./container-setup.js";
import type { PodContext } from "./deps.js";
import { checkHttp, checkTcp } from "./probe-check.js";
import type { ProbeSpec } from "./probes.js";
import type { PodRecord } from "./record.js";
import { launch } from "./sandbox.js";

/** What of a running container a check needs. */
interface Checked {
  readonly process: ContainerProcess;
  readonly abort: AbortController;
  readonly execution: Execution;
}

const EXEC_OUTPUT_BYTES = 64 * 1024;

/** Runs the exec, httpGet or tcpSocket handler of a probe or hook; undefined when it passed. */
export async function checkContainer(
  context: PodContext,
  record: PodRecord,
  entry: Checked,
  container: ProbeSpec,
  probe: ProbeSpec,
  timeoutMs: number,
): Promise<string | undefined> {
  if (probe["exec"]) return execute(context, entry, probe["exec"].command ?? [], timeoutMs);
  const target = probe["httpGet"] ?? probe["tcpSocket"];
  if (!target) return "the probe names no handler";
  const port = hostPort(record, container, target.port);
  if (port === undefined) return `port ${target.port} is not one of the container's`;
  const host = target.host ?? "127.0.0.1";
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
  const { kind, deps } = context;
  const inner = await entry.process.inner();
  if (inner === undefined) return "the container has ended";
  const { command } = entry.execution;
  const user = process.getuid?.() === 0 ? [] : ["--user", "--preserve-credentials"];
  const enter = ["nsenter", "-t", String(inner), ...user, "--mount", "--pid", "--uts", "--ipc", "--", ...argv];
  const plain = launch("process", { ...command, argv }, context);
  try {
    const result = await runCommand(deps.spawner, {
      // The plain launcher tells its pid on fd 3, which is not open here: leave it out.
      command: kind === "bubblewrap" ? enter[0]! : plain.argv[4]!,
      args: kind === "bubblewrap" ? enter.slice(1) : plain.argv.slice(5),
      env: kind === "bubblewrap" ? command.env : plain.env,
      cwd: kind === "bubblewrap" ? "/" : plain.cwd,
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
