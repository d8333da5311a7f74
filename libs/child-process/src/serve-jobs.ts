import { Socket } from "node:net";
import { codeOf, messageOf } from "@tiphys/errors";
import { encodeFrame, frameReader } from "./frames.js";
import { type Ask, askParent } from "./questions.js";

/** File descriptor on which a pool and its child talk; stdout stays free for what libraries print. */
export const JOB_CHANNEL = 3;

/** Requests come from our own service, which checked their size already. */
const MAX_REQUEST_BYTES = 1024 * 1024 * 1024;

/** The child's half of a pool: answers every job with `handler`, which may ask its parent, and ends when the pool is gone. */
export function serveJobs(handler: (request: unknown, ask: Ask) => unknown): void {
  const channel = new Socket({ fd: JOB_CHANNEL, readable: true, writable: true });
  const answer = async (id: number, request: unknown) => {
    let reply: object;
    try {
      reply = { id, result: (await handler(request, askParent)) ?? null };
    } catch (error) {
      const field = (error as { field?: string }).field;
      reply = { id, error: { code: codeOf(error), message: messageOf(error), ...(field ? { field } : {}) } };
    }
    channel.write(encodeFrame(reply));
  };
  const read = frameReader(
    MAX_REQUEST_BYTES,
    (frame) => {
      const { id, request } = frame as { id: number; request: unknown };
      void answer(id, request);
    },
    () => process.exit(1),
  );
  channel.on("data", read);
  channel.on("error", () => process.exit(0));
  channel.on("close", () => process.exit(0));
}
