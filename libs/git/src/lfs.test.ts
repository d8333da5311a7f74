import { createHash } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { systemClock } from "@tiphys/clock";
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
import { createRepositories, createSubmodules, parseLfsPointer, type Repository } from "./index.js";

const content = "kind: ConfigMap\n";
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const pointerTo = (oid: string, size: number) =>
  `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize ${size}\n`;

interface Asked {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

describeWith(["git"], "Git LFS", () => {
  const auth = { username: "bot", password: "hunter2-secret" };
  const basic = `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString("base64")}`;
  let folder: ReturnType<typeof temporaryDirectory>;
  let git: GitServer;
  let front: Server;
  let store: Server;
  let asked: Asked[];
  let answer: (oid: string) => { status?: number; object?: object };
  let stored: Record<string, string>;
  let count = 0;
  const at = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  /** Notes what it is asked, and answers with what `reply` says. */
  const serve = async (reply: (asked: Asked) => { status?: number; body?: string } | undefined) => {
    const server = createServer(async (request, response) => {
      const parts: Buffer[] = [];
      for await (const part of request) parts.push(part);
      const said = { path: request.url ?? "", headers: request.headers, body: Buffer.concat(parts).toString() };
      const own = reply(said);
      if (own) {
        asked.push(said);
        return void response.writeHead(own.status ?? 200).end(own.body);
      }
      // All else is Git's.
      const passed = await fetch(git.url + said.path, {
        method: request.method ?? "GET",
        headers: Object.entries(request.headers).flatMap(([name, value]) =>
          /^(?:authorization|content-type|git-protocol|accept)$/.test(name)
            ? [[name, String(value)] as [string, string]]
            : [],
        ),
        ...(said.body ? { body: Buffer.concat(parts) } : {}),
      });
      response.writeHead(passed.status, { "content-type": passed.headers.get("content-type") ?? "" });
      response.end(Buffer.from(await passed.arrayBuffer()));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return server;
  };
  beforeAll(async () => {
    folder = temporaryDirectory();
    git = await startGitServer(folder.path, { auth });
    front = await serve(({ path, body, headers }) => {
      if (path.startsWith("/objects/")) return { body: stored[path.slice(9)] ?? "" };
      if (!path.endsWith("/info/lfs/objects/batch")) return undefined;
      if (headers.authorization !== basic) return { status: 401 };
      const [{ oid }] = JSON.parse(body).objects;
      const { status = 200, object = {} } = answer(oid);
      return { status, body: JSON.stringify({ transfer: "basic", objects: [{ oid, ...object }] }) };
    });
    store = await serve(({ path }) => ({ body: stored[path.slice(1)] ?? "" }));
  });
  afterAll(async () => {
    for (const server of [front, store]) {
      server.closeAllConnections();
      server.close();
    }
    await git.close();
    folder.dispose();
  });
  beforeEach(() => {
    asked = [];
    stored = { [sha256(content)]: content };
    answer = (oid) => ({ object: { actions: { download: { href: `${at(front)}/objects/${oid}` } } } });
  });

  const opened = async (pointer: string, directory = `mirrors-${count}`, enableLfs = true) => {
    const name = `repo-${count++}`;
    const source = createTestRepository(join(folder.path, name));
    const commit = source.commit({ "app/a.yaml": pointer, "app/b.yaml": "plain: 1\n" });
    const clock = systemClock();
    const repositories = createRepositories({
      directory: join(folder.path, directory),
      searchPath: process.env["PATH"] ?? "",
      clock,
      dialer: createDialer({ clock, log: silentLogger, metrics: noMetrics }),
      credentials: async () => ({ username: auth.username, password: new Secret(auth.password), enableLfs }),
    });
    const repository = await repositories.open(`${at(front)}/${name}/.git`);
    await repository.resolve("main", 0);
    return { repository, commit, repositories };
  };
  const read = async (repository: Repository, commit: string, name = "a.yaml", most = 1000) => {
    const tree = await repository.folder(commit, "app");
    const entry = (await repository.entries(tree)).find((each) => each.name === name);
    return { id: entry?.id, text: (await repository.blob(entry?.id ?? "", most)).toString() };
  };

  it("reads contents in place of their pointers, once, with the repository's credentials", async () => {
    const { repository, commit, repositories } = await opened(pointerTo(sha256(content), content.length));
    const [one, two] = await Promise.all([read(repository, commit), read(repository, commit)]);
    expect([one.text, two.text]).toEqual([content, content]);
    expect((await read(repository, commit, "b.yaml")).text).toBe("plain: 1\n");
    expect(asked.map(({ path, headers }) => [path.split("/").slice(2).join("/"), headers.authorization])).toEqual([
      [".git/info/lfs/objects/batch", basic],
      [sha256(content), basic],
    ]);
    expect(JSON.parse(asked[0]?.body ?? "")).toMatchObject({
      operation: "download",
      objects: [{ oid: sha256(content), size: content.length }],
    });
    // What is kept of it by its id is not taken for the pointer.
    const submodules = createSubmodules({ repositories, isListed: async () => true });
    const files = await submodules.files(repository, commit, { project: "", enabled: true });
    expect(files.id).not.toBe((await repository.commit(commit)).tree);
    repositories.close();
  });

  it("leaves pointers as they are where nobody asks for the contents", async () => {
    const pointer = pointerTo(sha256(content), content.length);
    const { repository, commit, repositories } = await opened(pointer, `mirrors-${count}`, false);
    expect((await read(repository, commit)).text).toBe(pointer);
    repositories.close();
  });

  it("shows another server what the answer says, and no credentials", async () => {
    answer = (oid) => ({
      object: { actions: { download: { href: `${at(store)}/${oid}`, header: { "x-signed": "yes" } } } },
    });
    const { repository, commit, repositories } = await opened(pointerTo(sha256(content), content.length));
    // That is on this machine too, which a server may not lead to but where it is itself.
    expect((await read(repository, commit)).text).toBe(content);
    expect(asked.at(-1)?.headers).toMatchObject({ "x-signed": "yes" });
    expect(asked.at(-1)?.headers.authorization).toBeUndefined();
    repositories.close();
  });

  it.each([
    { why: "other bytes", with: { [sha256(content)]: "kind: ConfigMa!\n" }, want: /is not what its pointer says/ },
    { why: "too few bytes", with: { [sha256(content)]: "kind" }, want: /is not what its pointer says/ },
    { why: "too many bytes", with: { [sha256(content)]: `${content}more` }, want: /is larger than 16 bytes/ },
  ])("takes nothing that the pointer does not describe: $why", async ({ with: wrong, want }) => {
    stored = wrong;
    const { repository, commit, repositories } = await opened(pointerTo(sha256(content), content.length));
    await expect(read(repository, commit)).rejects.toThrow(want);
    repositories.close();
  });

  it.each([
    {
      why: "gone",
      reply: { object: { error: { code: 404, message: "Object does not exist" } } },
      want: /has no object/,
    },
    { why: "no LFS", reply: { status: 404 }, want: /has no Git LFS/ },
    { why: "refused", reply: { status: 403 }, want: /refused the credentials/ },
    {
      why: "a scheme",
      reply: { object: { actions: { download: { href: "file:///etc/passwd" } } } },
      want: /not followed/,
    },
    { why: "nowhere", reply: { object: {} }, want: /does not say where/ },
    { why: "metadata", reply: { object: { actions: { download: { href: "http://169.254.169.254/x" } } } }, want: /./ },
  ])("says what a server answers: $why", async ({ reply, want }) => {
    answer = () => reply;
    const { repository, commit, repositories } = await opened(pointerTo(sha256(content), content.length));
    await expect(read(repository, commit)).rejects.toThrow(want);
    repositories.close();
  });

  it("does not fetch what would be too large", async () => {
    const { repository, commit, repositories } = await opened(pointerTo(sha256(content), 10 ** 9));
    await expect(read(repository, commit)).rejects.toThrow("a file of Git LFS is larger than 1000 bytes");
    expect(asked).toEqual([]);
    repositories.close();
  });
});

it.each([
  [pointerTo("a".repeat(64), 5), { oid: "a".repeat(64), size: 5 }],
  [
    `version https://git-lfs.github.com/spec/v1\next-0-x sha256:1\noid sha256:${"b".repeat(64)}\nsize 1\n`,
    { oid: "b".repeat(64), size: 1 },
  ],
  ["version: 1\nkind: x\n", undefined],
  [pointerTo("A".repeat(64), 5), undefined],
  [pointerTo("a".repeat(64), -5), undefined],
  [pointerTo("a".repeat(64), 5) + " ".repeat(1024), undefined],
  ["", undefined],
])("reads the pointer %j", (text, want) => expect(parseLfsPointer(Buffer.from(text))).toEqual(want));
