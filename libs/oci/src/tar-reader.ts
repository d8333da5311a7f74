import { DataLossError, LimitExceededError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";

export type TarType = "file" | "directory" | "symlink" | "link" | "character" | "block" | "fifo";

export interface TarHeader {
  readonly path: string;
  readonly type: TarType;
  /** Permission bits, set-user-id and its like among them. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of content. */
  readonly size: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** Target of a symbolic or hard link. */
  readonly link?: string;
  /** Extended attributes that the archive keeps for it. */
  readonly xattrs?: Readonly<Record<string, string>>;
}

export interface TarEntry {
  readonly header: TarHeader;
  /** The content; what is left of it is skipped when the next entry is asked for. */
  readonly body: AsyncIterable<Uint8Array>;
}

const BLOCK = 512;
const MAX_EXTENDED = 1024 * 1024;
const TYPES: Readonly<Record<string, TarType>> = {
  "0": "file",
  "\0": "file",
  "7": "file",
  "1": "link",
  "2": "symlink",
  "3": "character",
  "4": "block",
  "5": "directory",
  "6": "fifo",
};

/** Reads a tar archive (ustar, pax, GNU long names) entry by entry; throws DataLoss where it is damaged. */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncIterable<TarEntry> {
  const input = createInput(source);
  let extended: Record<string, string> = {};
  let global: Record<string, string> = {};
  let longName: string | undefined;
  let longLink: string | undefined;
  for (;;) {
    const block = await input.take(BLOCK);
    if (block === undefined) return;
    if (block.every((byte) => byte === 0)) {
      // Two of them end an archive; what follows is padding.
      await input.drain();
      return;
    }
    const raw = parseHeader(block);
    const text = async (): Promise<Buffer> => {
      if (raw.size > MAX_EXTENDED)
        throw new LimitExceededError(`a name or attribute in the archive has more than ${MAX_EXTENDED} bytes`);
      return (await input.take(padded(raw.size)))?.subarray(0, raw.size) ?? broken();
    };
    if (raw.flag === "x") {
      extended = parsePax(await text());
      continue;
    }
    if (raw.flag === "g") {
      global = { ...global, ...parsePax(await text()) };
      continue;
    }
    if (raw.flag === "L" || raw.flag === "K") {
      const name = (await text()).toString("utf8").replace(/\0.*$/s, "");
      if (raw.flag === "L") longName = name;
      else longLink = name;
      continue;
    }
    const type = TYPES[raw.flag];
    const pax = { ...global, ...extended };
    if (type === undefined || Object.keys(pax).some((key) => key.startsWith("GNU.sparse."))) {
      throw new DataLossError(
        `the archive has an entry of type ${JSON.stringify(raw.flag)} that is not supported (sparse files are not)`,
      );
    }
    const path = pax["path"] ?? longName ?? raw.path;
    const link = pax["linkpath"] ?? longLink ?? raw.link;
    const size = pax["size"] === undefined ? raw.size : Number(pax["size"]);
    if (!Number.isSafeInteger(size) || size < 0)
      throw new DataLossError(`the archive gives "${path.slice(0, 200)}" no valid size`);
    for (const name of [path, link]) {
      if (Buffer.byteLength(name) > limits.imagePathBytes) {
        throw new LimitExceededError(`the archive has a path longer than ${limits.imagePathBytes} bytes`);
      }
      if (name.includes("\0")) throw new DataLossError("the archive has a path with a zero byte");
    }
    const xattrs = Object.fromEntries(
      Object.entries(pax).flatMap(([key, value]) => (key.startsWith("SCHILY.xattr.") ? [[key.slice(13), value]] : [])),
    );
    const content = type === "file" ? size : 0;
    const header: TarHeader = {
      path: type === "file" && raw.flag !== "7" && path.endsWith("/") ? path.slice(0, -1) : path,
      type: type === "file" && path.endsWith("/") ? "directory" : type,
      mode: raw.mode & 0o7777,
      uid: number(pax["uid"], raw.uid),
      gid: number(pax["gid"], raw.gid),
      size: content,
      mtime: number(pax["mtime"], raw.mtime),
      ...(type === "link" || type === "symlink" ? { link } : {}),
      ...(Object.keys(xattrs).length > 0 ? { xattrs } : {}),
    };
    [extended, longName, longLink] = [{}, undefined, undefined];
    let left = content;
    const body = (async function* () {
      while (left > 0) {
        const piece = await input.some(left);
        left -= piece.length;
        yield piece;
      }
    })();
    yield { header, body };
    while (left > 0) left -= (await input.some(left)).length;
    // Links and directories may carry a size that no content follows.
    if (content % BLOCK > 0) await input.take(BLOCK - (content % BLOCK));
  }
}

const number = (text: string | undefined, otherwise: number): number => {
  const value = text === undefined ? Number.NaN : Number(text);
  return Number.isFinite(value) ? value : otherwise;
};
const padded = (size: number): number => Math.ceil(size / BLOCK) * BLOCK;
const broken = (): never => {
  throw new DataLossError("the archive ends in the middle of an entry");
};

function parseHeader(block: Buffer) {
  let sum = 8 * 32;
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += block[i]!;
  if (octal(block, 148, 8) !== sum) throw new DataLossError("the archive has an entry whose checksum is wrong");
  const ustar = block.toString("latin1", 257, 263) === "ustar\0";
  const prefix = ustar ? string(block, 345, 155) : "";
  const name = string(block, 0, 100);
  return {
    path: prefix ? `${prefix}/${name}` : name,
    mode: octal(block, 100, 8),
    uid: octal(block, 108, 8),
    gid: octal(block, 116, 8),
    size: octal(block, 124, 12),
    mtime: octal(block, 136, 12),
    flag: String.fromCharCode(block[156]!),
    link: string(block, 157, 100),
  };
}

function string(block: Buffer, offset: number, length: number): string {
  const end = block.indexOf(0, offset);
  return block.toString("utf8", offset, end < 0 || end > offset + length ? offset + length : end);
}

/** Octal text, or GNU's base 256 when the first bit is set. */
function octal(block: Buffer, offset: number, length: number): number {
  if (block[offset]! & 0x80) {
    let value = block[offset]! & 0x7f;
    for (let i = 1; i < length; i++) value = value * 256 + block[offset + i]!;
    return Number.isSafeInteger(value) ? value : 0;
  }
  return Number.parseInt(string(block, offset, length).trim() || "0", 8) || 0;
}

/** Records of `length key=value\n`. */
function parsePax(bytes: Buffer): Record<string, string> {
  const found: Record<string, string> = Object.create(null);
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(32, at);
    const length = Number(bytes.toString("latin1", at, space));
    if (space < 0 || !Number.isInteger(length) || length <= space - at || at + length > bytes.length) {
      if (bytes[at] === 0) break;
      throw new DataLossError("the archive has an extended header that is not valid");
    }
    const record = bytes.subarray(space + 1, at + length - 1);
    const equals = record.indexOf(61);
    found[record.toString("utf8", 0, equals)] = record.toString("utf8", equals + 1);
    at += length;
  }
  return found;
}

function createInput(source: AsyncIterable<Uint8Array>) {
  const pieces = source[Symbol.asyncIterator]();
  let current: Buffer = Buffer.alloc(0);
  const more = async (): Promise<boolean> => {
    const next = await pieces.next();
    if (next.done) return false;
    const piece = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength);
    current = current.length === 0 ? piece : Buffer.concat([current, piece]);
    return true;
  };
  return {
    /** Exactly `length` bytes; undefined when there are none at all. */
    async take(length: number): Promise<Buffer | undefined> {
      while (current.length < length) {
        if (!(await more())) return current.length === 0 ? undefined : broken();
      }
      const taken = current.subarray(0, length);
      current = current.subarray(length);
      return taken;
    },
    /** At least one byte, at most `most`. */
    async some(most: number): Promise<Buffer> {
      while (current.length === 0) if (!(await more())) return broken();
      const taken = current.subarray(0, Math.min(most, current.length));
      current = current.subarray(taken.length);
      return taken;
    },
    /** To the end, so that digests are of the whole. */
    async drain(): Promise<void> {
      current = Buffer.alloc(0);
      while (await more()) current = Buffer.alloc(0);
    },
  };
}
