import { Secret } from "@tiphys/secret";
import type { Archive } from "./archive.js";
import { decodeRow, encodeRecord, listStatement, type Row } from "./rows.js";

/** History in PostgreSQL, shared by all replicas. Loads its library on first use. */
export async function createPostgresArchive({ url }: { url: string | Secret }): Promise<Archive> {
  const { default: pg } = await import("pg");
  const pool = new pg.Pool({ connectionString: url instanceof Secret ? url.reveal() : url, max: 4 });
  // One statement with a lock, so that replicas that start together do not race to create the tables.
  await pool.query(`
    BEGIN;
    SELECT pg_advisory_xact_lock(727274);
    CREATE TABLE IF NOT EXISTS tiphys_archive (
      uid TEXT PRIMARY KEY, kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, phase TEXT NOT NULL,
      started_at TEXT, finished_at TEXT, change_id TEXT, position TEXT NOT NULL COLLATE "C", object JSONB NOT NULL);
    CREATE TABLE IF NOT EXISTS tiphys_archive_labels (
      uid TEXT NOT NULL REFERENCES tiphys_archive(uid) ON DELETE CASCADE, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (uid, name));
    CREATE INDEX IF NOT EXISTS tiphys_archive_position ON tiphys_archive (position DESC);
    CREATE INDEX IF NOT EXISTS tiphys_archive_change ON tiphys_archive (change_id);
    COMMIT;
  `);
  const labelsOf = async (uid: string) =>
    (await pool.query("SELECT name, value FROM tiphys_archive_labels WHERE uid = $1", [uid])).rows;
  const withLabels = async (row: Row) => decodeRow(row, await labelsOf(row.uid));

  return {
    async put(record) {
      const connection = await pool.connect();
      try {
        await connection.query("BEGIN");
        await connection.query(
          `INSERT INTO tiphys_archive (uid, kind, namespace, name, phase, started_at, finished_at, change_id, position, object)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
           ON CONFLICT (uid) DO UPDATE SET phase = excluded.phase, started_at = excluded.started_at, finished_at = excluded.finished_at,
             change_id = excluded.change_id, position = excluded.position, object = excluded.object`,
          encodeRecord(record),
        );
        await connection.query("DELETE FROM tiphys_archive_labels WHERE uid = $1", [record.uid]);
        for (const [name, value] of Object.entries(record.labels)) {
          await connection.query("INSERT INTO tiphys_archive_labels (uid, name, value) VALUES ($1, $2, $3)", [
            record.uid,
            name,
            value,
          ]);
        }
        await connection.query("COMMIT");
      } catch (error) {
        await connection.query("ROLLBACK");
        throw error;
      } finally {
        connection.release();
      }
    },
    async get(uid) {
      const { rows } = await pool.query<Row>("SELECT * FROM tiphys_archive WHERE uid = $1", [uid]);
      return rows[0] && (await withLabels(rows[0]));
    },
    async list(query) {
      const { sql, values, limit } = listStatement(query, (n) => `$${n}`);
      const { rows } = await pool.query<Row>(sql, values);
      const items = await Promise.all(rows.slice(0, limit).map(withLabels));
      return { items, ...(rows.length > limit ? { continue: rows[limit - 1]?.position ?? "" } : {}) };
    },
    async delete(uid) {
      return ((await pool.query("DELETE FROM tiphys_archive WHERE uid = $1", [uid])).rowCount ?? 0) > 0;
    },
    close: () => pool.end(),
  };
}
