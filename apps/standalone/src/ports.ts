import { existsSync } from "node:fs";
import { readFile, rename, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { DataLossError, FailedPreconditionError } from "@tiphys/errors";

/** Loopback ports that must be the same after a restart: pods, kubeconfigs and repositories know them. */
export interface StablePorts {
  /** Kubernetes API. */
  readonly kube: number;
  /** Proxy of the pods. */
  readonly forward: number;
  /** Ingress, and Gateways on port 80. */
  readonly ingress: number;
  /** The same with TLS. */
  readonly tls: number;
  /** Where executors report. */
  readonly report: number;
}

const names = ["kube", "forward", "ingress", "tls", "report"] as const;
/** Names that files of earlier versions lack: they get a port of their own. */
const later: ReadonlySet<string> = new Set(["tls"]);

/** The ports of an earlier start of this data folder, or free ones, kept for the next. */
export async function stablePorts(data: string): Promise<StablePorts> {
  const file = join(data, "ports.json");
  const made: Record<string, number> = {};
  if (existsSync(file)) {
    const text = await readFile(file, "utf8");
    try {
      const stored = JSON.parse(text);
      for (const name of names) {
        if (Number.isInteger(stored[name])) made[name] = stored[name];
        else if (!later.has(name)) throw new Error(`${name} is missing`);
      }
      if (names.every((name) => name in made)) return stored;
    } catch (cause) {
      throw new DataLossError(
        `${file} cannot be read: delete it to choose new ports (running pods are then started anew)`,
        { cause },
      );
    }
  }
  for (const name of names) {
    if (name in made) continue;
    let port = await freePort();
    while (Object.values(made).includes(port)) port = await freePort();
    made[name] = port;
  }
  await writeFile(`${file}.new`, JSON.stringify(made));
  await rename(`${file}.new`, file);
  return made as unknown as StablePorts;
}

/** A loopback port nobody listens on at this moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        address && typeof address === "object" ? resolve(address.port) : reject(new Error("no port")),
      );
    });
  });
}

/** Throws FailedPrecondition when somebody listens on `port`, before anything else is started or changed. */
export function requireFree(port: number, wayOut: string): Promise<void> {
  if (port === 0) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (cause: NodeJS.ErrnoException) =>
      reject(
        cause.code === "EADDRINUSE"
          ? new FailedPreconditionError(`port ${port} on 127.0.0.1 is in use: ${wayOut}`, { cause })
          : cause,
      ),
    );
    server.listen(port, "127.0.0.1", () => server.close(() => resolve()));
  });
}
