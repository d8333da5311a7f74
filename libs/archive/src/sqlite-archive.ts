import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import type { Archive } from "./archive.js";
import { decodeRow, encodeRecord, listStatement, type Row } from "./rows.js";

/** History in one SQLite file. Loads its library on first use; calls are short and synchronous underneath. */
export async function createSqliteArchive({ path }: { path: string }): Promise<Archive> {
  if (path !== ":memory:") await mkdir(dirname(path), { recursive: true });
  const { default: Database } = await import("libsql");
  const database = new Database(path);
  database.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS tiphys_archive (
      uid TEXT PRIMARY KEY, kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, phase TEXT NOT NULL,
      started_at TEXT, finished_at TEXT, change_id TEXT, position TEXT NOT NULL, object TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS tiphys_archive_labels (
      uid TEXT NOT NULL REFERENCES tiphys_archive(uid) ON DELETE CASCADE, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (uid, name));
    CREATE INDEX IF NOT EXISTS tiphys_archive_position ON tiphys_archive (position DESC);
    CREATE INDEX IF NOT EXISTS tiphys_archive_change ON tiphys_archive (change_id);
    PRAGMA foreign_keys = ON;
  `);
  const upsert = database.prepare(`
    INSERT INTO tiphys_archive (uid, kind, namespace, name, phase, started_at, finished_at, change_id, position, object)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (uid) DO UPDATE SET phase = excluded.phase, started_at = excluded.started_at, finished_at = excluded.finished_at,
      change_id = excluded.change_id, position = excluded.position, object = excluded.object`);
  const clearLabels = database.prepare("DELETE FROM tiphys_archive_labels WHERE uid = ?");
  const addLabel = database.prepare("INSERT INTO tiphys_archive_labels (uid, name, value) VALUES (?, ?, ?)");
  const labelsOf = database.prepare("SELECT name, value FROM tiphys_archive_labels WHERE uid = ?");
  const one = database.prepare("SELECT * FROM tiphys_archive WHERE uid = ?");
  const remove = database.prepare("DELETE FROM tiphys_archive WHERE uid = ?");
  const withLabels = (row: Row) => decodeRow(row, labelsOf.all(row.uid) as { name: string; value: string }[]);

  return {
    async put(record) {
      database.exec("BEGIN IMMEDIATE");
      try {
        upsert.run(...encodeRecord(record));
        clearLabels.run(record.uid);
        for (const [name, value] of Object.entries(record.labels)) addLabel.run(record.uid, name, value);
        database.exec("COMMIT");
      } catch (error) {
        database.exec("ROLLBACK");
        throw error;
      }
    },
    async get(uid) {
      const row = one.get(uid) as Row | undefined;
      return row && withLabels(row);
    },
    async list(query) {
      const { sql, values, limit } = listStatement(query, () => "?");
      const rows = database.prepare(sql).all(...values) as Row[];
      const items = rows.slice(0, limit).map(withLabels);
      return { items, ...(rows.length > limit ? { continue: rows[limit - 1]?.position ?? "" } : {}) };
    },
    async delete(uid) {
      return remove.run(uid).changes > 0;
    },
    async close() {
      database.close();
    },
  };
}
