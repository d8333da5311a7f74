import type { Clock } from "@tiphys/clock";
import { messageOf } from "@tiphys/errors";
import type { RandomBytes } from "@tiphys/identity";
import type { ServedService } from "@tiphys/rpc";
import { createHost } from "./host.js";
import { openParts, type Parts } from "./parts.js";
import { type ProcessPort, runUntilSignal } from "./run.js";
import type { Service } from "./service.js";
import { type Peer, readSettings } from "./settings.js";

/** What `main.ts` of a service passes from the real world. */
export interface MainWorld {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly process: ProcessPort;
}

/** The whole life of a service process: settings, parts, host, signals. `build` gives the service and what it serves. */
export async function serviceMain(
  name: Peer,
  world: MainWorld,
  build: (parts: Parts) => Promise<{ service: Service; rpc: readonly ServedService[] }>,
): Promise<void> {
  let parts: Parts;
  try {
    parts = await openParts(name, readSettings(world.env), world);
  } catch (error) {
    console.error(`${name}: ${messageOf(error)}`);
    world.process.exit(1);
    return;
  }
  const { settings, tokens, log, metrics, tls } = parts;
  const { service, rpc } = await build(parts);
  const host = createHost({
    service,
    rpc,
    tokens,
    grpcListen: settings.grpcListen,
    httpListen: settings.httpListen,
    ...(tls ? { tls } : {}),
    log,
    metrics,
  });
  const closing: Service = {
    name: "parts",
    start: async () => {},
    stop: () => parts.stop(),
    ready: async () => undefined,
  };
  await runUntilSignal([closing, host], log, world.process);
}
