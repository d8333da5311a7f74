import { crc32 } from "node:zlib";
import { DataLossError } from "@tiphys/errors";

/** One line of a segment file: a checksum, a space, JSON. */
export const frame = (record: string): string => `${crc32(record).toString(16).padStart(8, "0")} ${record}\n`;

export interface Framed {
  readonly text: string;
  /** Bytes from the file's start to the record, and its length. */
  readonly offset: number;
  readonly length: number;
}

const HEAD = 9;
const NEWLINE = 10;

/**
 * The records of a segment and the length of its good part. What a crash cut off at the end of the last segment was never
 * promised to anybody and is left out; damage anywhere else is an error, and nothing is overwritten.
 */
export function readSegment(bytes: Buffer, path: string, isLast: boolean): { records: Framed[]; length: number } {
  const records: Framed[] = [];
  let start = 0;
  while (start < bytes.length) {
    const end = bytes.indexOf(NEWLINE, start);
    const text = end < 0 ? undefined : unframe(bytes, start, end);
    if (text === undefined) {
      if (isLast && (end < 0 || !validAfter(bytes, end + 1))) break;
      throw new DataLossError(
        `journal segment ${path} is damaged at byte ${start}; restore it from a backup, or move the file away to go on without its entries`,
      );
    }
    records.push({ text, offset: start + HEAD, length: end - start - HEAD });
    start = end + 1;
  }
  return { records, length: start };
}

function unframe(bytes: Buffer, start: number, end: number): string | undefined {
  if (end - start < HEAD) return undefined;
  const record = bytes.subarray(start + HEAD, end);
  const wanted = Number.parseInt(bytes.toString("latin1", start, start + HEAD - 1), 16);
  return crc32(record) === wanted ? record.toString("utf8") : undefined;
}

function validAfter(bytes: Buffer, from: number): boolean {
  for (let start = from; start < bytes.length; ) {
    const end = bytes.indexOf(NEWLINE, start);
    if (end < 0) return false;
    if (unframe(bytes, start, end) !== undefined) return true;
    start = end + 1;
  }
  return false;
}
