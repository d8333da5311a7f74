import { messageOf, UnavailableError } from "@tiphys/errors";
import type { Secret } from "@tiphys/secret";
import type { Logger } from "@tiphys/telemetry";
import type { Archive } from "./archive.js";
import { columns, pageOf, type Row, recordOf, searchSql, valuesOf } from "./query.js";

export interface PostgresArchiveOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly url: Secret;
  readonly log: Logger;
}

const schema = `
  CREATE TABLE IF NOT EXISTS tiphys_archive (
    uid TEXT PRIMARY KEY, kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT COLLATE "C" NOT NULL, phase TEXT NOT NULL,
    started_at BIGINT, finished_at BIGINT, change_id TEXT, labels JSONB NOT NULL, object JSON NOT NULL
  );
  CREATE INDEX IF NOT EXISTS tiphys_archive_started ON tiphys_archive (COALESCE(started_at, 0) DESC, uid DESC);
  CREATE INDEX IF NOT EXISTS tiphys_archive_place ON tiphys_archive (namespace, kind, name);
  CREATE INDEX IF NOT EXISTS tiphys_archive_change ON tiphys_archive (change_id);
  CREATE INDEX IF NOT EXISTS tiphys_archive_labels ON tiphys_archive USING GIN (labels);
`;
/** Any number; services that start together must not create the table at the same time. */
const SCHEMA_LOCK = 7_246_001;

/** The archive on PostgreSQL, shared by all processes. */
export async function createPostgresArchive({ url, log }: PostgresArchiveOptions): Promise<Archive> {
  const { default: pg } = await import("pg");
  const pool = new pg.Pool({ connectionString: url.reveal(), max: 4, connectionTimeoutMillis: 10_000 });
  pool.on("error", (error) => log.warn("the archive lost a connection", { error: error.message }));
  const ask = async (sql: string, values: readonly (string | number | null)[] = []) => {
    try {
      return await pool.query<Row>(sql, [...values]);
    } catch (error) {
      throw new UnavailableError(`the archive on PostgreSQL failed: ${messageOf(error)}`, { cause: error });
    }
  };
  try {
    await ask(`BEGIN; SELECT pg_advisory_xact_lock(${SCHEMA_LOCK}); ${schema} COMMIT;`);
  } catch (error) {
    await pool.end();
    throw error;
  }
  // The driver would parse JSON columns; the texts are wanted as they are.
  const select =
    "SELECT uid, kind, namespace, name, phase, started_at, finished_at, change_id, labels::text, object::text";
  const marks = columns.map((_, index) => `$${index + 1}`).join(", ");
  const updates = columns.slice(1).map((column) => `${column} = EXCLUDED.${column}`);

  return {
    async put(record) {
      const insert = `INSERT INTO tiphys_archive (${columns.join(", ")}) VALUES (${marks})`;
      await ask(`${insert} ON CONFLICT (uid) DO UPDATE SET ${updates.join(", ")}`, valuesOf(record));
    },
    async get(uid) {
      const { rows } = await ask(`${select} FROM tiphys_archive WHERE uid = $1`, [uid]);
      return rows[0] && recordOf(rows[0]);
    },
    async list(query) {
      const values: (string | number)[] = [];
      const bind = (value: string | number) => `$${values.push(value)}`;
      const { sql, limit } = searchSql(query, {
        bind,
        hasLabel: (name, value) => `labels @> ${bind(JSON.stringify({ [name]: value }))}::jsonb`,
      });
      const { rows } = await ask(`${select} FROM tiphys_archive ${sql}`, values);
      return pageOf(rows, limit);
    },
    async delete(uid) {
      const { rowCount } = await ask("DELETE FROM tiphys_archive WHERE uid = $1", [uid]);
      return (rowCount ?? 0) > 0;
    },
    async close() {
      if (!pool.ended) await pool.end();
    },
  };
}
