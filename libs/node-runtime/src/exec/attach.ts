import { stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { CommandEnd, RemoteCommand } from "@tiphys/kube-streams";
import type { PodContext } from "../deps.js";
import { type LogRecorder, readLog } from "../log-store.js";
import type { ContainerInput } from "./container-input.js";
import type { Entrance } from "./enter.js";
import { latestOnly } from "./latest-only.js";
import { resizeContainer } from "./terminal.js";

/** What of a running container somebody can attach to. */
export interface Attachable {
  /** Folder of its attempt, where its log is. */
  readonly folder: string;
  readonly recorder: LogRecorder;
  readonly input?: ContainerInput;
  readonly entrance: Entrance;
}

/** Shows a container's output from now on and feeds its input; ends when the container does or the client leaves. */
export async function attachToContainer(
  context: PodContext,
  { folder, recorder, input, entrance }: Attachable,
  client: RemoteCommand,
): Promise<CommandEnd> {
  const { clock } = context.deps;
  client.onResize(latestOnly((size) => resizeContainer(context, folder, entrance, size)));
  // Before any input goes in: what it causes is shown.
  const offset = await stat(join(folder, "log")).then(
    ({ size }) => size,
    () => 0,
  );
  if (client.stdin && input) void input.feed(client.stdin, client.signal);
  const output = client.stdout ?? client.stderr;
  if (!output) {
    // Input alone: until the container ends.
    while (!recorder.closed && !client.signal.aborted) {
      await Promise.race([recorder.changed(), aborted(client.signal)]);
    }
    return { exitCode: 0 };
  }
  const lines = readLog(folder, { follow: true, offset }, recorder, clock, client.signal);
  await pipeline(lines, output, { end: false }).catch(() => {});
  return { exitCode: 0 };
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
