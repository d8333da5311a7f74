import { spawn } from "node:child_process";
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { FailedPreconditionError } from "@tiphys/errors";
import type { Secret } from "@tiphys/secret";
import type { Logger } from "@tiphys/telemetry";

/** A push that reached a repository: what a forge tells its webhooks. */
export interface Push {
  readonly repository: string;
  readonly ref: string;
  readonly before: string;
  readonly after: string;
  readonly message: string;
}

export interface ForgeOptions {
  /** Folder of bare repositories. */
  readonly folder: string;
  readonly port: number;
  /** Password of user `forge`, for reading and pushing. */
  readonly token: Secret;
  readonly log: Logger;
  /** Called after every push that moved `main`; the push is answered after it. */
  readonly onPush: (push: Push) => Promise<void>;
}

export interface Forge {
  readonly url: string;
  close(): Promise<void>;
}

/** Largest pack that a push may bring, in bytes. */
const MAX_PACK_BYTES = 20 * 1024 * 1024;

/** A local Git forge for the demo: smart HTTP over `git http-backend`, basic authentication, webhooks on push. */
export async function startForge({ folder, port, token, log, onPush }: ForgeOptions): Promise<Forge> {
  const expected = `Basic ${Buffer.from(`forge:${token.reveal()}`).toString("base64")}`;
  const server = createServer(async (request, response) => {
    if (!same(request.headers.authorization ?? "", expected)) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="forge"' }).end();
      return;
    }
    try {
      const url = new URL(request.url ?? "/", "http://forge");
      const repository = url.pathname.match(/^\/([a-z0-9-]+)\.git\//)?.[1];
      if (!repository) {
        response.writeHead(404).end();
        return;
      }
      const pushes = url.pathname.endsWith("/git-receive-pack") && request.method === "POST";
      const before = pushes ? await headOf(folder, repository) : undefined;
      await backend(folder, url, request, response, async () => {
        const head = pushes ? await headOf(folder, repository) : undefined;
        if (head && head.commit !== before?.commit) {
          await onPush(pushOf(repository, head));
        }
      });
    } catch (error) {
      log.error("forge request failed", { error });
      if (!response.headersSent) response.writeHead(500);
      response.end();
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) =>
      reject(
        cause.code === "EADDRINUSE"
          ? new FailedPreconditionError(`the demo's Git port ${port} is in use: stop the other program`, { cause })
          : cause,
      ),
    );
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function same(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

/** Runs the CGI program; `done` is awaited before the response ends, so that a pusher sees a delivered webhook. */
async function backend(
  folder: string,
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
  done: () => Promise<void>,
): Promise<void> {
  const child = spawn("git", ["http-backend"], {
    stdio: ["pipe", "pipe", "ignore"],
    env: {
      // Real environment: git is where the user of the demo has it.
      PATH: process.env["PATH"],
      GIT_PROJECT_ROOT: folder,
      GIT_HTTP_EXPORT_ALL: "1",
      REMOTE_USER: "forge",
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method ?? "GET",
      CONTENT_TYPE: request.headers["content-type"] ?? "",
      ...(request.headers["content-length"] ? { CONTENT_LENGTH: request.headers["content-length"] } : {}),
      ...(request.headers["content-encoding"] ? { HTTP_CONTENT_ENCODING: request.headers["content-encoding"] } : {}),
      ...(typeof request.headers["git-protocol"] === "string" ? { GIT_PROTOCOL: request.headers["git-protocol"] } : {}),
    },
  });
  let size = 0;
  request.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size > MAX_PACK_BYTES) request.destroy();
  });
  request.pipe(child.stdin);
  child.stdin.on("error", () => {});
  const chunks: Buffer[] = [];
  for await (const chunk of child.stdout) chunks.push(chunk);
  const output = Buffer.concat(chunks);
  const end = output.indexOf("\r\n\r\n");
  const headers = output.toString("latin1", 0, end).split("\r\n");
  let status = 200;
  for (const line of headers) {
    const at = line.indexOf(":");
    const name = line.slice(0, at);
    const value = line.slice(at + 1).trim();
    if (name.toLowerCase() === "status") status = Number.parseInt(value, 10);
    else if (at > 0) response.setHeader(name, value);
  }
  await done();
  response.writeHead(status).end(output.subarray(end + 4));
}

/** The tip of a branch. */
export interface Head {
  readonly commit: string;
  /** The commit before, or forty zeros. */
  readonly parent: string;
  readonly message: string;
}

/** What a forge tells its webhooks about `head`; the same text every time, so that telling twice is one event. */
export const pushOf = (repository: string, head: Head): Push => ({
  repository,
  ref: "refs/heads/main",
  before: head.parent,
  after: head.commit,
  message: head.message,
});

/** Tip of of `main`; undefined in an empty repository. */
export async function headOf(folder: string, repository: string): Promise<Head | undefined> {
  const child = spawn(
    "git",
    ["--git-dir", `${folder}/${repository}.git`, "log", "-1", "--format=%H%n%P%n%B", "refs/heads/main"],
    {
      stdio: ["ignore", "pipe", "ignore"],
    },
  );
  const chunks: Buffer[] = [];
  for await (const chunk of child.stdout) chunks.push(chunk);
  const [commit, parent = "", ...message] = Buffer.concat(chunks).toString("utf8").split("\n");
  return commit ? { commit, parent: parent.split(" ")[0] || "0".repeat(40), message: message.join("\n") } : undefined;
}

/** GitHub's push event and its headers; the delivery id follows from the commit, so a repeated delivery is the same one. */
export function githubPush(
  push: Push,
  cloneUrl: string,
  secret: Secret,
): { headers: Record<string, string>; body: string } {
  const body = JSON.stringify({
    ref: push.ref,
    before: push.before,
    after: push.after,
    repository: {
      name: push.repository,
      full_name: `demo/${push.repository}`,
      clone_url: cloneUrl,
      owner: { name: "demo" },
    },
    head_commit: { id: push.after, message: push.message },
    pusher: { name: "forge" },
  });
  const hash = createHash("sha256").update(`${push.repository}@${push.after}`).digest("hex");
  const delivery = `${hash.slice(0, 8)}-${hash.slice(8, 12)}-4${hash.slice(13, 16)}-8${hash.slice(17, 20)}-${hash.slice(20, 32)}`;
  return {
    body,
    headers: {
      "content-type": "application/json",
      "x-github-event": "push",
      "x-github-delivery": delivery,
      "x-hub-signature-256": `sha256=${createHmac("sha256", secret.reveal()).update(body).digest("hex")}`,
    },
  };
}
