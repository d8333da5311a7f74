import { crc32 } from "node:zlib";

/** Bytes every file of the store begins with: a name and the version of the format. */
const MAGIC = Buffer.from("TIPHYSKV");
/** The same of a snapshot that has left its cluster. */
export const SNAPSHOT_MAGIC = Buffer.from("TIPHYSSN");
export const FORMAT_VERSION = 1;
export const FILE_HEADER_BYTES = 16;
/** Frame header: marker, payload length, checksum of the payload, checksum of these twelve bytes. */
const FRAME_MARK = 0x5aa5c33c;
export const FRAME_HEADER_BYTES = 16;
const SECTOR = 512;

export function fileHeader(magic = MAGIC): Buffer {
  const header = Buffer.alloc(FILE_HEADER_BYTES);
  magic.copy(header);
  header.writeUInt32LE(FORMAT_VERSION, 8);
  header.writeUInt32LE(crc32(header.subarray(0, 12)), 12);
  return header;
}

export type HeaderCheck = "ok" | "torn" | "foreign" | "newer" | "damaged";

export function checkFileHeader(bytes: Buffer, magic = MAGIC): HeaderCheck {
  if (bytes.length < FILE_HEADER_BYTES) {
    return fileHeader(magic).subarray(0, bytes.length).equals(bytes) ? "torn" : "foreign";
  }
  if (!bytes.subarray(0, 8).equals(magic)) return "foreign";
  if (bytes.readUInt32LE(12) !== crc32(bytes.subarray(0, 12))) return "damaged";
  return bytes.readUInt32LE(8) > FORMAT_VERSION ? "newer" : "ok";
}

/** One unit of durability: it is on disk as a whole or not at all. */
export function frame(payload: readonly Buffer[]): Buffer[] {
  let length = 0;
  let sum = 0;
  for (const part of payload) {
    length += part.length;
    sum = crc32(part, sum);
  }
  const header = Buffer.allocUnsafe(FRAME_HEADER_BYTES);
  header.writeUInt32LE(FRAME_MARK, 0);
  header.writeUInt32LE(length, 4);
  header.writeUInt32LE(sum, 8);
  header.writeUInt32LE(crc32(header.subarray(0, 12)), 12);
  return [header, ...payload];
}

export type FrameRead =
  | { readonly kind: "frame"; readonly payload: Buffer; readonly next: number }
  | { readonly kind: "end" }
  /** The bytes from here to the end are what an interrupted write leaves. */
  | { readonly kind: "torn" }
  | { readonly kind: "damaged" };

/** Reads the frame at `at`. A torn end is told from damage: whatever has a valid frame after it was acknowledged. */
export function readFrame(bytes: Buffer, at: number): FrameRead {
  if (at === bytes.length) return { kind: "end" };
  if (bytes.length - at < FRAME_HEADER_BYTES) {
    const mark = Buffer.alloc(4);
    mark.writeUInt32LE(FRAME_MARK);
    const start = bytes.subarray(at, Math.min(bytes.length, at + 4));
    return mark.subarray(0, start.length).equals(start) || isZero(bytes, at) ? { kind: "torn" } : { kind: "damaged" };
  }
  const header = bytes.subarray(at, at + FRAME_HEADER_BYTES);
  if (header.readUInt32LE(0) !== FRAME_MARK || header.readUInt32LE(12) !== crc32(header.subarray(0, 12))) {
    return isZero(bytes, at) ? { kind: "torn" } : { kind: "damaged" };
  }
  const start = at + FRAME_HEADER_BYTES;
  const next = start + header.readUInt32LE(4);
  if (next > bytes.length) return { kind: "torn" };
  const payload = bytes.subarray(start, next);
  if (crc32(payload) === header.readUInt32LE(8)) return { kind: "frame", payload, next };
  // After a power cut a file may be long enough and yet lack sectors; those read as zeros, a flipped bit does not.
  return next === bytes.length && hasZeroSector(bytes, start) ? { kind: "torn" } : { kind: "damaged" };
}

function isZero(bytes: Buffer, from: number): boolean {
  for (let i = from; i < bytes.length; i++) if (bytes[i] !== 0) return false;
  return true;
}

function hasZeroSector(bytes: Buffer, from: number): boolean {
  for (let at = Math.floor(from / SECTOR) * SECTOR; at < bytes.length; at += SECTOR) {
    const part = bytes.subarray(Math.max(at, from), at + SECTOR);
    if (part.length >= 16 && part.every((byte) => byte === 0)) return true;
  }
  return false;
}
