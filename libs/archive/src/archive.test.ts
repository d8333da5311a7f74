import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Secret } from "@tiphys/secret";
import { silentLogger as log } from "@tiphys/telemetry";
import { describeWith, startPostgres, type TestPostgres } from "@tiphys/testing";
import pg from "pg";
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
  let server: TestPostgres;
  let client: pg.Client;
  let url: string;
  beforeAll(async () => {
    server = await startPostgres();
    url = await server.database();
    client = new pg.Client({ connectionString: url });
    await client.connect();
  }, 60_000);
  afterAll(async () => {
    await client.end();
    await server[Symbol.asyncDispose]();
  });

  archiveContract(async () => {
    await client.query("DROP TABLE IF EXISTS tiphys_archive");
    return createPostgresArchive({ url: new Secret(url), log });
  });
});
