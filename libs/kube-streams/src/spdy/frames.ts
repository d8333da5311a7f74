import { InvalidArgumentError } from "@tiphys/errors";

/** Control frames of SPDY/3.1 that are ever sent here; header blocks are still compressed. */
export type ControlFrame =
  | { readonly type: "syn-stream"; readonly id: number; readonly fin: boolean; readonly block: Buffer }
  | { readonly type: "syn-reply"; readonly id: number; readonly fin: boolean; readonly block: Buffer }
  | { readonly type: "headers"; readonly id: number; readonly fin: boolean; readonly block: Buffer }
  | { readonly type: "rst-stream"; readonly id: number; readonly status: number }
  | { readonly type: "ping"; readonly id: number }
  | { readonly type: "goaway"; readonly lastId: number; readonly status: number }
  | { readonly type: "window-update"; readonly id: number; readonly delta: number }
  | { readonly type: "other"; readonly code: number };

/** Part of a data frame as it arrives; `fin` is true on the last part of a frame that ends its stream. */
export interface DataPart {
  readonly type: "data";
  readonly id: number;
  readonly fin: boolean;
  readonly bytes: Buffer;
}

export const RESET = { protocolError: 1, invalidStream: 2, refused: 3, cancel: 5, internal: 6 } as const;

const VERSION = 3;
const FIN = 1;
const CODES = {
  "syn-stream": 1,
  "syn-reply": 2,
  "rst-stream": 3,
  ping: 6,
  goaway: 7,
  headers: 8,
  "window-update": 9,
} as const;
const HEADER_BYTES = 8;
/** A control frame is a header block of a few names at most. */
const MAX_CONTROL_BYTES = 64 * 1024;
const ID = 0x7fffffff;

/** What is on the wire is not SPDY/3.1; the connection cannot go on. */
export class SpdyProtocolError extends InvalidArgumentError {
  constructor(problem: string) {
    super("SPDY connection", problem);
  }
}

export function encodeControl(frame: Exclude<ControlFrame, { type: "other" }>): Buffer {
  const body = bodyOf(frame);
  const head = Buffer.alloc(HEADER_BYTES);
  head.writeUInt16BE(0x8000 | VERSION, 0);
  head.writeUInt16BE(CODES[frame.type], 2);
  head.writeUInt32BE(body.length, 4);
  if ("fin" in frame && frame.fin) head[4] = FIN;
  return Buffer.concat([head, body]);
}

function bodyOf(frame: Exclude<ControlFrame, { type: "other" }>): Buffer {
  const numbers = (...values: number[]): Buffer => {
    const body = Buffer.alloc(values.length * 4);
    for (const [i, value] of values.entries()) body.writeUInt32BE(value >>> 0, i * 4);
    return body;
  };
  switch (frame.type) {
    case "syn-stream":
      // No associated stream, highest priority.
      return Buffer.concat([numbers(frame.id, 0), Buffer.alloc(2), frame.block]);
    case "syn-reply":
    case "headers":
      return Buffer.concat([numbers(frame.id), frame.block]);
    case "rst-stream":
      return numbers(frame.id, frame.status);
    case "ping":
      return numbers(frame.id);
    case "goaway":
      return numbers(frame.lastId, frame.status);
    case "window-update":
      return numbers(frame.id, frame.delta);
  }
}

/** The eight bytes before `length` bytes of data. */
export function dataHead(id: number, length: number, fin: boolean): Buffer {
  const head = Buffer.alloc(HEADER_BYTES);
  head.writeUInt32BE(id & ID, 0);
  head.writeUInt32BE(length, 4);
  if (fin) head[4] = FIN;
  return head;
}

/** Cuts what arrives into frames. Data frames are passed on in parts: a peer may make them as long as 16 MiB. */
export class FrameReader {
  private pending: Buffer = Buffer.alloc(0);
  private data: { id: number; left: number; fin: boolean } | undefined;

  *push(chunk: Buffer): Generator<ControlFrame | DataPart> {
    let rest = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk]);
    this.pending = Buffer.alloc(0);
    while (rest.length > 0) {
      if (this.data) {
        const { id, left, fin } = this.data;
        const bytes = rest.subarray(0, left);
        rest = rest.subarray(bytes.length);
        this.data = bytes.length === left ? undefined : { id, left: left - bytes.length, fin };
        yield { type: "data", id, bytes, fin: fin && this.data === undefined };
        continue;
      }
      if (rest.length < HEADER_BYTES) break;
      const flags = rest[4]!;
      const length = rest.readUInt32BE(4) & 0xffffff;
      if ((rest[0]! & 0x80) === 0) {
        const id = rest.readUInt32BE(0) & ID;
        const fin = (flags & FIN) !== 0;
        rest = rest.subarray(HEADER_BYTES);
        if (length === 0) yield { type: "data", id, bytes: Buffer.alloc(0), fin };
        else this.data = { id, left: length, fin };
        continue;
      }
      const version = rest.readUInt16BE(0) & 0x7fff;
      if (version !== VERSION) throw new SpdyProtocolError(`has a frame of version ${version}, not ${VERSION}`);
      if (length > MAX_CONTROL_BYTES) {
        throw new SpdyProtocolError(`has a control frame of ${length} bytes; ${MAX_CONTROL_BYTES} are allowed`);
      }
      if (rest.length < HEADER_BYTES + length) break;
      const code = rest.readUInt16BE(2);
      const body = rest.subarray(HEADER_BYTES, HEADER_BYTES + length);
      rest = rest.subarray(HEADER_BYTES + length);
      yield control(code, flags, body);
    }
    // A copy, so that a few bytes do not keep a large buffer.
    if (rest.length > 0) this.pending = Buffer.from(rest);
  }
}

function control(code: number, flags: number, body: Buffer): ControlFrame {
  const number = (at: number): number => {
    if (body.length < at + 4) throw new SpdyProtocolError(`has a control frame of type ${code} that is too short`);
    return body.readUInt32BE(at);
  };
  const fin = (flags & FIN) !== 0;
  switch (code) {
    case CODES["syn-stream"]: {
      if (body.length < 10) throw new SpdyProtocolError("has a SYN_STREAM frame that is too short");
      return { type: "syn-stream", id: number(0) & ID, fin, block: body.subarray(10) };
    }
    case CODES["syn-reply"]:
      return { type: "syn-reply", id: number(0) & ID, fin, block: body.subarray(4) };
    case CODES.headers:
      return { type: "headers", id: number(0) & ID, fin, block: body.subarray(4) };
    case CODES["rst-stream"]:
      return { type: "rst-stream", id: number(0) & ID, status: number(4) };
    case CODES.ping:
      return { type: "ping", id: number(0) };
    case CODES.goaway:
      return { type: "goaway", lastId: number(0) & ID, status: body.length >= 8 ? number(4) : 0 };
    case CODES["window-update"]:
      return { type: "window-update", id: number(0) & ID, delta: number(4) & ID };
    default:
      return { type: "other", code };
  }
}
