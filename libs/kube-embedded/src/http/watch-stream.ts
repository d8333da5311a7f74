import { KubeApiError } from "@tiphys/kube";
import type { ApiRequest, HandlerParts } from "../api/handle.js";
import { handle } from "../api/handle.js";
import { type Exchange, statusOf } from "./exchange.js";
import { bookmarkLine, eventLine, type Shaping } from "./representations.js";

const BOOKMARK_MS = 60_000;
/** A watch without timeoutSeconds ends after half an hour and up to as much again, so that they do not all end at once. */
const SHORTEST_S = 1800;
/** Events of one write, so that a long list of first events is not one piece. */
const FRAMES_PER_WRITE = 64;

/** Sends a watch as lines of JSON until the client, the time or the server ends it. */
export async function streamWatch(
  parts: HandlerParts,
  exchange: Exchange,
  request: ApiRequest & { verb: "watch" },
  shaping: Shaping,
  options: { readonly bookmarks: boolean; readonly timeoutSeconds?: number },
): Promise<void> {
  const { response } = exchange;
  const { clock, random, store } = parts;
  let answer: Awaited<ReturnType<typeof handle>>;
  try {
    answer = await handle(parts, request);
  } catch (error) {
    // An expired revision is told inside the stream, which is where clients look for it.
    if (!(error instanceof KubeApiError) || error.status.code !== 410) throw error;
    exchange.head(200, "application/json");
    response.end(`${JSON.stringify({ type: "ERROR", object: error.status })}\n`);
    return;
  }
  if (answer.type !== "watch") return;
  const { watch } = answer;
  exchange.head(200, "application/json");
  response.flushHeaders();
  const seconds = options.timeoutSeconds ?? SHORTEST_S * (1 + (random(1)[0] ?? 0) / 256);
  const later = (milliseconds: number) => new Date(clock.now().getTime() + milliseconds);
  // A list's form fits no event: the real server ends such a watch at once.
  if (shaping.representation.as === "PartialObjectMetadataList") {
    watch.close();
    response.end();
    return;
  }
  const cancelEnd = clock.at(later(seconds * 1000), () => watch.close());
  let cancelBookmark: () => void = () => undefined;
  let first = true;
  let corked = false;
  let scheduled = false;

  const finish = () => {
    cancelEnd();
    cancelBookmark();
    watch.onFrame = undefined;
    watch.close();
  };
  const pump = () => {
    scheduled = false;
    if (corked) return;
    const frames = watch.take();
    for (let from = 0; from < frames.length; from += FRAMES_PER_WRITE) {
      const parts = frames.slice(from, from + FRAMES_PER_WRITE).map((frame) => {
        const line =
          frame.type === "BOOKMARK"
            ? Buffer.from(bookmarkLine(shaping, frame.resourceVersion, frame.initialEnd === true))
            : eventLine(frame.type, frame.object, shaping, first);
        first = false;
        return line;
      });
      response.write(parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts));
    }
    if (watch.done) {
      if (watch.error) response.write(`${JSON.stringify({ type: "ERROR", object: statusOf(watch.error) })}\n`);
      finish();
      response.end();
    } else if (response.writableNeedDrain) {
      // A slow reader waits in the watch's own bounded queue.
      corked = true;
      response.once("drain", () => {
        corked = false;
        pump();
      });
    }
  };
  const bookmark = () => {
    cancelBookmark = clock.at(later(BOOKMARK_MS), () => {
      watch.push({ type: "BOOKMARK", resourceVersion: String(store.revision) });
      bookmark();
    });
  };
  if (options.bookmarks) bookmark();
  response.once("close", finish);
  // Changes that become durable together are sent together.
  watch.onFrame = () => {
    if (scheduled) return;
    scheduled = true;
    setImmediate(pump);
  };
  pump();
}
