import { createServer, type IncomingMessage } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";

/** What a small Vault of tests holds. */
export interface VaultContent {
  /** `engine/…` of version 1, by path. */
  readonly first?: Record<string, object>;
  /** Versions from the oldest to the newest, `null` for one that was deleted; by path with `/data/`. */
  readonly second?: Record<string, (object | null)[]>;
  readonly namespace?: string;
  /** Answers a login by its path and body: a token, or undefined. */
  readonly login?: (path: string, body: Record<string, unknown>) => string | undefined;
  readonly leaseSeconds?: number;
  readonly tls?: { readonly cert: string; readonly key: string };
}

export interface TestVault {
  readonly url: string;
  /** Method and path of each request. */
  readonly seen: string[];
  /** Tokens that are good. */
  readonly tokens: Set<string>;
  content: VaultContent;
  close(): Promise<void>;
}

const body = async (request: IncomingMessage): Promise<Record<string, unknown>> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return chunks.length === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString("utf8"));
};

/** The part of Vault's HTTP API that reads secrets, on loopback. */
export async function startTestVault(content: VaultContent): Promise<TestVault> {
  const answer = async (request: IncomingMessage): Promise<[number, object]> => {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://vault");
    const path = pathname.replace("/v1/", "");
    vault.seen.push(`${request.method} ${path}${searchParams.size > 0 ? `?${searchParams}` : ""}`);
    const { first = {}, second = {}, namespace, login, leaseSeconds = 3600 } = vault.content;
    if ((request.headers["x-vault-namespace"] ?? undefined) !== namespace)
      return [404, { errors: ["no handler for route"] }];
    if (request.method === "POST") {
      const token = login?.(path, await body(request));
      if (!token) return [400, { errors: ["invalid role or secret ID"] }];
      vault.tokens.add(token);
      return [200, { auth: { client_token: token, lease_duration: leaseSeconds, renewable: true } }];
    }
    if (!vault.tokens.has(String(request.headers["x-vault-token"]))) return [403, { errors: ["permission denied"] }];
    if (first[path]) return [200, { data: first[path], lease_duration: 2764800 }];
    const versions = second[path];
    const version = Number(searchParams.get("version") ?? versions?.length ?? 0);
    const held = versions?.[version - 1];
    if (held === undefined) return [404, { errors: [] }];
    const metadata = { version, deletion_time: held ? "" : "2026-01-01T00:00:00Z" };
    return [held ? 200 : 404, { data: { data: held, metadata } }];
  };
  const listener: Parameters<typeof createServer>[1] = (request, response) => {
    void answer(request).then(([status, data]) => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(data));
    });
  };
  const server = content.tls ? createTlsServer(content.tls, listener) : createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const vault: TestVault = {
    url: `${content.tls ? "https" : "http"}://127.0.0.1:${port}`,
    seen: [],
    tokens: new Set(),
    content,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
  return vault;
}
