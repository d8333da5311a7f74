import { Duplex } from "node:stream";
import { constants, createDeflate } from "node:zlib";
import { headerDictionary } from "./dictionary.js";
import { encodeControl, FrameReader } from "./frames.js";
import { BlockReader, BlockWriter } from "./header-blocks.js";
import { SpdySession, type SpdyStream } from "./session.js";

/** Two ends of a connection in this process. */
function pair(): [Duplex, Duplex] {
  const ends: Duplex[] = [];
  const end = (other: () => Duplex) =>
    new Duplex({
      read() {
        const wake = wakes.get(this);
        wakes.delete(this);
        wake?.();
      },
      write(chunk, _encoding, done) {
        if (other().destroyed) return void done(new Error("the other end is gone"));
        if (other().push(chunk)) done();
        else wakes.set(other(), done);
      },
      final(done) {
        other().push(null);
        done();
      },
      destroy(error, done) {
        if (!other().destroyed) other().destroy();
        done(error);
      },
    });
  const wakes = new Map<Duplex, () => void>();
  ends.push(
    end(() => ends[1]!),
    end(() => ends[0]!),
  );
  return [ends[0]!, ends[1]!];
}

function text(stream: Duplex): Promise<string> {
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve, reject) => {
    stream.once("end", () => resolve(Buffer.concat(chunks).toString()));
    stream.once("error", reject);
  });
}

describe("header blocks", () => {
  it("reads what it writes, block after block", async () => {
    const writer = new BlockWriter();
    const reader = new BlockReader();
    const blocks: Record<string, string[]>[] = [{ streamtype: ["error"] }, { port: ["80"], requestid: ["0"] }, {}];
    for (const headers of blocks) {
      expect({ ...(await reader.decode(writer.encode(headers))) }).toEqual(headers);
    }
    reader.close();
  });

  it("reads blocks that were compressed with the dictionary of the protocol", async () => {
    const deflate = createDeflate({ dictionary: headerDictionary });
    const reader = new BlockReader();
    for (const value of ["stdin", "stdout", "stdout"]) {
      const plain = Buffer.concat([
        Buffer.from([0, 0, 0, 1, 0, 0, 0, 10]),
        Buffer.from("streamType"),
        Buffer.from([0, 0, 0, value.length]),
        Buffer.from(value),
      ]);
      deflate.write(plain);
      await new Promise<void>((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, resolve));
      expect({ ...(await reader.decode(deflate.read())) }).toEqual({ streamtype: [value] });
    }
    reader.close();
  });

  it("refuses a block that grows without end", async () => {
    const deflate = createDeflate({ dictionary: headerDictionary });
    deflate.write(Buffer.alloc(1024 * 1024));
    await new Promise<void>((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, resolve));
    await expect(new BlockReader().decode(deflate.read())).rejects.toThrow("beyond 262144 bytes");
  });
});

describe("frames", () => {
  const reset = encodeControl({ type: "rst-stream", id: 3, status: 5 });

  it("come out whole however they are cut", () => {
    const reader = new FrameReader();
    const got = [...reset].flatMap((byte) => [...reader.push(Buffer.from([byte]))]);
    expect(got).toEqual([{ type: "rst-stream", id: 3, status: 5 }]);
  });

  it.each([
    { name: "another version", bytes: [0x80, 2, 0, 6, 0, 0, 0, 4], why: "version 2" },
    { name: "a control frame that is too long", bytes: [0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff], why: "16777215 bytes" },
    { name: "a control frame that is too short", bytes: [0x80, 3, 0, 6, 0, 0, 0, 1, 0], why: "too short" },
  ])("refuse $name", ({ bytes, why }) => {
    expect(() => [...new FrameReader().push(Buffer.from(bytes))]).toThrow(why);
  });
});

describe("a SPDY session", () => {
  function session(onStream: (stream: SpdyStream) => void, maxStreams?: number) {
    const [left, right] = pair();
    const server = new SpdySession(right, { role: "server", onStream, ...(maxStreams ? { maxStreams } : {}) });
    const client = new SpdySession(left, { role: "client" });
    return { client, server, transport: left };
  }

  it("carries streams both ways, each half ending on its own", async () => {
    const { client } = session((stream) => {
      void text(stream).then((got) => stream.end(`${stream.header("streamType")}: ${got}`));
    });
    const streams = await Promise.all(["a", "b", "c"].map((type) => client.open({ streamtype: [type] })));
    for (const [i, stream] of streams.entries()) stream.end(`text ${i}`);
    expect(await Promise.all(streams.map(text))).toEqual(["a: text 0", "b: text 1", "c: text 2"]);
    client.close();
    await client.closed;
  });

  it("waits for a reader that is slow, and loses nothing", async () => {
    let got: SpdyStream | undefined;
    const { client } = session((stream) => {
      got = stream;
    });
    const stream = await client.open({ streamtype: ["data"] });
    const piece = Buffer.alloc(64 * 1024, "x");
    let written = 0;
    for (let i = 0; i < 200; i++) {
      if (
        !stream.write(piece, () => {
          written += piece.length;
        })
      )
        break;
    }
    stream.end();
    await new Promise((resolve) => setImmediate(resolve));
    expect(got!.readableLength).toBeLessThan(1024 * 1024);
    expect((await text(got!)).length).toBe(written);
  });

  it("answers pings, refuses streams beyond its limit and ends streams with the connection", async () => {
    const { client, transport } = session(() => {}, 1);
    await client.ping();
    const stream = await client.open({ streamtype: ["one"] });
    await expect(client.open({ streamtype: ["two"] })).rejects.toThrow("reset the stream (status 3)");
    const failed = new Promise<Error>((resolve) => stream.once("error", resolve));
    transport.destroy();
    expect((await failed).message).toBe("the SPDY connection is closed");
    await client.closed;
  });

  it("closes a connection that does not speak SPDY", async () => {
    const [left, right] = pair();
    const server = new SpdySession(right, { role: "server", onStream: () => {} });
    left.resume();
    left.write("GET / HTTP/1.1\r\n\r\n".padEnd(40));
    left.write(Buffer.from([0x80, 2, 0, 1, 0, 0, 0, 0]));
    left.end();
    await server.closed;
  });
});

describe("a SPDY session and a peer that sends anything", () => {
  const start = Buffer.concat([
    encodeControl({ type: "syn-stream", id: 1, fin: false, block: new BlockWriter().encode({ streamtype: ["data"] }) }),
    encodeControl({ type: "ping", id: 1 }),
    Buffer.from([0, 0, 0, 1, 0, 0, 0, 4, 116, 101, 120, 116]),
    encodeControl({ type: "window-update", id: 1, delta: 5 }),
    encodeControl({ type: "goaway", lastId: 0, status: 0 }),
  ]);

  it.each([1, 2, 3, 4, 5, 6, 7, 8])("always ends, and never throws (seed %i)", async (seed) => {
    let state = seed * 2654435761;
    const random = (below: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state % below;
    };
    for (let round = 0; round < 20; round++) {
      const bytes = Buffer.concat([start, start]);
      for (let i = 0; i < 1 + random(6); i++) bytes[random(bytes.length)] = random(256);
      const [left, right] = pair();
      const server = new SpdySession(right, {
        role: "server",
        maxStreams: 3,
        onStream: (stream) => void stream.resume(),
      });
      left.resume();
      left.on("error", () => {});
      for (let at = 0; at < bytes.length; ) {
        const size = 1 + random(40);
        if (!left.destroyed) left.write(bytes.subarray(at, at + size));
        at += size;
      }
      if (!left.destroyed) left.end();
      // A frame that promises more than comes waits for the end of the connection.
      await new Promise((resolve) => setImmediate(resolve));
      left.destroy();
      await server.closed;
    }
  });
});
