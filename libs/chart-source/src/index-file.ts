import { type FileHandle, open } from "node:fs/promises";
import { DataLossError, LimitExceededError, messageOf } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import { compareVersions } from "@tiphys/semver";
import { parseYaml } from "@tiphys/yaml";
import { versionOf } from "./version.js";

/** One version of a chart, as an index tells of it. */
export interface IndexEntry {
  readonly version: string;
  /** Where the archive is, absolute or relative to the repository; the first is taken. */
  readonly urls: readonly string[];
  /** SHA-256 of the archive in hexadecimal; undefined when the index does not say, or says something else. */
  readonly digest?: string;
  /** RFC 3339. */
  readonly created?: string;
  readonly appVersion?: string;
}

/** An index of a chart repository, on disk: what it has of one chart is read when it is asked for. */
export interface IndexFile {
  readonly names: readonly string[];
  /** Newest first; undefined when the chart is not in it. */
  entries(name: string): Promise<readonly IndexEntry[] | undefined>;
}

/** Where a chart's list is in the file: bytes. */
interface Section {
  readonly start: number;
  readonly end: number;
}

/** Bytes that are looked at before others may run. */
const SLICE = 1024 * 1024;
const CHARTS_KEPT = 200;
const pause = () => new Promise<void>((resolve) => setImmediate(resolve));

/**
 * Opens an index. As Helm and its like write one, it is cut into the lists of its charts by its indentation, and just the list
 * that is wanted is read as YAML: an index of 20 MB costs its bytes once. Any other layout, and JSON, is read whole.
 */
export async function openIndex(file: string, what: string): Promise<IndexFile> {
  const handle = await open(file, "r");
  try {
    const { size } = await handle.stat();
    if (size > limits.chartIndexBytes) {
      throw new LimitExceededError(`${what} is larger than ${limits.chartIndexBytes} bytes`);
    }
    if (size === 0) throw new DataLossError(`${what} is empty`);
    const bytes = await handle.readFile();
    const sections = isJson(bytes) ? undefined : await sectionsOf(bytes);
    if (!sections) return wholeIndex(readWhole(bytes, what), what);
    return cutIndex(file, sections, what);
  } finally {
    await handle.close();
  }
}

function isJson(bytes: Buffer): boolean {
  const first = bytes
    .subarray(0, 1024)
    .toString("latin1")
    .replace(/^\xef\xbb\xbf/, "")
    .trimStart()[0];
  return first === "{";
}

const NEWLINE = 10;
const SPACE = 32;
const HASH = 35;
const DASH = 45;
const RETURN = 13;

/** Where each chart's list lies; undefined when the layout is not the usual one. */
async function sectionsOf(bytes: Buffer): Promise<Map<string, Section> | undefined> {
  const found = new Map<string, Section>();
  let inside = false;
  let seen = false;
  let hasVersion = false;
  let indent = -1;
  let current: { name: string; start: number } | undefined;
  const close = (end: number): boolean => {
    if (current && !found.has(current.name)) found.set(current.name, { start: current.start, end });
    else if (current) return false;
    current = undefined;
    return true;
  };
  let next = SLICE;
  for (let at = 0; at < bytes.length; ) {
    if (at >= next) {
      next = at + SLICE;
      await pause();
    }
    const newline = bytes.indexOf(NEWLINE, at);
    const end = newline < 0 ? bytes.length : newline;
    let first = at;
    while (first < end && bytes[first] === SPACE) first++;
    const depth = first - at;
    const byte = bytes[first];
    const blank = first >= end || byte === RETURN || byte === HASH;
    if (!blank && depth === 0) {
      if (!close(at)) return undefined;
      const line = bytes.toString("latin1", at, Math.min(end, at + 200)).replace(/^\xef\xbb\xbf/, "");
      const starts = /^["']?entries["']?:\s*(?:#.*)?$/.test(line);
      if (starts && seen) return undefined;
      if (/^["']?entries["']?:/.test(line) && !starts && !/^["']?entries["']?:\s*\{\s*\}\s*$/.test(line))
        return undefined;
      if (/^["']?apiVersion["']?:\s*\S/.test(line)) hasVersion = true;
      if (/^(?:\.\.\.|%|\[|\{)/.test(line) || (line.startsWith("---") && (seen || inside))) return undefined;
      inside = starts;
      seen ||= starts;
    } else if (!blank && inside) {
      if (byte === 9) return undefined;
      if (indent < 0) indent = depth;
      if (depth < indent) return undefined;
      const item = byte === DASH && (first + 1 >= end || bytes[first + 1] === SPACE || bytes[first + 1] === RETURN);
      if (depth === indent && !item) {
        if (!close(at)) return undefined;
        const name = keyOf(bytes.toString("utf8", first, Math.min(end, first + 1024)));
        if (name === undefined) return undefined;
        current = { name, start: at };
        if (found.size >= limits.chartNames) {
          throw new LimitExceededError(`the index names more than ${limits.chartNames} charts`);
        }
      } else if (!current) return undefined;
    }
    at = end + 1;
  }
  if (!close(bytes.length)) return undefined;
  return hasVersion && seen ? found : undefined;
}

/** The chart's name in `name:`, however it is quoted; undefined when something follows it, or it is none. */
function keyOf(line: string): string | undefined {
  const match =
    /^(?:"([^"\\]+)"|'([^']+)'|([A-Za-z0-9][^\s:#'"&*!|>%@`{}[\],]*))\s*:\s*(?:\[\s*\]\s*)?(?:#.*)?\r?$/.exec(line);
  return match?.[1] ?? match?.[2] ?? match?.[3];
}

function cutIndex(file: string, sections: Map<string, Section>, what: string): IndexFile {
  const kept = new Map<string, Promise<readonly IndexEntry[]>>();
  return {
    names: [...sections.keys()].sort(),
    async entries(name) {
      const section = sections.get(name);
      if (!section) return undefined;
      let entries = kept.get(name);
      if (!entries) {
        entries = readSection(file, section, name, what);
        if (kept.size >= CHARTS_KEPT) kept.delete(kept.keys().next().value!);
        kept.set(name, entries);
        entries.catch(() => kept.delete(name));
      }
      return entries;
    },
  };
}

async function readSection(file: string, { start, end }: Section, name: string, what: string) {
  const bytes = Buffer.alloc(end - start);
  const handle = await open(file, "r");
  try {
    await readFully(handle, bytes, start, what);
  } finally {
    await handle.close();
  }
  const found: IndexEntry[] = [];
  let spent = 0;
  for (const text of itemsOf(bytes.toString("utf8"))) {
    if (found.length >= limits.chartVersions) {
      throw new LimitExceededError(`chart "${name}" has more than ${limits.chartVersions} versions in ${what}`);
    }
    spent += text.length;
    if (spent > SLICE / 8) {
      spent = 0;
      await pause();
    }
    let value: unknown;
    try {
      value = parseYaml(text, { file: what });
    } catch (error) {
      throw new DataLossError(`${what} cannot be read at chart "${name}": ${messageOf(error)}`, { cause: error });
    }
    for (const entry of Array.isArray(value) ? value : []) push(found, entry);
  }
  return sorted(found);
}

async function readFully(handle: FileHandle, buffer: Buffer, position: number, what: string): Promise<void> {
  for (let filled = 0; filled < buffer.length; ) {
    const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, position + filled);
    if (bytesRead === 0) throw new DataLossError(`${what} has changed on disk while it was read`);
    filled += bytesRead;
  }
}

/** Members of an entry that we need; the others, which are most of an index, are not read. */
const WANTED: ReadonlySet<string> = new Set([
  "version",
  "urls",
  "digest",
  "created",
  "appVersion",
  "name",
  "apiVersion",
]);

/**
 * The items of a chart's list, each as YAML of its own with the members we need. An item in another layout is given whole.
 */
function* itemsOf(text: string): Generator<string> {
  const lines = text.split("\n").slice(1);
  let indent = -1;
  let item: string[] = [];
  const finish = () => {
    const whole = item;
    item = [];
    return reduce(whole, indent);
  };
  for (const line of lines) {
    const dash = /^( *)-(?:\s|$)/.exec(line);
    if (indent < 0 && dash) indent = dash[1]!.length;
    if (dash && dash[1]!.length === indent && item.length > 0) yield finish();
    if (dash || item.length > 0) item.push(line);
  }
  if (item.length > 0) yield finish();
}

function reduce(lines: readonly string[], indent: number): string {
  const head = /^( *-\s+)(?=["']?[A-Za-z])/.exec(lines[0]!);
  const whole = () => lines.join("\n");
  if (!head || head[1]!.includes("\t")) return whole();
  const depth = head[1]!.length;
  const kept: string[] = [];
  let keep = false;
  for (const [at, line] of lines.entries()) {
    const text = at === 0 ? `${" ".repeat(depth)}${line.slice(depth)}` : line;
    const content = text.trimStart();
    if (content === "" || content === "\r" || content.startsWith("#")) {
      if (keep) kept.push(text);
      continue;
    }
    const own = text.length - content.length;
    if (own < depth) return whole();
    // A list that is a member's value may stand as deep as the member.
    if (own === depth && !content.startsWith("- ")) {
      const key = /^["']?([A-Za-z][\w.-]*)["']?\s*:(?:\s|$)/.exec(content)?.[1];
      if (key === undefined || content.startsWith("<<")) return whole();
      keep = WANTED.has(key);
    }
    if (keep) kept.push(text);
  }
  if (kept.some((line) => /[&*]/.test(line))) return whole();
  return kept.length === 0 ? "" : `${" ".repeat(indent)}-\n${kept.join("\n")}\n`;
}

function readWhole(bytes: Buffer, what: string): Record<string, unknown> {
  let value: unknown;
  const text = bytes.toString("utf8").replace(/^\ufeff/, "");
  try {
    value = isJson(bytes) ? JSON.parse(text) : undefined;
  } catch {
    // YAML has a notation that looks like JSON and is not.
  }
  try {
    value ??= parseYaml(text, { file: what });
  } catch (error) {
    if (error instanceof LimitExceededError) throw error;
    throw new DataLossError(`${what} is not an index of charts: ${messageOf(error)}`, { cause: error });
  }
  if (!isRecord(value)) throw new DataLossError(`${what} is not an index of charts`);
  if (typeof value["apiVersion"] !== "string" || value["apiVersion"] === "") {
    throw new DataLossError(`${what} is not an index of charts: it has no apiVersion`);
  }
  return value;
}

function wholeIndex(value: Record<string, unknown>, what: string): IndexFile {
  const entries = isRecord(value["entries"]) ? value["entries"] : {};
  const names = Object.keys(entries);
  if (names.length > limits.chartNames)
    throw new LimitExceededError(`${what} names more than ${limits.chartNames} charts`);
  const all = new Map<string, readonly IndexEntry[]>();
  for (const name of names) {
    const list = entries[name];
    const found: IndexEntry[] = [];
    for (const entry of Array.isArray(list) ? list.slice(0, limits.chartVersions) : []) push(found, entry);
    all.set(name, sorted(found));
  }
  return { names: names.sort(), entries: async (name) => all.get(name) };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** As Helm does, what is no version of the chart is left out and the others count. */
function push(found: IndexEntry[], value: unknown): void {
  if (!isRecord(value)) return;
  const { version, urls, digest, created, appVersion, name: own } = value;
  const text = typeof version === "number" || typeof version === "bigint" ? String(version) : version;
  if (typeof text !== "string" || !versionOf(text)) return;
  if (typeof own !== "string" || own === "") return;
  const hash =
    typeof digest === "string" ? /^(?:sha256:)?([0-9a-f]{64})$/i.exec(digest)?.[1]?.toLowerCase() : undefined;
  found.push({
    version: text,
    urls: Array.isArray(urls) ? urls.filter((url): url is string => typeof url === "string" && url !== "") : [],
    ...(hash ? { digest: hash } : {}),
    ...(typeof created === "string" ? { created } : {}),
    ...(appVersion === undefined || appVersion === null ? {} : { appVersion: String(appVersion) }),
  });
}

const sorted = (entries: readonly IndexEntry[]): readonly IndexEntry[] =>
  entries
    .map((entry) => ({ entry, version: versionOf(entry.version)! }))
    .sort((a, b) => compareVersions(b.version, a.version))
    .map(({ entry }) => entry);
