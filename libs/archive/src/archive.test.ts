import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeWith, startPostgres } from "@tiphys/testing";
import { archiveContract } from "./contract.js";
import { createPostgresArchive, createSqliteArchive } from "./index.js";

archiveContract("SQLite", async () => {
  const folder = await mkdtemp(join(tmpdir(), "archive-"));
  const archive = await createSqliteArchive({ path: join(folder, "archive.db") });
  return {
    archive,
    dispose: async () => {
      await archive.close();
      await rm(folder, { recursive: true });
    },
  };
});

describeWith(["postgres"], "on PostgreSQL", () => {
  let postgres: Awaited<ReturnType<typeof startPostgres>>;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres[Symbol.asyncDispose]());
  archiveContract("PostgreSQL", async () => {
    const archive = await createPostgresArchive({ url: await postgres.database() });
    return { archive, dispose: () => archive.close() };
  });
});
