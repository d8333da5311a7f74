import { messageOf } from "@tiphys/errors";
import type { Logger } from "@tiphys/telemetry";
import type { Service } from "./service.js";

/** The part of `process` that running a service needs. */
export interface ProcessPort {
  once(signal: "SIGTERM" | "SIGINT", run: () => void): unknown;
  exit(code: number): void;
}

/** Starts services in order, stops them in reverse on SIGTERM or SIGINT, and ends the process with the right code. */
export async function runUntilSignal(services: readonly Service[], log: Logger, process: ProcessPort): Promise<void> {
  const started: Service[] = [];
  let stopping = false;
  const stop = async (code: number) => {
    if (stopping) return;
    stopping = true;
    for (const service of started.reverse()) {
      await service.stop().catch((error: unknown) => log.error("stop failed", { service: service.name, error }));
    }
    process.exit(code);
  };
  process.once("SIGTERM", () => void stop(0));
  process.once("SIGINT", () => void stop(0));
  for (const service of services) {
    try {
      started.push(service);
      await service.start();
    } catch (error) {
      log.error("start failed", { service: service.name, reason: messageOf(error), error });
      await stop(1);
      return;
    }
  }
}
