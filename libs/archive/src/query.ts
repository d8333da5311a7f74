import { canonicalJson } from "@tiphys/canonical-json";
import { InvalidArgumentError } from "@tiphys/errors";
import type { ArchiveQuery, ArchiveRecord } from "./archive.js";

export const DEFAULT_LIMIT = 50;
export const LARGEST_LIMIT = 500;

/** One row, in both databases. Times are epoch milliseconds. */
export interface Row {
  uid: string;
  kind: string;
  namespace: string;
  name: string;
  phase: string;
  started_at: number | string | null;
  finished_at: number | string | null;
  change_id: string | null;
  labels: string;
  object: string;
}

export const columns = [
  "uid", "kind", "namespace", "name", "phase", "started_at", "finished_at", "change_id", "labels", "object",
] as const; // biome-ignore format: one list

export const valuesOf = (record: ArchiveRecord): (string | number | null)[] => [
  record.uid,
  record.kind,
  record.namespace,
  record.name,
  record.phase,
  record.startedAt?.getTime() ?? null,
  record.finishedAt?.getTime() ?? null,
  record.change ?? null,
  canonicalJson(record.labels),
  canonicalJson(record.object),
];

export function recordOf(row: Row): ArchiveRecord {
  const startedAt = row.started_at === null ? undefined : new Date(Number(row.started_at));
  const finishedAt = row.finished_at === null ? undefined : new Date(Number(row.finished_at));
  return {
    uid: row.uid,
    kind: row.kind,
    namespace: row.namespace,
    name: row.name,
    phase: row.phase,
    ...(startedAt ? { startedAt } : {}),
    ...(finishedAt ? { finishedAt } : {}),
    labels: JSON.parse(row.labels),
    ...(row.change_id === null ? {} : { change: row.change_id }),
    object: JSON.parse(row.object),
  };
}

/** SQL that differs between the databases. `bind` takes a value and gives its placeholder. */
export interface Dialect {
  bind(value: string | number): string;
  hasLabel(name: string, value: string): string;
}

/** WHERE, ORDER BY and LIMIT of a query: newest start first, then uid, one row more than asked to see whether there is more. */
export function searchSql(query: ArchiveQuery, dialect: Dialect): { sql: string; limit: number } {
  const conditions: string[] = [];
  const equals: [string, string | undefined][] = [
    ["kind", query.kind],
    ["namespace", query.namespace],
    ["phase", query.phase],
    ["change_id", query.change],
  ];
  for (const [column, value] of equals) if (value !== undefined) conditions.push(`${column} = ${dialect.bind(value)}`);
  if (query.namePrefix) {
    // A range rather than LIKE: no wildcards to escape, and the index serves it.
    conditions.push(
      `name >= ${dialect.bind(query.namePrefix)} AND name < ${dialect.bind(`${query.namePrefix}\u{10FFFF}`)}`,
    );
  }
  for (const [name, value] of Object.entries(query.labels ?? {})) conditions.push(dialect.hasLabel(name, value));
  if (query.continue !== undefined) {
    const [started, uid] = parseToken(query.continue);
    const at = dialect.bind(started);
    const sorted = "COALESCE(started_at, 0)";
    conditions.push(`(${sorted} < ${at} OR (${sorted} = ${dialect.bind(started)} AND uid < ${dialect.bind(uid)}))`);
  }
  const limit = Math.min(Math.max(query.limit ?? DEFAULT_LIMIT, 1), LARGEST_LIMIT);
  const where = conditions.length > 0 ? `WHERE ${conditions.join(" AND ")} ` : "";
  return { sql: `${where}ORDER BY COALESCE(started_at, 0) DESC, uid DESC LIMIT ${limit + 1}`, limit };
}

/** The page and, when there is more, the token of the next one. */
export function pageOf(rows: readonly Row[], limit: number): { items: ArchiveRecord[]; continue?: string } {
  const items = rows.slice(0, limit).map(recordOf);
  const last = rows[limit - 1];
  if (rows.length <= limit || !last) return { items };
  return {
    items,
    continue: Buffer.from(JSON.stringify([Number(last.started_at ?? 0), last.uid])).toString("base64url"),
  };
}

function parseToken(token: string): [number, string] {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(token, "base64url").toString());
    if (Array.isArray(parsed) && typeof parsed[0] === "number" && typeof parsed[1] === "string")
      return [parsed[0], parsed[1]];
  } catch {
    // Said below, in the same words as for any other bad token.
  }
  throw new InvalidArgumentError("continue", "is not a token of an earlier answer: ask again without it");
}
