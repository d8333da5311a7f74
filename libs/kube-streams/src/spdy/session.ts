import { Duplex } from "node:stream";
import { UnavailableError } from "@tiphys/errors";
import { type ControlFrame, type DataPart, dataHead, encodeControl, FrameReader, RESET } from "./frames.js";
import { BlockReader, BlockWriter, type Headers } from "./header-blocks.js";

export interface SpdySessionOptions {
  readonly role: "client" | "server";
  /** A stream that the peer has opened. It is answered already. */
  readonly onStream?: (stream: SpdyStream) => void;
  /** Open streams at a time that the peer may have. */
  readonly maxStreams?: number;
}

/** Bytes of one stream that wait for their reader before the connection is no longer read. */
const STREAM_BUFFER_BYTES = 256 * 1024;
/** Longest data frame we make, so that streams take turns. */
const DATA_BYTES = 32 * 1024;
const MAX_STREAMS = 1000;

/** One stream of a session. Ending it closes our half; destroying it resets both. */
export class SpdyStream extends Duplex {
  private resumeReading: (() => void) | undefined;
  private remoteOver = false;

  constructor(
    readonly id: number,
    readonly headers: Headers,
    private readonly session: SpdySession,
  ) {
    super({
      readableHighWaterMark: STREAM_BUFFER_BYTES,
      writableHighWaterMark: STREAM_BUFFER_BYTES,
      allowHalfOpen: true,
    });
    // A reset stream is an ordinary event for those who read it; nobody must crash over one that is not read.
    this.on("error", () => {});
  }

  header(name: string): string {
    return this.headers[name.toLowerCase()]?.[0] ?? "";
  }

  /** @internal Bytes from the peer; resolves when there is room for more. */
  receive(bytes: Buffer, fin: boolean): Promise<void> | undefined {
    if (this.destroyed || this.remoteOver) return undefined;
    const room = bytes.length === 0 || this.push(bytes);
    if (fin) {
      this.remoteOver = true;
      this.push(null);
    }
    if (room || fin) return undefined;
    return new Promise((resolve) => {
      this.resumeReading = resolve;
    });
  }

  override _read(): void {
    this.letRead();
  }

  private letRead(): void {
    const resume = this.resumeReading;
    this.resumeReading = undefined;
    resume?.();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.session.sendData(this.id, chunk, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.session.sendEnd(this.id, done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.letRead();
    this.session.dropped(this, this.remoteOver && this.writableFinished);
    done(error);
  }
}

/**
 * A SPDY/3.1 connection over `transport`, as Kubernetes uses it. Peers of this protocol keep no stream windows, so there
 * are none here: back-pressure is that of the connection, which is not read while a stream's buffer is full.
 */
export class SpdySession {
  readonly closed: Promise<void>;
  private readonly streams = new Map<number, SpdyStream>();
  private readonly replies = new Map<number, { resolve(): void; reject(error: Error): void }>();
  private readonly pings = new Map<number, () => void>();
  private readonly writer = new BlockWriter();
  private readonly reader = new BlockReader();
  private nextId: number;
  private nextPing: number;
  private lastRemote = 0;
  private over = false;
  private leaving = false;

  constructor(
    private readonly transport: Duplex,
    private readonly options: SpdySessionOptions,
  ) {
    this.nextId = options.role === "client" ? 1 : 2;
    this.nextPing = this.nextId;
    this.closed = new Promise((resolve) => {
      const end = () => {
        this.end();
        resolve();
      };
      transport.once("close", end);
      transport.on("error", end);
    });
    void this.run();
  }

  /** Opens a stream; resolves when the peer has answered it. */
  async open(headers: Headers): Promise<SpdyStream> {
    if (this.over || this.leaving) throw new UnavailableError("the SPDY connection is closed");
    const id = this.nextId;
    this.nextId += 2;
    const stream = new SpdyStream(id, headers, this);
    this.streams.set(id, stream);
    const replied = new Promise<void>((resolve, reject) => this.replies.set(id, { resolve, reject }));
    this.send({ type: "syn-stream", id, fin: false, block: this.writer.encode(headers) });
    await replied;
    return stream;
  }

  /** Resolves when the peer answers. */
  ping(): Promise<void> {
    const id = this.nextPing;
    this.nextPing += 2;
    return new Promise((resolve) => {
      this.pings.set(id, resolve);
      this.send({ type: "ping", id });
    });
  }

  /** Says goodbye and closes once everything written is out. */
  close(): void {
    if (this.over || this.leaving) return;
    this.leaving = true;
    this.send({ type: "goaway", lastId: this.lastRemote, status: 0 });
    this.transport.end();
    // What the peer still sends is of no interest, but must be read for its end to be seen.
    this.transport.resume();
  }

  private send(frame: Exclude<ControlFrame, { type: "other" }>): void {
    if (!this.over && this.transport.writable) this.transport.write(encodeControl(frame));
  }

  /** @internal */
  sendData(id: number, chunk: Buffer, done: (error?: Error | null) => void): void {
    if (this.over || !this.transport.writable) return void done(new UnavailableError("the SPDY connection is closed"));
    this.transport.cork();
    for (let at = 0; at < chunk.length; at += DATA_BYTES) {
      const piece = chunk.subarray(at, at + DATA_BYTES);
      const last = at + DATA_BYTES >= chunk.length;
      this.transport.write(dataHead(id, piece.length, false));
      this.transport.write(piece, last ? done : undefined);
    }
    this.transport.uncork();
    if (chunk.length === 0) done();
  }

  /** @internal */
  sendEnd(id: number, done: (error?: Error | null) => void): void {
    if (this.over || !this.transport.writable) return void done();
    this.transport.write(dataHead(id, 0, true), (error) => done(error ?? undefined));
  }

  /** @internal A stream is over; unless both sides have ended it, the peer is told. */
  dropped(stream: SpdyStream, clean: boolean): void {
    if (this.streams.get(stream.id) !== stream) return;
    this.streams.delete(stream.id);
    if (!clean) this.send({ type: "rst-stream", id: stream.id, status: RESET.cancel });
  }

  private end(): void {
    if (this.over) return;
    this.over = true;
    this.reader.close();
    const error = new UnavailableError("the SPDY connection is closed");
    for (const { reject } of this.replies.values()) reject(error);
    this.replies.clear();
    for (const stream of [...this.streams.values()]) stream.destroy(error);
    this.streams.clear();
  }

  private async run(): Promise<void> {
    const frames = new FrameReader();
    try {
      // Not ended by the end of reading: what we still write goes out.
      for await (const chunk of this.transport.iterator({ destroyOnReturn: false })) {
        for (const frame of frames.push(chunk as Buffer)) {
          const wait = this.take(frame);
          if (wait) await wait;
          if (this.over) return;
        }
      }
      this.transport.end();
    } catch {
      if (!this.over) this.send({ type: "goaway", lastId: this.lastRemote, status: 1 });
      this.transport.destroy();
    } finally {
      this.end();
    }
  }

  private take(frame: ControlFrame | DataPart): Promise<void> | undefined {
    switch (frame.type) {
      case "data": {
        const stream = this.streams.get(frame.id);
        return stream?.receive(frame.bytes, frame.fin);
      }
      case "syn-stream":
        return this.accept(frame.id, frame.fin, frame.block);
      case "syn-reply":
      case "headers":
        return this.replied(frame.id, frame.fin, frame.block, frame.type === "syn-reply");
      case "rst-stream": {
        const error = new UnavailableError(`the peer has reset the stream (status ${frame.status})`);
        this.replies.get(frame.id)?.reject(error);
        this.replies.delete(frame.id);
        const stream = this.streams.get(frame.id);
        this.streams.delete(frame.id);
        stream?.destroy(error);
        return undefined;
      }
      case "ping": {
        const ours = frame.id % 2 === (this.options.role === "client" ? 1 : 0);
        if (!ours) this.send({ type: "ping", id: frame.id });
        this.pings.get(frame.id)?.();
        this.pings.delete(frame.id);
        return undefined;
      }
      case "goaway":
        // The peer opens nothing more; streams that are open go on.
        this.leaving = true;
        return undefined;
      case "window-update":
      case "other":
        return undefined;
    }
  }

  private async accept(id: number, fin: boolean, block: Buffer): Promise<void> {
    const headers = await this.reader.decode(block);
    if (this.over) return;
    const theirs = id % 2 === (this.options.role === "client" ? 0 : 1);
    const { onStream, maxStreams = MAX_STREAMS } = this.options;
    if (!theirs || id <= this.lastRemote || !onStream || this.streams.size >= maxStreams) {
      this.send({
        type: "rst-stream",
        id,
        status: theirs && id > this.lastRemote ? RESET.refused : RESET.protocolError,
      });
      return;
    }
    this.lastRemote = id;
    const stream = new SpdyStream(id, headers, this);
    this.streams.set(id, stream);
    this.send({ type: "syn-reply", id, fin: false, block: this.writer.encode({}) });
    if (fin) void stream.receive(Buffer.alloc(0), true);
    onStream(stream);
  }

  private async replied(id: number, fin: boolean, block: Buffer, reply: boolean): Promise<void> {
    await this.reader.decode(block);
    if (reply) {
      this.replies.get(id)?.resolve();
      this.replies.delete(id);
    }
    if (fin) void this.streams.get(id)?.receive(Buffer.alloc(0), true);
  }
}
