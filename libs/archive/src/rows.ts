import { InvalidArgumentError } from "@tiphys/errors";
import type { ArchiveQuery, ArchiveRecord } from "./archive.js";

/** A row as both databases give it. */
export interface Row {
  readonly uid: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly phase: string;
  readonly started_at: string | null;
  readonly finished_at: string | null;
  readonly change_id: string | null;
  /** Sort key, newest first: time of finishing (or starting), then uid; also the page token. */
  readonly position: string;
  readonly object: unknown;
}

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1_000;

export function encodeRecord(
  record: ArchiveRecord,
): [string, string, string, string, string, string | null, string | null, string | null, string, string] {
  const started = record.startedAt?.toISOString() ?? null;
  const finished = record.finishedAt?.toISOString() ?? null;
  const position = `${finished ?? started ?? ""}/${record.uid}`;
  return [
    record.uid,
    record.kind,
    record.namespace,
    record.name,
    record.phase,
    started,
    finished,
    record.change ?? null,
    position,
    JSON.stringify(record.object),
  ];
}

export function decodeRow(row: Row, labels: readonly { name: string; value: string }[]): ArchiveRecord {
  return {
    uid: row.uid,
    kind: row.kind,
    namespace: row.namespace,
    name: row.name,
    phase: row.phase,
    ...(row.started_at ? { startedAt: new Date(row.started_at) } : {}),
    ...(row.finished_at ? { finishedAt: new Date(row.finished_at) } : {}),
    ...(row.change_id ? { change: row.change_id } : {}),
    labels: Object.fromEntries(labels.map(({ name, value }) => [name, value])),
    object: typeof row.object === "string" ? JSON.parse(row.object) : row.object,
  };
}

/** The query as SQL, one row more than the limit so that the caller sees whether there is another page. */
export function listStatement(
  query: ArchiveQuery,
  placeholder: (n: number) => string,
): { sql: string; values: (string | number)[]; limit: number } {
  const limit = query.limit ?? DEFAULT_LIMIT;
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT)
    throw new InvalidArgumentError("limit", `must be a whole number from 1 to ${MAX_LIMIT}`);
  const values: (string | number)[] = [];
  const value = (v: string | number) => {
    values.push(v);
    return placeholder(values.length);
  };
  const where: string[] = [];
  const exact = { kind: query.kind, namespace: query.namespace, phase: query.phase, change_id: query.change };
  for (const [column, wanted] of Object.entries(exact))
    if (wanted !== undefined) where.push(`${column} = ${value(wanted)}`);
  if (query.namePrefix) where.push(`substr(name, 1, ${query.namePrefix.length}) = ${value(query.namePrefix)}`);
  if (query.continue) where.push(`position < ${value(query.continue)}`);
  for (const [name, wanted] of Object.entries(query.labels ?? {})) {
    where.push(
      `EXISTS (SELECT 1 FROM tiphys_archive_labels l WHERE l.uid = tiphys_archive.uid AND l.name = ${value(name)} AND l.value = ${value(wanted)})`,
    );
  }
  const filter = where.length > 0 ? `WHERE ${where.join(" AND ")}` : "";
  return { sql: `SELECT * FROM tiphys_archive ${filter} ORDER BY position DESC LIMIT ${limit + 1}`, values, limit };
}
