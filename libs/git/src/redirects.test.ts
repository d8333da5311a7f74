import { join } from "node:path";
import { systemClock } from "@tiphys/clock";
import { Secret } from "@tiphys/secret";
import {
  createTestRepository,
  describeWith,
  type GitServer,
  selfSignedCertificate,
  startGitServer,
  temporaryDirectory,
} from "@tiphys/testing";
import { createRepositories, type RepositoryCredentials } from "./index.js";

type Before = NonNullable<Parameters<typeof startGitServer>[1]>["before"];

describeWith(["git"], "redirects of Git servers", () => {
  const auth = { username: "bot", password: "hunter2-secret" };
  const own = { username: auth.username, password: new Secret(auth.password) };
  let folder: ReturnType<typeof temporaryDirectory>;
  let tip: string;
  let tls: { cert: string; key: string };
  let made = 0;
  const servers: GitServer[] = [];
  const serve = async (options: Parameters<typeof startGitServer>[1]) => {
    const server = await startGitServer(folder.path, options);
    servers.push(server);
    return server;
  };
  /** A server that notes what credentials it was shown. */
  const listening = async (options: Parameters<typeof startGitServer>[1] = {}) => {
    const shown: (string | undefined)[] = [];
    const server = await serve({ ...options, before: ({ headers }) => void shown.push(headers.authorization) });
    return { url: server.url, shown };
  };
  const tipOf = async (url: string, credentials: (url: string) => RepositoryCredentials | undefined) => {
    const repositories = createRepositories({
      directory: join(folder.path, `mirrors-${made++}`),
      searchPath: process.env["PATH"] ?? "",
      clock: systemClock(),
      credentials: async (asked) => credentials(asked),
    });
    try {
      const repository = await repositories.open(url);
      const commit = await repository.resolve("main", 0);
      return (await repository.entries(await repository.folder(commit, ""))).length > 0 ? commit : "";
    } finally {
      repositories.close();
    }
  };
  const to =
    (base: () => string): Before =>
    ({ target }) => ({ location: base() + target });

  beforeAll(async () => {
    folder = temporaryDirectory();
    tip = createTestRepository(join(folder.path, "source")).commit({ a: "1" });
    tls = await selfSignedCertificate();
  });
  afterAll(async () => {
    for (const server of servers) await server.close();
    folder.dispose();
  });

  it("does not show the credentials of one port to another", async () => {
    const other = await listening();
    const first = await serve({ auth, before: to(() => other.url) });
    expect(await tipOf(`${first.url}/source/.git`, (url) => (url.startsWith(first.url) ? own : undefined))).toBe(tip);
    expect(new Set(other.shown)).toEqual(new Set([undefined]));
  });

  it("shows the address it was led to the credentials that belong there", async () => {
    const other = await listening({ auth: { username: "other", password: "other-secret" } });
    const first = await serve({ auth, before: to(() => other.url) });
    const theirs = { username: "other", password: new Secret("other-secret") };
    expect(await tipOf(`${first.url}/source/.git`, (url) => (url.startsWith(first.url) ? own : theirs))).toBe(tip);
  });

  it("keeps the credentials where the same server only writes the path in another way", async () => {
    const server = await serve({
      auth,
      before: ({ path, target }) =>
        path.startsWith("/source/.git/") ? undefined : { location: target.replace("/source/", "/source/.git/") },
    });
    expect(await tipOf(`${server.url}/source`, () => own)).toBe(tip);
  });

  it("goes from http to https, where a server asks for it", async () => {
    const secure = await listening({ tls });
    const first = await serve({ before: to(() => secure.url) });
    expect(await tipOf(`${first.url}/source/.git`, () => ({ ca: tls.cert }))).toBe(tip);
  });

  it("never goes from https to http", async () => {
    const plain = await listening();
    const first = await serve({ tls, auth, before: to(() => plain.url) });
    await expect(tipOf(`${first.url}/source/.git`, () => ({ ...own, ca: tls.cert }))).rejects.toThrow(
      /redirects from https to http/,
    );
    expect(plain.shown).toEqual([]);
  });

  it("says where it was led when that is no repository, and ends a circle", async () => {
    const page = await serve({ before: () => ({ location: "/login?next=x", status: 302 }) });
    await expect(tipOf(`${page.url}/source/.git`, () => own)).rejects.toThrow(
      /redirects to .*\/login, which is no Git/,
    );
    const circle = await serve({ before: ({ target }) => ({ location: target.replace("/source", "/source/x") }) });
    await expect(tipOf(`${circle.url}/source/.git`, () => own)).rejects.toThrow(/redirects more than/);
  });
});
