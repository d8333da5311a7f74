import { createServer } from "node:net";
import { InvalidArgumentError, UnavailableError } from "@tiphys/errors";
import type { RandomBytes } from "@tiphys/identity";

/** Hands out pod addresses of a range, oldest freed last. */
export interface AddressPool {
  take(): string;
  /** Marks an address of an earlier run as in use. */
  reserve(address: string): void;
  free(address: string): void;
}

const toNumber = (ip: string): number => ip.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
const toText = (ip: number): string => [24, 16, 8, 0].map((shift) => Math.floor(ip / 2 ** shift) % 256).join(".");

export function addressPool(cidr: string): AddressPool {
  const match = /^(\d+\.\d+\.\d+\.\d+)\/(\d+)$/.exec(cidr);
  const bits = Number(match?.[2]);
  if (!match || bits > 30 || bits < 8)
    throw new InvalidArgumentError("podCidr", `"${cidr}" is no IPv4 range such as 10.244.0.0/16`);
  const size = 2 ** (32 - bits);
  const base = Math.floor(toNumber(match[1]!) / size) * size;
  const used = new Set<number>();
  // .0 is the network and .1 would be its gateway.
  let next = 2;
  return {
    take() {
      for (let tried = 0; tried < size; tried++) {
        const offset = next;
        next = next + 1 >= size - 1 ? 2 : next + 1;
        if (used.has(offset)) continue;
        used.add(offset);
        return toText(base + offset);
      }
      throw new UnavailableError(`no pod address is free in ${cidr}: delete pods or use a larger podCidr`);
    },
    reserve(address) {
      const offset = toNumber(address) - base;
      used.add(offset);
      if (offset >= next && offset + 1 < size - 1) next = offset + 1;
    },
    free: (address) => void used.delete(toNumber(address) - base),
  };
}

/** Below the ports that systems give to outgoing connections, so that none of those takes one of ours. */
const FIRST_PORT = 20_000;
const PORTS = 10_000;

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  });

/** Finds loopback ports that nobody listens on, and keeps them for their pod. */
export function portPool(random: RandomBytes): {
  take(): Promise<number>;
  reserve(port: number): void;
  free(port: number): void;
} {
  const used = new Set<number>();
  const [high = 0, low = 0] = random(2);
  let next = (high * 256 + low) % PORTS;
  return {
    async take() {
      for (let tried = 0; tried < PORTS; tried++) {
        const port = FIRST_PORT + next;
        next = (next + 1) % PORTS;
        if (used.has(port)) continue;
        used.add(port);
        if (await isFree(port)) return port;
        used.delete(port);
      }
      throw new UnavailableError("no loopback port between 20000 and 29999 is free for a pod");
    },
    reserve: (port) => void used.add(port),
    free: (port) => void used.delete(port),
  };
}
