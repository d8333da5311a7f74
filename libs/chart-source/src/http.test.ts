import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer as createHttp } from "node:http";
import { createServer as createHttps } from "node:https";
import type { AddressInfo, Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@tiphys/clock";
import { createDialer } from "@tiphys/dialer";
import { buildLayer } from "@tiphys/oci";
import { Secret } from "@tiphys/secret";
import { noMetrics, silentLogger } from "@tiphys/telemetry";
import { describeWith, programPath, selfSignedCertificate } from "@tiphys/testing";
import { type ChartCredentials, type ChartSource, createChartSource, type WantedChart } from "./index.js";

const clock = systemClock();
const folder = mkdtempSync(join(tmpdir(), "tiphys-charts-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;

const source = (credentials: (url: string) => { listed?: boolean } & ChartCredentials = () => ({})) =>
  createChartSource({
    directory: join(folder, `cache-${count++}`),
    dialer: createDialer({ clock, log: silentLogger, metrics: noMetrics }),
    clock,
    credentials: async (url) => {
      const { listed = true, ...found } = credentials(url);
      return { credentials: found, listed };
    },
  });

/** A chart repository in memory that notes who asked how. */
async function startRepository(tls?: { cert: string; key: string; clientCa?: string }) {
  const files = new Map<string, { body: Buffer | string; headers?: Record<string, string>; status?: number }>();
  const seen: { url: string; headers: IncomingMessage["headers"]; certified: boolean }[] = [];
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const url = request.url ?? "";
    const socket = request.socket as { authorized?: boolean };
    seen.push({ url, headers: request.headers, certified: socket.authorized === true });
    const file = files.get(url);
    if (!file) return void response.writeHead(404).end("no");
    const etag = `"${createHash("sha256").update(file.body).digest("hex").slice(0, 12)}"`;
    if (request.headers["if-none-match"] === etag) return void response.writeHead(304).end();
    response.writeHead(file.status ?? 200, { etag, ...file.headers }).end(file.body);
  };
  const server: Server = tls
    ? createHttps(
        { ...tls, ...(tls.clientCa ? { ca: tls.clientCa, requestCert: true, rejectUnauthorized: false } : {}) },
        answer,
      )
    : createHttp(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls ? "https" : "http"}://127.0.0.1:${port}`,
    port,
    files,
    seen,
    close: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}
type Repository = Awaited<ReturnType<typeof startRepository>>;

const packed = async (name: string, version: string): Promise<Buffer> => {
  const { content } = await buildLayer([
    { path: `${name}/Chart.yaml`, type: "file", content: `apiVersion: v2\nname: ${name}\nversion: ${version}\n` },
    {
      path: `${name}/templates/a.yaml`,
      type: "file",
      content: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
    },
  ]);
  return Buffer.from(content as Uint8Array);
};
const sha = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const indexOf = (entries: object) => JSON.stringify({ apiVersion: "v1", entries });

describe("chart repositories over HTTP", () => {
  const started: Repository[] = [];
  const start = async (...args: Parameters<typeof startRepository>) => {
    const repository = await startRepository(...args);
    started.push(repository);
    return repository;
  };
  afterAll(async () => void (await Promise.all(started.map((each) => each.close()))));

  const publish = async (repository: Repository, urls: string[], more: object = {}) => {
    const bytes = await packed("web", "1.2.0");
    repository.files.set("/charts/web-1.2.0.tgz", { body: bytes });
    repository.files.set("/charts/index.yaml", {
      body: indexOf({ web: [{ name: "web", version: "1.2.0", urls, digest: sha(bytes), ...more }] }),
    });
    return bytes;
  };
  const want = (repository: string, more: Partial<WantedChart> = {}): WantedChart => ({
    repository,
    name: "web",
    revision: "1.2.0",
    ...more,
  });
  const read = async (charts: ChartSource, wanted: WantedChart) => {
    const archive = await charts.chart(wanted, { maxAge: 0 });
    return { ...archive, bytes: readFileSync(archive.file) };
  };

  it("fetches a chart by a relative and by an absolute address, and each archive once", async () => {
    const repository = await start();
    for (const urls of [["web-1.2.0.tgz"], [`${repository.url}/charts/web-1.2.0.tgz`]]) {
      const bytes = await publish(repository, urls);
      const charts = await source();
      for (const slash of ["", "/"]) {
        const archive = await read(charts, want(`${repository.url}/charts${slash}`));
        expect(archive).toMatchObject({ name: "web", version: "1.2.0", sha256: sha(bytes), size: bytes.length, bytes });
      }
    }
    expect(repository.seen.filter(({ url }) => url.endsWith(".tgz"))).toHaveLength(2);
  });

  it("asks for an index by its ETag, and not at all while it is fresh enough; a new process knows it too", async () => {
    const repository = await start();
    await publish(repository, ["web-1.2.0.tgz"]);
    const directory = join(folder, "restarted");
    const open = () =>
      createChartSource({
        directory,
        dialer: createDialer({ clock, log: silentLogger, metrics: noMetrics }),
        clock,
        credentials: async () => ({ credentials: {}, listed: true }),
      });
    const charts = await open();
    const asked = () => repository.seen.map(({ headers }) => headers["if-none-match"] !== undefined);
    const wanted = want(`${repository.url}/charts`, { revision: "^1" });
    expect(await charts.resolveChart(wanted, { maxAge: 0 })).toBe("1.2.0");
    expect(await charts.resolveChart(wanted, { maxAge: 60_000 })).toBe("1.2.0");
    expect(await charts.resolveChart(wanted, { maxAge: 0 })).toBe("1.2.0");
    expect(await (await open()).resolveChart(wanted, { maxAge: 0 })).toBe("1.2.0");
    expect(asked()).toEqual([false, true, true]);
    repository.files.set("/charts/index.yaml", {
      body: indexOf({ web: [{ name: "web", version: "1.3.0", urls: ["x"] }] }),
    });
    expect(await charts.resolveChart(wanted, { maxAge: 0 })).toBe("1.3.0");
  });

  it("asks once for what many want at the same time", async () => {
    const repository = await start();
    await publish(repository, ["web-1.2.0.tgz"]);
    const charts = await source();
    await Promise.all(Array.from({ length: 20 }, () => charts.chart(want(`${repository.url}/charts`), { maxAge: 0 })));
    expect(repository.seen.map(({ url }) => url)).toEqual(["/charts/index.yaml", "/charts/web-1.2.0.tgz"]);
  });

  it.each([
    { credentials: { username: "bot", password: new Secret("pw") }, header: `Basic ${btoa("bot:pw")}`, why: "basic" },
    { credentials: { bearerToken: new Secret("tok") }, header: "Bearer tok", why: "bearer" },
  ])("sends $why credentials to its own server, and to another only when asked to", async ({ credentials, header }) => {
    const [own, other] = [await start(), await start()];
    const bytes = await publish(own, [`${other.url}/web.tgz`]);
    other.files.set("/web.tgz", { body: bytes });
    const charts = () => source((url) => (url.startsWith(own.url) ? credentials : {}));
    await read(await charts(), want(`${own.url}/charts`));
    expect(own.seen.at(-1)?.headers.authorization).toBe(header);
    expect(other.seen.at(-1)?.headers.authorization).toBeUndefined();
    await read(await charts(), want(`${own.url}/charts`, { passCredentials: true }));
    expect(other.seen.at(-1)?.headers.authorization).toBe(header);
  });

  it("does not carry credentials along a redirect to another host", async () => {
    const [own, other] = [await start(), await start()];
    const bytes = await publish(own, ["moved.tgz"]);
    own.files.set("/charts/moved.tgz", { body: "", status: 302, headers: { location: `${other.url}/web.tgz` } });
    other.files.set("/web.tgz", { body: bytes });
    const charts = await source(() => ({ username: "bot", password: new Secret("pw") }));
    await read(charts, want(`${own.url}/charts`));
    expect(other.seen.at(-1)?.headers.authorization).toBeUndefined();
  });

  it("uses the user that a URL names, and keeps it out of messages", async () => {
    const repository = await start();
    await publish(repository, ["gone.tgz"]);
    const url = `${repository.url.replace("://", "://bot:hunter2@")}/charts`;
    const failed = read(await source(), want(url));
    await expect(failed).rejects.toThrow(/chart web 1\.2\.0 of http:\/\/127\.0\.0\.1:\d+\/charts is not there \(404\)/);
    await expect(failed).rejects.not.toThrow(/hunter2/);
    expect(repository.seen[0]?.headers.authorization).toBe(`Basic ${btoa("bot:hunter2")}`);
  });

  it("checks certificates against the CA that is given, shows its own, and skips the check only where told to", async () => {
    const [server, client] = [await selfSignedCertificate(), await selfSignedCertificate()];
    const repository = await start({ ...server, clientCa: client.cert });
    await publish(repository, ["web-1.2.0.tgz"]);
    const wanted = want(`${repository.url}/charts`);
    await expect(read(await source(), wanted)).rejects.toMatchObject({ code: "Unavailable" });
    await read(await source(() => ({ insecure: true })), wanted);
    expect(repository.seen.at(-1)?.certified).toBe(false);
    const full = { ca: server.cert, tlsClientCertData: client.cert, tlsClientCertKey: new Secret(client.key) };
    await read(await source(() => full), wanted);
    expect(repository.seen.at(-1)?.certified).toBe(true);
  });

  it("refuses an archive that is not what the index says", async () => {
    const repository = await start();
    await publish(repository, ["web-1.2.0.tgz"], { digest: "0".repeat(64) });
    await expect(read(await source(), want(`${repository.url}/charts`))).rejects.toMatchObject({
      code: "DataLoss",
      message: expect.stringContaining(`not ${"0".repeat(64)} as it should`),
    });
  });

  it.each([
    { to: "file:///etc/passwd", code: "PermissionDenied" },
    { to: "http://169.254.169.254/latest/meta-data", code: "PermissionDenied" },
    { to: "http://metadata.google.internal/", code: "PermissionDenied" },
    { to: "http://127.0.0.1:1/web.tgz", code: "PermissionDenied" },
    { to: "http://[::ffff:127.0.0.1]:1/web.tgz", code: "PermissionDenied" },
    { to: "s3://bucket/web.tgz", code: "InvalidArgument" },
  ])("refuses an index that leads to $to, at once and through a redirect", async ({ to, code }) => {
    const repository = await start();
    await publish(repository, [to]);
    const charts = () => source((url) => ({ listed: url.startsWith(repository.url) }));
    await expect(read(await charts(), want(`${repository.url}/charts`))).rejects.toMatchObject({ code });
    await publish(repository, ["away.tgz"]);
    repository.files.set("/charts/away.tgz", { body: "", status: 302, headers: { location: to } });
    // Its own server may lead to itself: the operator has named it.
    if (!to.includes("127.0.0.1")) {
      const away = to.startsWith("file:") ? "InvalidArgument" : code;
      await expect(read(await charts(), want(`${repository.url}/charts`))).rejects.toMatchObject({ code: away });
    }
  });

  it("refuses this machine where a file names the repository, unless a Secret lists it", async () => {
    const repository = await start();
    await publish(repository, ["web-1.2.0.tgz"]);
    const wanted = want(`${repository.url}/charts`, { untrusted: true });
    await expect(read(await source(() => ({ listed: false })), wanted)).rejects.toMatchObject({
      code: "PermissionDenied",
    });
    await read(await source(() => ({ listed: true })), wanted);
  });

  it.each([
    { status: 401, code: "Unauthenticated" },
    { status: 403, code: "Unauthenticated" },
    { status: 404, code: "NotFound" },
    { status: 500, code: "Unavailable" },
    { status: 429, code: "Unavailable" },
  ])("tells $status as $code", async ({ status, code }) => {
    const repository = await start();
    repository.files.set("/charts/index.yaml", { body: "x", status });
    await expect(read(await source(), want(`${repository.url}/charts`))).rejects.toMatchObject({ code });
  });

  it("names what the repository does not have", async () => {
    const repository = await start();
    await publish(repository, ["web-1.2.0.tgz"]);
    const base = `${repository.url}/charts`;
    const charts = await source();
    await expect(read(charts, want(base, { name: "db" }))).rejects.toThrow(`chart "db" is not in ${base}`);
    await expect(read(charts, want(base, { revision: ">2" }))).rejects.toThrow(
      `chart "web" in ${base} has no version that fits ">2" (it has 1)`,
    );
    await expect(read(charts, want(base, { revision: "main" }))).rejects.toThrow(
      'targetRevision: "main" is neither a version nor a semver constraint',
    );
    await expect(read(charts, want(base, { name: "../web" }))).rejects.toThrow("is not the name of a chart");
  });

  it("gives what one owner fetched to that owner alone", async () => {
    const repository = await start();
    await publish(repository, ["web-1.2.0.tgz"]);
    let owner = "team-a";
    const charts = await source(() => ({ owner }));
    await read(charts, want(`${repository.url}/charts`));
    owner = "team-b";
    repository.files.set("/charts/index.yaml", { body: "no", status: 403 });
    await expect(charts.chart(want(`${repository.url}/charts`), { maxAge: 600_000 })).rejects.toMatchObject({
      code: "Unauthenticated",
    });
  });
});

describeWith(["helm"], "versions as helm takes them", () => {
  const versions = [
    "0.9.0",
    "1.0.0",
    "1.2.0",
    "1.2.3",
    "1.3.0-rc.1",
    "1.10.0",
    "2.0.0-alpha",
    "2.0.0-beta.2",
    "0.1.0+b1",
  ];
  let repository: Repository;
  beforeAll(async () => {
    repository = await startRepository();
    const entries = [];
    for (const version of versions) {
      const name = `web-${version}.tgz`;
      repository.files.set(`/${name}`, { body: await packed("web", version) });
      entries.push({ apiVersion: "v2", name: "web", version, urls: [name] });
    }
    repository.files.set("/index.yaml", { body: indexOf({ web: entries }) });
  });
  afterAll(() => repository.close());

  /** The version that helm pulls; it runs beside us, as it asks this process' server. */
  const helm = async (revision: string): Promise<string | undefined> => {
    const home = join(folder, `helm-${count++}`);
    mkdirSync(home);
    const args = ["pull", "web", "--repo", repository.url, "--version", revision, "--untar", "-d", join(home, "out")];
    const env = { PATH: process.env["PATH"] ?? "", HOME: home };
    const failed = await new Promise<boolean>((resolve) => {
      execFile(programPath("helm")!, args, { env }, (error) => resolve(error !== null));
    });
    if (failed) return undefined;
    return /^version: (.*)$/m.exec(readFileSync(join(home, "out", "web", "Chart.yaml"), "utf8"))?.[1];
  };

  it.each([
    "1.2.0",
    "v1.2.0",
    "1.2",
    "1",
    "^1.2",
    "~1.2",
    "~1",
    ">=1 <2",
    ">=1, <1.3",
    "*",
    "",
    "1.x",
    ">0.0.0-0",
    "^2.0.0-0",
    "1.0.0 - 1.2.5",
    "<1 || ^1.3",
    "!=1.10.0",
    "2.0.0-alpha",
    "0.1.0+b1",
    "^3",
    "latest",
  ])("%s", async (revision) => {
    const charts = await source();
    const ours = await charts
      .resolveChart({ repository: repository.url, name: "web", revision }, { maxAge: 60_000 })
      .catch(() => undefined);
    expect(ours).toBe(await helm(revision));
  });
});
