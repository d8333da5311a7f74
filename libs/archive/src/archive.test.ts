import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chownSync, realpathSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Secret } from "@tiphys/secret";
import { silentLogger as log } from "@tiphys/telemetry";
import { describeWith, eventually, programPath } from "@tiphys/testing";
import { archiveContract } from "./contract.js";
import { createPostgresArchive } from "./postgres-archive.js";
import { createSqliteArchive } from "./sqlite-archive.js";

describe("archive in SQLite", () => {
  archiveContract(() => createSqliteArchive({ path: ":memory:" }));

  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "tiphys-archive-"));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it("keeps its records in the file", async () => {
    const path = join(dir, "archive.db");
    const first = await createSqliteArchive({ path });
    await first.put({ uid: "a", kind: "Workflow", namespace: "n", name: "a", phase: "Failed", labels: {}, object: {} });
    await first.close();
    const second = await createSqliteArchive({ path });
    expect((await second.get("a"))?.phase).toBe("Failed");
    await second.close();
  });

  it("refuses a file that is no database, and leaves it alone", async () => {
    const path = join(dir, "archive.db");
    await writeFile(path, "this is not a database, and long enough to look at it closely".repeat(100));
    await expect(createSqliteArchive({ path })).rejects.toMatchObject({ code: "DataLoss" });
  });
});

describeWith(["postgres"], "archive in PostgreSQL", () => {
  let dir: string;
  let server: ChildProcess;
  let url: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "tiphys-postgres-"));
    const programs = dirname(realpathSync(programPath("postgres")!));
    // The server refuses to run as root.
    const root = process.getuid?.() === 0;
    const id = (flag: string) => Number(execFileSync("id", [flag, "postgres"]).toString());
    const as = root ? { uid: id("-u"), gid: id("-g") } : {};
    if (as.uid !== undefined && as.gid !== undefined) chownSync(dir, as.uid, as.gid);
    const data = join(dir, "data");
    execFileSync(join(programs, "initdb"), ["-D", data, "-U", "tiphys", "-A", "trust", "-N", "-E", "UTF8"], {
      ...as,
      stdio: "ignore",
      cwd: dir,
    });
    const port = await new Promise<number>((resolve) => {
      const probe = createServer().listen(0, "127.0.0.1", () => {
        const address = probe.address() as { port: number };
        probe.close(() => resolve(address.port));
      });
    });
    const args = ["-D", data, "-h", "127.0.0.1", "-p", String(port), "-k", dir, "-F"];
    server = spawn(join(programs, "postgres"), args, { ...as, stdio: "ignore", cwd: dir });
    url = `postgres://tiphys@127.0.0.1:${port}/postgres`;
    await eventually(async () => {
      const archive = await createPostgresArchive({ url: new Secret(url), log });
      await archive.close();
      return true;
    });
  }, 60_000);
  afterAll(async () => {
    const gone = new Promise((resolve) => server.once("exit", resolve));
    server.kill("SIGINT");
    await gone;
    await rm(dir, { recursive: true, force: true });
  });

  archiveContract(async () => {
    const { default: pg } = await import("pg");
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query("DROP TABLE IF EXISTS tiphys_archive");
    await client.end();
    return createPostgresArchive({ url: new Secret(url), log });
  });
});
