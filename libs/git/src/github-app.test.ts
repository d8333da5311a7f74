import { generateKeyPairSync, verify } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { systemClock, virtualClock } from "@tiphys/clock";
import { createDialer } from "@tiphys/dialer";
import { Secret } from "@tiphys/secret";
import { noMetrics, silentLogger } from "@tiphys/telemetry";
import {
  createTestRepository,
  describeWith,
  type GitServer,
  startGitServer,
  temporaryDirectory,
} from "@tiphys/testing";
import { createGithubApps } from "./github-app.js";
import { createRepositories, type GithubApp } from "./index.js";

const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const pem = privateKey.export({ type: "pkcs1", format: "pem" }).toString();
const now = new Date("2030-01-01T00:00:00Z");

describeWith(["git"], "credentials of GitHub Apps", () => {
  let api: Server;
  let asked: string[];
  let claims: Record<string, unknown>[];
  let base: string;
  let status = 0;
  const clockAt = () => virtualClock(now);

  beforeAll(async () => {
    api = createServer((request, response) => {
      const [head = "", body = "", signature = ""] = (request.headers.authorization ?? "")
        .replace("Bearer ", "")
        .split(".");
      const isRight = verify("sha256", Buffer.from(`${head}.${body}`), publicKey, Buffer.from(signature, "base64url"));
      asked.push(`${request.method} ${request.url}`);
      if (!isRight || status) return void response.writeHead(status || 401).end("{}");
      claims.push(JSON.parse(Buffer.from(body, "base64url").toString()));
      const page = Number(new URL(request.url ?? "", "http://x").searchParams.get("page"));
      const many = Array.from({ length: 100 }, (_, index) => ({ id: index, account: { login: `org-${index}` } }));
      const answer = request.url?.startsWith("/api/v3/app/installations?")
        ? page === 1
          ? many
          : [{ id: 4711, account: { login: "Shop" } }]
        : { token: `token-${asked.length}`, expires_at: new Date(now.getTime() + 3_600_000).toISOString() };
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(answer));
    });
    await new Promise<void>((resolve) => api.listen(0, "127.0.0.1", resolve));
    base = `http://127.0.0.1:${(api.address() as AddressInfo).port}/api/v3/`;
  });
  afterAll(() => void api.close());
  beforeEach(() => {
    asked = [];
    claims = [];
    status = 0;
  });

  const app = (more: Partial<GithubApp> = {}): GithubApp => ({
    id: "12",
    privateKey: new Secret(pem),
    baseUrl: base,
    ...more,
  });
  const apps = (clock = clockAt()) =>
    createGithubApps({ dialer: createDialer({ clock, log: silentLogger, metrics: noMetrics }), clock });
  const url = "https://github.example/shop/config.git";

  it("asks once for a token, and again shortly before it ends", async () => {
    const clock = clockAt();
    const of = apps(clock);
    const token = async () => (await of.token(app({ installationId: "7" }), url, {})).reveal();
    const [first, same] = await Promise.all([token(), token()]);
    expect([first, same]).toEqual(["token-1", "token-1"]);
    expect(asked).toEqual(["POST /api/v3/app/installations/7/access_tokens"]);
    const seconds = now.getTime() / 1000;
    expect(claims).toEqual([{ iat: seconds - 60, exp: seconds + 480, iss: "12" }]);
    await clock.advance(54 * 60_000);
    expect(await token()).toBe("token-1");
    await clock.advance(2 * 60_000);
    expect(await token()).toBe("token-2");
  });

  it("finds the installation of the repository's organization, however many there are", async () => {
    await apps().token(app(), url, {});
    expect(asked).toEqual([
      "GET /api/v3/app/installations?per_page=100&page=1",
      "GET /api/v3/app/installations?per_page=100&page=2",
      "POST /api/v3/app/installations/4711/access_tokens",
    ]);
    await expect(apps().token(app(), "https://github.example/other/config", {})).rejects.toThrow(
      "GitHub App 12 is not installed in other: give githubAppInstallationID",
    );
  });

  it("names what is wrong, without the key", async () => {
    const other = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({
      type: "pkcs8",
      format: "pem",
    });
    const of = (more: Partial<GithubApp>, at = url) => apps().token(app({ installationId: "7", ...more }), at, {});
    await expect(of({ privateKey: new Secret(String(other)) })).rejects.toThrow(
      /was refused \(401\): check githubAppID/,
    );
    await expect(of({ privateKey: new Secret("secret text") })).rejects.toThrow(
      /^githubAppPrivateKey: ?is not a private key in PEM$/,
    );
    await expect(of({ installationId: "x" })).rejects.toThrow(/githubAppInstallationID/);
    await expect(of({}, "git@github.example:shop/config")).rejects.toThrow(/not at https/);
    status = 404;
    await expect(of({})).rejects.toThrow(
      /has no \/app\/installations\/7\/access_tokens: check githubAppInstallationID/,
    );
  });

  it("reads a repository with the token", async () => {
    const folder = temporaryDirectory();
    const tip = createTestRepository(join(folder.path, "shop/config")).commit({ a: "1" });
    const server: GitServer = await startGitServer(folder.path, {
      auth: { username: "x-access-token", password: "token-1" },
    });
    const clock = systemClock();
    const repositories = createRepositories({
      directory: join(folder.path, "mirrors"),
      searchPath: process.env["PATH"] ?? "",
      clock,
      dialer: createDialer({ clock, log: silentLogger, metrics: noMetrics }),
      credentials: async () => ({ githubApp: app({ installationId: "7" }) }),
    });
    expect(await (await repositories.open(`${server.url}/shop/config/.git`)).resolve("main", 0)).toBe(tip);
    repositories.close();
    await server.close();
    folder.dispose();
  });
});
