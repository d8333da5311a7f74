import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Program, programPath } from "./programs.js";
import { eventually } from "./wait.js";

/** A server that belongs to one test and is gone afterwards. */
export interface TestServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
}

/** A port nobody listens on at this moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        address && typeof address === "object" ? resolve(address.port) : reject(new Error("no port")),
      );
    });
  });
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });

async function start(
  program: Program,
  scheme: string,
  args: (port: number, folder: string) => string[],
): Promise<TestServer> {
  const command = programPath(program);
  if (!command) throw new Error(`${program} is not installed`);
  const folder = await mkdtemp(join(tmpdir(), `${program}-`));
  const port = await freePort();
  const child: ChildProcess = spawn(command, args(port, folder), { stdio: "ignore", cwd: folder });
  await eventually(() => {
    if (child.exitCode !== null) throw new Error(`${program} ended with ${child.exitCode}`);
    return answers(port);
  });
  return {
    url: `${scheme}://127.0.0.1:${port}`,
    port,
    async [Symbol.asyncDispose]() {
      const ended = child.exitCode !== null ? undefined : new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A private Redis without persistence. */
export const startRedis = (): Promise<TestServer> =>
  start("redis-server", "redis", (port) => [
    "--port",
    String(port),
    "--bind",
    "127.0.0.1",
    "--save",
    "",
    "--appendonly",
    "no",
  ]);

/** A private NATS server with JetStream. */
export const startNats = (): Promise<TestServer> =>
  start("nats-server", "nats", (port, folder) => ["-a", "127.0.0.1", "-p", String(port), "-js", "-sd", folder]);
