import type { ServerResponse } from "node:http";

/** How long a client may take nothing of an answer that is complete on our side, in milliseconds. */
const STALLED_MS = 60_000;

/**
 * Ends the connection of a client that does not take its answer: what it does not read is kept in memory here. Time counts anew
 * whenever something was taken. Watches are not meant: they are never complete.
 */
export function endWhenStalled(response: ServerResponse, milliseconds = STALLED_MS): void {
  // Node closes a connection on its timeout, and sets another one when the answer is out.
  response.once("prefinish", () => {
    if (!response.writableFinished) response.socket?.setTimeout(milliseconds);
  });
}
