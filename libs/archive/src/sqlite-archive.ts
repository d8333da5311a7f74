import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { DataLossError, messageOf } from "@tiphys/errors";
import type { Archive } from "./archive.js";
import { columns, pageOf, type Row, recordOf, searchSql, valuesOf } from "./query.js";

export interface SqliteArchiveOptions {
  /** A file, or `:memory:`. */
  readonly path: string;
}

const schema = `
  CREATE TABLE IF NOT EXISTS archive (
    uid TEXT PRIMARY KEY, kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, phase TEXT NOT NULL,
    started_at INTEGER, finished_at INTEGER, change_id TEXT, labels TEXT NOT NULL, object TEXT NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS archive_started ON archive (COALESCE(started_at, 0) DESC, uid DESC);
  CREATE INDEX IF NOT EXISTS archive_place ON archive (namespace, kind, name);
  CREATE INDEX IF NOT EXISTS archive_change ON archive (change_id);
`;

/** The archive in one SQLite file. The driver is synchronous, so every call is one short statement. */
export async function createSqliteArchive({ path }: SqliteArchiveOptions): Promise<Archive> {
  const { default: Database } = await import("libsql");
  if (path !== ":memory:") await mkdir(dirname(path), { recursive: true });
  const database = new Database(path);
  try {
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 2000;");
    database.exec(schema);
  } catch (error) {
    database.close();
    const message = `the archive ${path} cannot be used: ${messageOf(error)}. Restore it from a backup, or move it away`;
    throw new DataLossError(message, { cause: error });
  }
  const marks = columns.map(() => "?").join(", ");
  const put = database.prepare(`INSERT OR REPLACE INTO archive (${columns.join(", ")}) VALUES (${marks})`);
  const get = database.prepare("SELECT * FROM archive WHERE uid = ?");
  const remove = database.prepare("DELETE FROM archive WHERE uid = ?");
  let open = true;

  return {
    async put(record) {
      put.run(...valuesOf(record));
    },
    async get(uid) {
      const row = get.get(uid) as Row | undefined;
      return row && recordOf(row);
    },
    async list(query) {
      const values: (string | number)[] = [];
      const bind = (value: string | number) => {
        values.push(value);
        return "?";
      };
      const { sql, limit } = searchSql(query, {
        bind,
        hasLabel: (name, value) =>
          `EXISTS (SELECT 1 FROM json_each(labels) WHERE key = ${bind(name)} AND value = ${bind(value)})`,
      });
      return pageOf(database.prepare(`SELECT * FROM archive ${sql}`).all(...values) as Row[], limit);
    },
    async delete(uid) {
      return remove.run(uid).changes > 0;
    },
    async close() {
      if (open) database.close();
      open = false;
    },
  };
}
