import { PassThrough, Readable, Transform, type TransformCallback } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { DataLossError } from "@tiphys/errors";
import { Decompress } from "fzstd";

const isGzip = (head: Uint8Array): boolean => head[0] === 0x1f && head[1] === 0x8b;
/** A frame, or one of the skippable frames that may come before it. */
const isZstd = (head: Uint8Array): boolean =>
  (head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd) ||
  (head[0]! >= 0x50 && head[0]! <= 0x5f && head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18);

/** The plain bytes of a layer: gzip and zstd by what they begin with, as media types are often wrong. */
export function decompressed(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const output = new PassThrough();
  void (async () => {
    const pieces = source[Symbol.asyncIterator]();
    let head = Buffer.alloc(0);
    while (head.length < 4) {
      const next = await pieces.next();
      if (next.done) break;
      head = Buffer.concat([head, next.value]);
    }
    const whole = Readable.from(
      (async function* () {
        yield head;
        for (;;) {
          const next = await pieces.next();
          if (next.done) return;
          yield next.value;
        }
      })(),
      { objectMode: false },
    );
    if (isGzip(head)) await pipeline(whole, createGunzip(), output);
    else if (isZstd(head)) await pipeline(whole, unzstd(), output);
    else await pipeline(whole, output);
  })().catch((error: NodeJS.ErrnoException) => {
    const damaged = typeof error.code === "string" && error.code.startsWith("Z_");
    output.destroy(damaged ? new DataLossError(`the layer is damaged: ${error.message}`, { cause: error }) : error);
  });
  return output;
}

function unzstd(): Transform {
  let stream: Decompress | undefined;
  const transform: Transform = new Transform({
    transform(chunk: Uint8Array, _encoding, done: TransformCallback) {
      try {
        stream ??= new Decompress((data) => void transform.push(data));
        stream.push(chunk);
        done();
      } catch (error) {
        done(new DataLossError("the layer is damaged: its zstd frames are not valid", { cause: error }));
      }
    },
    flush(done) {
      try {
        stream?.push(new Uint8Array(0), true);
        done();
      } catch (error) {
        done(new DataLossError("the layer is damaged: its zstd frames end too early", { cause: error }));
      }
    },
  });
  return transform;
}
