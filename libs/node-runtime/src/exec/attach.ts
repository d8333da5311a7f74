import { stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import type { CommandEnd, RemoteCommand } from "@tiphys/kube-streams";
import type { PodContext } from "../deps.js";
import { followOutput } from "../log-reader.js";
import { type LogRecorder, type LogStream, logFile } from "../log-recorder.js";
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
  client.onResize(latestOnly((size) => resizeContainer(context, folder, entrance, size)));
  // Before any input goes in: what it causes is shown.
  const offset = (stream: LogStream) =>
    stat(logFile(folder, stream)).then(
      ({ size }) => size,
      () => 0,
    );
  const outputs = [
    { stream: "stdout", to: client.stdout, from: await offset("stdout") },
    { stream: "stderr", to: client.stderr, from: await offset("stderr") },
  ] as const;
  if (client.stdin && input) void input.feed(client.stdin, client.signal);
  if (!client.stdout && !client.stderr) {
    // Input alone: until the container ends.
    while (!recorder.closed && !client.signal.aborted) {
      await Promise.race([recorder.changed(), aborted(client.signal)]);
    }
    return { exitCode: 0 };
  }
  const shown = outputs.map(async ({ stream, to, from }) => {
    if (to) await pipeline(followOutput(folder, stream, from, recorder, client.signal), to, { end: false });
  });
  await Promise.allSettled(shown);
  return { exitCode: 0 };
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
