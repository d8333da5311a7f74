import { constants, createInflate, type Inflate } from "node:zlib";
import { headerDictionary } from "./dictionary.js";
import { SpdyProtocolError } from "./frames.js";

/** Header names are lower case; several values of a name stand in order. */
export type Headers = Readonly<Record<string, readonly string[]>>;

const MAX_PAIRS = 100;
const MAX_BLOCK_BYTES = 256 * 1024;
const STORED_BYTES = 0xffff;
const FLUSH = Buffer.from([0, 0, 0, 0xff, 0xff]);

/**
 * Header blocks of one direction. They are sent as stored deflate blocks: valid for every inflater, written in order and
 * at once, and a few dozen bytes of headers gain nothing from compression.
 */
export class BlockWriter {
  private begun = false;

  encode(headers: Headers): Buffer {
    const parts: Buffer[] = [];
    if (!this.begun) parts.push(Buffer.from([0x78, 0x01]));
    this.begun = true;
    const plain = plainBlock(headers);
    for (let at = 0; at < plain.length; at += STORED_BYTES) {
      const piece = plain.subarray(at, at + STORED_BYTES);
      const head = Buffer.alloc(5);
      head.writeUInt16LE(piece.length, 1);
      head.writeUInt16LE(~piece.length & 0xffff, 3);
      parts.push(head, piece);
    }
    // The mark of a flush: some inflaters give nothing out before it.
    parts.push(FLUSH);
    return Buffer.concat(parts);
  }
}

function plainBlock(headers: Headers): Buffer {
  const entries = Object.entries(headers);
  const parts: Buffer[] = [count(entries.length)];
  for (const [name, values] of entries) {
    for (const text of [name.toLowerCase(), values.join("\0")]) {
      const bytes = Buffer.from(text, "utf8");
      parts.push(count(bytes.length), bytes);
    }
  }
  return Buffer.concat(parts);
}

function count(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Reads the header blocks of one direction, which share a compressor: each block must be given, in order. */
export class BlockReader {
  private readonly inflate: Inflate;
  private output: Buffer[] = [];
  private size = 0;
  private problem: Error | undefined;

  constructor() {
    this.inflate = createInflate({ dictionary: headerDictionary, flush: constants.Z_SYNC_FLUSH });
    // What comes out is taken where it is made, not as events: those may follow the write's callback.
    this.inflate.push = (part: Buffer | null): boolean => {
      if (part === null) return false;
      this.size += part.length;
      if (this.size <= MAX_BLOCK_BYTES) this.output.push(part);
      else {
        this.problem ??= new SpdyProtocolError(`has a header block beyond ${MAX_BLOCK_BYTES} bytes`);
        this.inflate.destroy();
      }
      return true;
    };
    this.inflate.on("error", (error) => {
      this.problem ??= new SpdyProtocolError(`has a header block that cannot be read: ${error.message}`);
    });
  }

  async decode(block: Buffer): Promise<Headers> {
    this.output = [];
    this.size = 0;
    await new Promise<void>((resolve) => {
      const done = () => {
        this.inflate.off("close", done);
        resolve();
      };
      this.inflate.once("close", done);
      this.inflate.write(block, done);
    });
    if (this.problem) throw this.problem;
    return parse(Buffer.concat(this.output));
  }

  close(): void {
    this.inflate.destroy();
  }
}

function parse(block: Buffer): Headers {
  let at = 0;
  const number = (): number => {
    if (at + 4 > block.length) throw new SpdyProtocolError("has a header block that ends early");
    at += 4;
    return block.readUInt32BE(at - 4);
  };
  const text = (): string => {
    const length = number();
    if (at + length > block.length) throw new SpdyProtocolError("has a header block that ends early");
    at += length;
    return block.toString("utf8", at - length, at);
  };
  const pairs = number();
  if (pairs > MAX_PAIRS) throw new SpdyProtocolError(`has ${pairs} headers in a block; ${MAX_PAIRS} are allowed`);
  const headers: Record<string, readonly string[]> = Object.create(null);
  for (let i = 0; i < pairs; i++) {
    const name = text().toLowerCase();
    headers[name] = text().split("\0");
  }
  return headers;
}
