import { execFile, spawn } from "node:child_process";
import { chown, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { programPath } from "./programs.js";
import { freePort } from "./servers.js";
import { eventually } from "./wait.js";

const run = promisify(execFile);

export interface TestPostgres extends AsyncDisposable {
  /** A fresh database's URL. */
  database(): Promise<string>;
}

/** A private PostgreSQL. It refuses to run as root, so it runs as the user its package made. */
export async function startPostgres(): Promise<TestPostgres> {
  const program = programPath("postgres");
  if (!program) throw new Error("postgres is not installed");
  const folder = await mkdtemp(join(tmpdir(), "postgres-"));
  const user = await serverUser();
  if (user) await chown(folder, user.uid, user.gid);
  const options = { cwd: folder, env: { PATH: process.env["PATH"], LC_ALL: "C" }, ...(user ?? {}) };
  const data = join(folder, "data");
  await run(
    join(dirname(program), "initdb"),
    ["-D", data, "-U", "tiphys", "-A", "trust", "-E", "UTF8", "--no-sync"],
    options,
  );
  const port = await freePort();
  const server = spawn(program, ["-D", data, "-p", String(port), "-h", "127.0.0.1", "-k", folder, "-F"], {
    ...options,
    stdio: "ignore",
  });
  const { default: pg } = await import("pg");
  const url = (name: string) => `postgres://tiphys@127.0.0.1:${port}/${name}`;
  const query = async (sql: string) => {
    const client = new pg.Client({ connectionString: url("postgres") });
    await client.connect();
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  };
  await eventually(async () => {
    if (server.exitCode !== null) throw new Error(`postgres ended with ${server.exitCode}`);
    await query("SELECT 1");
    return true;
  });
  let count = 0;
  return {
    async database() {
      const name = `test_${count++}`;
      await query(`CREATE DATABASE ${name}`);
      return url(name);
    },
    async [Symbol.asyncDispose]() {
      const ended = new Promise((resolve) => server.once("exit", resolve));
      server.kill("SIGQUIT");
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function serverUser(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const id = async (flag: string) => Number((await run("id", [flag, "postgres"])).stdout.trim());
  return { uid: await id("-u"), gid: await id("-g") };
}
