/** Length-prefixed JSON: 4 bytes big-endian, then that many bytes. The reader refuses a frame before it holds it. */
export function encodeFrame(value: unknown): Buffer {
  const body = Buffer.from(JSON.stringify(value) ?? "null", "utf8");
  const frame = Buffer.allocUnsafe(4 + body.length);
  frame.writeUInt32BE(body.length, 0);
  body.copy(frame, 4);
  return frame;
}

/** Feeds chunks in, calls `onFrame` for every whole message, `onTooLarge` once with the announced size of one too large. */
export function frameReader(
  maxBytes: number,
  onFrame: (value: unknown) => void,
  onTooLarge: (size: number) => void,
): (chunk: Buffer) => void {
  let chunks: Buffer[] = [];
  let held = 0;
  let want = -1;
  let refused = false;
  const take = (size: number): Buffer => {
    const all = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, held);
    chunks = all.length > size ? [all.subarray(size)] : [];
    held -= size;
    return all.subarray(0, size);
  };
  return (chunk) => {
    if (refused) return;
    chunks.push(chunk);
    held += chunk.length;
    for (;;) {
      if (want < 0) {
        if (held < 4) return;
        want = take(4).readUInt32BE(0);
        if (want > maxBytes) {
          refused = true;
          chunks = [];
          return onTooLarge(want);
        }
      }
      if (held < want) return;
      const size = want;
      want = -1;
      onFrame(JSON.parse(take(size).toString("utf8")));
    }
  };
}
