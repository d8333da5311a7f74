/** What Sprig's functions need from outside; all of it can be made deterministic. */
export interface Environment {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** That many random bytes. */
  readonly random: (count: number) => Uint8Array;
  /** The zone that Go calls `Local`, by its name (`Europe/Berlin`); absent or unknown: UTC. Never the machine's own by itself. */
  readonly timeZone?: string;
  /** An address of a host; without it `getHostByName` gives an empty text, as Helm does by default. */
  readonly resolveHost?: (name: string) => string;
}

/** An integer from 0 up to, not including, `limit`. */
export function randomBelow(environment: Environment, limit: number): number {
  // The share of values that would favour small results is thrown away.
  const most = Math.floor(2 ** 48 / limit) * limit;
  for (;;) {
    const bytes = Buffer.from(environment.random(6));
    const value = bytes.readUIntBE(0, 6);
    if (value < most) return value % limit;
  }
}
