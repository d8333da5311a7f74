import { gunzipSync } from "node:zlib";
import { cleanPath, quote } from "@tiphys/template";
import { ChartError } from "./errors.js";
import { type ChartFile, withoutBom } from "./file.js";

/** Helm's limits of an unpacked chart and of one of its files, in bytes. */
export const MAX_CHART_BYTES = 100 << 20;
export const MAX_FILE_BYTES = 5 << 20;
const BLOCK = 512;

/** The files of a packed chart (`.tgz`), without their first folder. Throws a {@link ChartError}. */
export function readArchive(bytes: Uint8Array): ChartFile[] {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) throw new ChartError("the file does not appear to be a gzipped archive");
  let tar: Buffer;
  try {
    tar = gunzipSync(bytes, { maxOutputLength: MAX_CHART_BYTES + (4 << 20) });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
      throw new ChartError(`decompressed chart is larger than the maximum size ${MAX_CHART_BYTES}`);
    }
    throw new ChartError("unable to load chart archive", { cause: error });
  }
  const files: ChartFile[] = [];
  let total = 0;
  for (const { name, type, data } of entries(tar)) {
    if (type === "5" || name.endsWith("/")) continue;
    if (type === "g" || type === "x") continue;
    total += data.length;
    if (total > MAX_CHART_BYTES)
      throw new ChartError(`decompressed chart is larger than the maximum size ${MAX_CHART_BYTES}`);
    if (data.length > MAX_FILE_BYTES) {
      throw new ChartError(
        `decompressed chart file ${quote(name)} is larger than the maximum file size ${MAX_FILE_BYTES}`,
      );
    }
    files.push({ name: insideChart(name), data: withoutBom(data) });
  }
  if (files.length === 0) throw new ChartError("no files in chart archive");
  return files;
}

function insideChart(name: string): string {
  const parts = name.split(name.includes("\\") ? "\\" : "/");
  const inside = parts.slice(1).join("/");
  if (inside.startsWith("/")) throw new ChartError("chart illegally contains absolute paths");
  const path = cleanPath(inside);
  if (path === ".") throw new ChartError(`chart illegally contains content outside the base directory: ${quote(name)}`);
  if (path.startsWith("..")) throw new ChartError("chart illegally references parent directory");
  if (/^[a-zA-Z]:\//.test(path)) throw new ChartError("chart contains illegally named files");
  if (parts[0] === "Chart.yaml") throw new ChartError("chart yaml not in base directory");
  return path;
}

interface Entry {
  readonly name: string;
  readonly type: string;
  readonly data: Buffer;
}

function* entries(tar: Buffer): Generator<Entry> {
  let longName: string | undefined;
  for (let at = 0; at + BLOCK <= tar.length; ) {
    const header = tar.subarray(at, at + BLOCK);
    at += BLOCK;
    if (header.every((byte) => byte === 0)) return;
    const size = numberOf(header.subarray(124, 136));
    if (!Number.isSafeInteger(size) || size < 0 || at + size > tar.length)
      throw new ChartError("unable to load chart archive");
    const data = tar.subarray(at, at + size);
    at += Math.ceil(size / BLOCK) * BLOCK;
    const type = String.fromCharCode(header[156] ?? 0).replace("\0", "0");
    if (type === "L") {
      longName = text(data);
      continue;
    }
    if (type === "x") {
      longName = paxPath(data) ?? longName;
      yield { name: text(header.subarray(0, 100)), type, data };
      continue;
    }
    const prefix = header.subarray(257, 262).toString("latin1") === "ustar" ? text(header.subarray(345, 500)) : "";
    const name = longName ?? (prefix === "" ? "" : `${prefix}/`) + text(header.subarray(0, 100));
    longName = undefined;
    // A link has no content; as in Helm it is an empty file and is never followed.
    yield { name, type, data };
  }
}

const text = (bytes: Buffer): string => {
  const end = bytes.indexOf(0);
  return bytes.subarray(0, end < 0 ? bytes.length : end).toString("utf8");
};

function numberOf(bytes: Buffer): number {
  if (bytes[0]! & 0x80) {
    let value = 0;
    for (const byte of bytes.subarray(1)) value = value * 256 + byte;
    return value;
  }
  const digits = text(bytes).trim();
  return digits === "" ? 0 : /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
}

function paxPath(data: Buffer): string | undefined {
  let path: string | undefined;
  for (let at = 0; at < data.length; ) {
    const space = data.indexOf(0x20, at);
    const length = space < 0 ? 0 : Number(data.subarray(at, space).toString("latin1"));
    if (!Number.isInteger(length) || length <= 0 || at + length > data.length) return path;
    const [key, ...value] = data
      .subarray(space + 1, at + length - 1)
      .toString("utf8")
      .split("=");
    if (key === "path") path = value.join("=");
    at += length;
  }
  return path;
}
