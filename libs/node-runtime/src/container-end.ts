import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { constants as osConstants } from "node:os";
import { join } from "node:path";
import type { Clock } from "@tiphys/clock";
import { readLog } from "./log-reader.js";
import type { PodContainer } from "./plan.js";

const MESSAGE_BYTES = 4096;
const LOG_BYTES = 2048;
const LOG_LINES = 80;

/** What a container says about its end: its message file, or by its policy the end of its log when it failed. */
export async function terminationMessage(
  container: PodContainer | undefined,
  folder: string,
  failed: boolean,
  clock: Clock,
): Promise<string | undefined> {
  const text = await readStart(join(folder, "termination"));
  if (text !== "") return text;
  if (container?.["terminationMessagePolicy"] !== "FallbackToLogsOnError" || !failed) return undefined;
  const lines: Uint8Array[] = [];
  for await (const line of readLog(folder, { tailLines: LOG_LINES }, undefined, clock, new AbortController().signal)) {
    lines.push(line);
  }
  return Buffer.concat(lines).subarray(-LOG_BYTES).toString("utf8") || undefined;
}

/** The container may have put anything in its place: a link is not followed, a pipe not waited for. */
async function readStart(file: string): Promise<string> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    () => undefined,
  );
  if (!handle) return "";
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(MESSAGE_BYTES), 0, MESSAGE_BYTES, 0);
    return buffer.toString("utf8", 0, bytesRead);
  } catch {
    return "";
  } finally {
    await handle.close();
  }
}

const REALTIME_MIN = 34;
const REALTIME_MAX = 64;

/** The number of a stop signal as images and pods write it: `SIGQUIT`, `QUIT`, `3`, `SIGRTMIN+3`; TERM otherwise. */
export function stopSignal(container: PodContainer | undefined, imageSignal: string | undefined): number {
  const text = String(container?.["lifecycle"]?.stopSignal ?? imageSignal ?? "SIGTERM").toUpperCase();
  if (/^\d+$/.test(text) && Number(text) > 0 && Number(text) <= REALTIME_MAX) return Number(text);
  const name = text.startsWith("SIG") ? text : `SIG${text}`;
  const [, edge, sign, by] = /^SIGRT(MIN|MAX)(?:([+-])(\d+))?$/.exec(name) ?? [];
  if (edge) return (edge === "MIN" ? REALTIME_MIN : REALTIME_MAX) + (sign === "-" ? -1 : 1) * Number(by ?? 0);
  return (osConstants.signals as Record<string, number>)[name] ?? osConstants.signals.SIGTERM;
}
