import type { FileHandle } from "node:fs/promises";
import { FILE_HEADER_BYTES, FRAME_HEADER_BYTES, type FrameRead, readFrame } from "./frames.js";

/** Bytes read at a time. A frame longer than that is read as a whole. */
const WINDOW_BYTES = 4 << 20;

/** Why reading ended, and the offset of the first byte that was not handed over. */
export interface FramesEnd {
  readonly kind: Exclude<FrameRead["kind"], "frame">;
  readonly at: number;
  /** Bytes of the file. */
  readonly size: number;
}

/**
 * Hands over the payloads of a file's frames one by one, without holding the file in memory; `at` is the frame's offset.
 * What `size` says is read, though the file may grow meanwhile. A payload is valid until the next one.
 */
export async function readFrames(
  file: FileHandle,
  size: number,
  onFrame: (payload: Buffer, at: number) => void,
): Promise<FramesEnd> {
  let window: Buffer = Buffer.alloc(0);
  /** Offset in the file of the window's first byte. */
  let start = FILE_HEADER_BYTES;
  let at = FILE_HEADER_BYTES;
  const fill = async (bytes: number): Promise<void> => {
    if (at + bytes <= start + window.length) return;
    const length = Math.min(size - at, Math.max(bytes, WINDOW_BYTES));
    const next = Buffer.allocUnsafe(length);
    for (let done = 0; done < length; ) {
      const { bytesRead } = await file.read(next, done, length - done, at + done);
      if (bytesRead === 0) throw new RangeError("the file became shorter while it was read");
      done += bytesRead;
    }
    window = next;
    start = at;
  };
  while (at < size) {
    await fill(Math.min(FRAME_HEADER_BYTES, size - at));
    let read = readFrame(window, at - start);
    if (read.kind !== "frame") {
      // Perhaps just beyond the window; else the bytes up to the end of the file decide what it is.
      const wanted = size - at >= FRAME_HEADER_BYTES ? FRAME_HEADER_BYTES + window.readUInt32LE(at - start + 4) : 0;
      await fill(wanted > 0 && wanted <= size - at ? wanted : size - at);
      read = readFrame(window, at - start);
      if (read.kind !== "frame") {
        await fill(size - at);
        read = readFrame(window, at - start);
      }
    }
    if (read.kind !== "frame") return { kind: read.kind, at, size };
    onFrame(read.payload, at);
    at = start + read.next;
  }
  return { kind: "end", at, size };
}
