import { InvalidArgumentError } from "@tiphys/errors";
import type { TarHeader, TarType } from "./tar-reader.js";

const BLOCK = 512;
const FLAGS: Readonly<Record<TarType, string>> = {
  file: "0",
  link: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};
const LARGEST_OCTAL = 0o77777777777;

/** The header block of an entry, with a pax header before it where ustar is too narrow. Nothing of it depends on the machine. */
export function tarHeader(header: TarHeader): Buffer {
  const path = header.type === "directory" && !header.path.endsWith("/") ? `${header.path}/` : header.path;
  if (path.includes("\0") || header.link?.includes("\0")) throw new InvalidArgumentError("path", "has a zero byte");
  const pax: Record<string, string> = {};
  const name = split(path);
  if (!name) pax["path"] = path;
  if (header.link !== undefined && !fits(header.link, 100)) pax["linkpath"] = header.link;
  if (header.size > LARGEST_OCTAL) pax["size"] = String(header.size);
  for (const [key, value] of Object.entries(header.xattrs ?? {})) pax[`SCHILY.xattr.${key}`] = value;
  const main = block({
    ...header,
    name:
      name?.name ??
      Buffer.from(path)
        .subarray(0, 99)
        .toString("latin1")
        .replace(/[^\x20-\x7e]/g, "_"),
    prefix: name?.prefix ?? "",
    link: pax["linkpath"] === undefined ? (header.link ?? "") : "",
    flag: FLAGS[header.type],
    size: Math.min(header.size, LARGEST_OCTAL),
  });
  if (Object.keys(pax).length === 0) return main;
  const records = Buffer.concat(
    Object.keys(pax)
      .sort()
      .map((key) => record(key, pax[key]!)),
  );
  const extra = block({
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: 0,
    name: "PaxHeaders/0",
    prefix: "",
    link: "",
    flag: "x",
    size: records.length,
  });
  return Buffer.concat([extra, records, tarPadding(records.length), main]);
}

/** What fills the last block of `size` bytes of content. */
export const tarPadding = (size: number): Buffer => Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);

/** The end of an archive. */
export const tarEnd = (): Buffer => Buffer.alloc(2 * BLOCK);

const fits = (text: string, bytes: number): boolean => /^[\x20-\x7e]*$/.test(text) && text.length <= bytes;

function split(path: string): { name: string; prefix: string } | undefined {
  if (fits(path, 100)) return { name: path, prefix: "" };
  if (!fits(path, 256)) return undefined;
  for (let at = path.lastIndexOf("/", 155); at > 0; at = path.lastIndexOf("/", at - 1)) {
    const name = path.slice(at + 1);
    if (name.length > 100) return undefined;
    if (name.length > 0) return { name, prefix: path.slice(0, at) };
  }
  return undefined;
}

function record(key: string, value: string): Buffer {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + String(rest).length;
  if (String(length).length !== String(rest).length) length = rest + String(length).length;
  return Buffer.from(`${length} ${key}=${value}\n`);
}

interface Fields {
  name: string;
  prefix: string;
  link: string;
  flag: string;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  mtime: number;
}

function block(fields: Fields): Buffer {
  const out = Buffer.alloc(BLOCK);
  const octal = (value: number, offset: number, length: number) =>
    out.write(
      `${Math.floor(value)
        .toString(8)
        .padStart(length - 1, "0")}\0`,
      offset,
      length,
      "latin1",
    );
  out.write(fields.name, 0, 100, "latin1");
  octal(fields.mode & 0o7777, 100, 8);
  octal(fields.uid, 108, 8);
  octal(fields.gid, 116, 8);
  octal(fields.size, 124, 12);
  octal(Math.max(0, fields.mtime), 136, 12);
  out.write("        ", 148, 8, "latin1");
  out.write(fields.flag, 156, 1, "latin1");
  out.write(fields.link, 157, 100, "latin1");
  out.write("ustar\u000000", 257, 8, "latin1");
  out.write(fields.prefix, 345, 155, "latin1");
  const sum = out.reduce((total, byte) => total + byte, 0);
  out.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, 8, "latin1");
  return out;
}
