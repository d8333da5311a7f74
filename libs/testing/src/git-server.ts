import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";

/** A work tree with one branch `main`, for tests to push into other people's faces. */
export interface TestRepository {
  readonly directory: string;
  /** `file://` URL. */
  readonly url: string;
  /** Writes (or with null removes) files and commits; answers the commit id. */
  commit(files: Readonly<Record<string, string | null>>, message?: string): string;
  git(...args: string[]): string;
}

const environment = () => ({
  PATH: process.env["PATH"] ?? "",
  HOME: "/nonexistent",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_AUTHOR_NAME: "Test Author",
  GIT_AUTHOR_EMAIL: "author@example.test",
  GIT_COMMITTER_NAME: "Test Author",
  GIT_COMMITTER_EMAIL: "author@example.test",
  GIT_AUTHOR_DATE: "2030-01-02T03:04:05Z",
  GIT_COMMITTER_DATE: "2030-01-02T03:04:05Z",
});

export function createTestRepository(directory: string): TestRepository {
  mkdirSync(directory, { recursive: true });
  const git = (...args: string[]) =>
    execFileSync("git", args, {
      cwd: directory,
      env: environment(),
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    }).trim();
  git("init", "--quiet", "--initial-branch=main");
  return {
    directory,
    url: `file://${directory}`,
    commit(files, message = "change") {
      for (const [path, text] of Object.entries(files)) {
        const target = join(directory, path);
        if (text === null) rmSync(target, { force: true });
        else {
          mkdirSync(dirname(target), { recursive: true });
          writeFileSync(target, text);
        }
      }
      git("add", "--all");
      git("commit", "--quiet", "--allow-empty", "-m", message);
      return git("rev-parse", "HEAD");
    },
    git,
  };
}

/** A private folder that is gone after `dispose`. */
export function temporaryDirectory(prefix = "tiphys-"): { path: string; dispose(): void } {
  const path = mkdtempSync(join(tmpdir(), prefix));
  return { path, dispose: () => rmSync(path, { recursive: true, force: true }) };
}

type Ended = number | { readonly location: string; readonly status?: number } | undefined;

export interface GitServer {
  readonly url: string;
  /** Requests so far, as `METHOD path`. */
  readonly requests: readonly string[];
  /** The Host header of each of them. */
  readonly hosts: readonly string[];
  close(): Promise<void>;
}

/** Serves the repositories below `root` over smart http, or https, through git's own `http-backend`. */
export async function startGitServer(
  root: string,
  options: {
    auth?: { username: string; password: string } | { bearer: string };
    /** `ca` asks clients for a certificate that it has signed. */
    tls?: { cert: string; key: string; ca?: string };
    /** Looks at each request before it is served: it waits as long as this does, and a status or an address to go to ends it. */
    before?: (request: {
      method: string;
      path: string;
      body: string;
      headers: IncomingHttpHeaders;
      /** Path and query. */
      target: string;
    }) => Promise<Ended> | Promise<void> | Ended;
  } = {},
): Promise<GitServer> {
  const requests: string[] = [];
  const hosts: string[] = [];
  const expected =
    options.auth &&
    ("bearer" in options.auth
      ? `Bearer ${options.auth.bearer}`
      : `Basic ${Buffer.from(`${options.auth.username}:${options.auth.password}`).toString("base64")}`);
  const answer: RequestListener = async (request, response) => {
    const url = new URL(request.url ?? "/", "http://localhost");
    requests.push(`${request.method} ${url.pathname}`);
    hosts.push(request.headers.host ?? "");
    if (expected && request.headers.authorization !== expected) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="test"' }).end();
      return;
    }
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    const sent = Buffer.concat(parts);
    const plain = request.headers["content-encoding"] === "gzip" ? gunzipSync(sent) : sent;
    const ended = await options.before?.({
      method: request.method ?? "",
      path: url.pathname,
      body: plain.toString("latin1"),
      headers: request.headers,
      target: request.url ?? "/",
    });
    if (response.destroyed) return;
    if (typeof ended === "number") return void response.writeHead(ended).end();
    if (ended) return void response.writeHead(ended.status ?? 301, { location: ended.location }).end();
    const backend = spawn("git", ["http-backend"], {
      env: {
        ...environment(),
        GIT_PROJECT_ROOT: root,
        GIT_HTTP_EXPORT_ALL: "1",
        GIT_CONFIG_COUNT: "1",
        GIT_CONFIG_KEY_0: "safe.directory",
        GIT_CONFIG_VALUE_0: "*",
        REQUEST_METHOD: request.method ?? "GET",
        PATH_INFO: url.pathname,
        QUERY_STRING: url.search.slice(1),
        CONTENT_TYPE: request.headers["content-type"] ?? "",
        HTTP_CONTENT_ENCODING: String(request.headers["content-encoding"] ?? ""),
        GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
        REMOTE_USER: expected ? "test" : "",
        REMOTE_ADDR: "127.0.0.1",
      },
      stdio: ["pipe", "pipe", "ignore"],
    });
    backend.stdin.on("error", () => {});
    backend.stdin.end(sent);
    let head = Buffer.alloc(0);
    let begun = false;
    backend.stdout.on("data", (chunk: Buffer) => {
      if (begun) return void response.write(chunk);
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) return;
      begun = true;
      let status = 200;
      for (const line of head.toString("latin1", 0, end).split("\r\n")) {
        const [name = "", value = ""] = line.split(/: (.*)/s);
        if (name.toLowerCase() === "status") status = Number.parseInt(value, 10);
        else response.setHeader(name, value);
      }
      response.writeHead(status);
      response.write(head.subarray(end + 4));
    });
    backend.on("close", () => response.end());
  };
  const server = options.tls
    ? createTlsServer(
        { ...options.tls, ...(options.tls.ca ? { requestCert: true, rejectUnauthorized: true } : {}) },
        answer,
      )
    : createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return {
    url: `${options.tls ? "https" : "http"}://127.0.0.1:${port}`,
    requests,
    hosts,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
