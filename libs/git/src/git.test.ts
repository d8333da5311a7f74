import { join } from "node:path";
import { systemClock, virtualClock } from "@tiphys/clock";
import { Secret } from "@tiphys/secret";
import { createTestRepository, startGitServer, type TestRepository, temporaryDirectory } from "@tiphys/testing";
import {
  canonicalRepositoryUrl,
  checkRepositoryUrl,
  commitAndPush,
  createRepositories,
  PathNotFoundError,
  RepositoryAuthenticationError,
  type RepositoryCredentials,
  RepositoryNotFoundError,
  RevisionNotFoundError,
} from "./index.js";

const searchPath = process.env["PATH"] ?? "";
let folder: ReturnType<typeof temporaryDirectory>;
let source: TestRepository;
let requests: string[];

beforeEach(() => {
  folder = temporaryDirectory();
  source = createTestRepository(join(folder.path, "source"));
  requests = [];
});
afterEach(() => folder.dispose());

const open = (credentials?: RepositoryCredentials) =>
  createRepositories({
    directory: join(folder.path, "mirrors"),
    searchPath,
    clock: systemClock(),
    onRequest: (type) => requests.push(type),
    ...(credentials ? { credentials: async () => credentials } : {}),
  });

it("reads files, folders and commits straight from objects, without a work tree", async () => {
  const sha = source.commit(
    { "a/one.yaml": "one: 1\n", "a/b/two.yaml": "two: 2\n", "c.txt": "c" },
    "first\n\nTiphys-Change: 01ARZ3NDEKTSV4RRFFQ69G5FAV\n",
  );
  const repositories = open();
  const repository = await repositories.open(source.url);
  expect(await repository.resolve("main", 0)).toBe(sha);
  const tree = await repository.folder(sha, "./a/");
  expect((await repository.files(tree, true)).map((file) => file.path)).toEqual(["b/two.yaml", "one.yaml"]);
  expect((await repository.files(tree, false)).map((file) => file.path)).toEqual(["one.yaml"]);
  const [first] = await repository.files(tree, false);
  expect((await repository.blob(first?.id ?? "", 100)).toString()).toBe("one: 1\n");
  await expect(repository.blob(first?.id ?? "", 3)).rejects.toThrow("larger than 3 bytes");
  const commit = await repository.commit(sha);
  expect(commit).toMatchObject({ author: "Test Author <author@example.test>", date: new Date("2030-01-02T03:04:05Z") });
  expect(commit.message).toContain("Tiphys-Change: 01ARZ3NDEKTSV4RRFFQ69G5FAV");
  repositories.close();
});

it("resolves branches, annotated tags, HEAD and commit ids, and asks the remote side only when it must", async () => {
  const first = source.commit({ a: "1" });
  source.git("tag", "-a", "v1", "-m", "one");
  const second = source.commit({ a: "2" });
  source.git("branch", "dev", first);
  const repositories = open();
  const repository = await repositories.open(source.url);
  expect(await repository.resolve("v1", 60_000)).toBe(first);
  expect(await repository.resolve("dev", 60_000)).toBe(first);
  expect(await repository.resolve("refs/heads/main", 60_000)).toBe(second);
  expect(await repository.resolve("", 60_000)).toBe(second);
  expect(await repository.resolve(first.slice(0, 10), 60_000)).toBe(first);
  expect(requests.filter((type) => type === "ls-remote")).toHaveLength(1);
  const third = source.commit({ a: "3" });
  expect(await repository.resolve("main", 60_000)).toBe(second);
  expect(await repository.resolve("main", 0)).toBe(third);
  const asked = requests.length;
  expect(await repository.resolve(third, 0)).toBe(third);
  expect(requests).toHaveLength(asked);
  repositories.close();
});

it("asks once when many want the newest refs at the same time", async () => {
  source.commit({ a: "1" });
  const repositories = open();
  const repository = await repositories.open(source.url);
  await Promise.all(Array.from({ length: 50 }, () => repository.resolve("main", 0)));
  expect(requests.filter((type) => type === "ls-remote").length).toBeLessThanOrEqual(2);
  repositories.close();
});

it("asks again for the newest refs even when no time has passed", async () => {
  source.commit({ a: "1" });
  const repositories = createRepositories({
    directory: join(folder.path, "mirrors"),
    searchPath,
    clock: virtualClock(new Date("2030-01-01T00:00:00Z")),
  });
  const repository = await repositories.open(source.url);
  await repository.resolve("main", 0);
  const second = source.commit({ a: "2" });
  expect(await repository.resolve("main", 0)).toBe(second);
  repositories.close();
});

it("tells a missing repository, revision and path apart", async () => {
  source.commit({ "a/one.yaml": "x" });
  const repositories = open();
  const missing = await repositories.open(`file://${folder.path}/nothing-here`);
  await expect(missing.resolve("main", 0)).rejects.toThrow(RepositoryNotFoundError);
  const repository = await repositories.open(source.url);
  await expect(repository.resolve("no-such", 0)).rejects.toThrow(RevisionNotFoundError);
  await expect(repository.resolve("no-such", 0)).rejects.toThrow("unable to resolve 'no-such'");
  await expect(repository.resolve("1".repeat(40), 0)).rejects.toThrow(RevisionNotFoundError);
  const sha = await repository.resolve("HEAD", 0);
  await expect(repository.folder(sha, "b")).rejects.toThrow(PathNotFoundError);
  await expect(repository.folder(sha, "../etc")).rejects.toThrow(PathNotFoundError);
  repositories.close();
});

it("passes credentials over http, and never shows them", async () => {
  const sha = source.commit({ a: "1" });
  await using server = Object.assign(
    await startGitServer(folder.path, { auth: { username: "bot", password: "hunter2-secret" } }),
    {
      async [Symbol.asyncDispose]() {
        await server.close();
      },
    },
  );
  const good = open({ username: "bot", password: new Secret("hunter2-secret") });
  const repository = await good.open(`${server.url}/source/.git`);
  expect(await repository.resolve("main", 0)).toBe(sha);
  good.close();
  const bad = open({ username: "bot", password: new Secret("wrong-secret") });
  const refused = await bad.open(`${server.url}/source/.git`);
  const error: Error = await refused.resolve("main", 0).catch((e) => e);
  expect(error).toBeInstanceOf(RepositoryAuthenticationError);
  expect(`${error.message} ${error.cause}`).not.toContain("wrong-secret");
  bad.close();
  const absent = open({ username: "bot", password: new Secret("hunter2-secret") });
  await expect((await absent.open(`${server.url}/other.git`)).resolve("main", 0)).rejects.toThrow(
    RepositoryNotFoundError,
  );
  absent.close();
});

it("gives what was fetched for one project to no other that could not fetch it", async () => {
  const sha = source.commit({ a: "1" });
  await using server = Object.assign(
    await startGitServer(folder.path, { auth: { username: "bot", password: "hunter2-secret" } }),
    {
      async [Symbol.asyncDispose]() {
        await server.close();
      },
    },
  );
  const repositories = createRepositories({
    directory: join(folder.path, "mirrors"),
    searchPath,
    clock: systemClock(),
    credentials: async (_, { project }) =>
      project === "a" ? { scope: "a", username: "bot", password: new Secret("hunter2-secret") } : undefined,
  });
  const url = `${server.url}/source/.git`;
  const revisions = ["main", sha];
  for (const revision of revisions) {
    expect(await (await repositories.open(url, { project: "a" })).resolve(revision, 60_000)).toBe(sha);
    const others = await repositories.open(url, { project: "b" });
    await expect(others.resolve(revision, 60_000)).rejects.toThrow(RepositoryAuthenticationError);
  }
  repositories.close();
});

it("commits and pushes, and says so when there is nothing to commit", async () => {
  source.commit({ a: "1" });
  source.git("config", "receive.denyCurrentBranch", "updateInstead");
  const request = {
    url: source.url,
    branch: "main",
    message: "bump",
    author: { name: "bot", email: "bot@example.test" },
    files: { a: "2", "deep/b": "x" },
    directory: join(folder.path, "work"),
    searchPath,
  };
  const sha = await commitAndPush(request);
  expect(sha).toBe(source.git("rev-parse", "main"));
  expect(source.git("show", "main:deep/b")).toBe("x");
  expect(await commitAndPush(request)).toBeUndefined();
});

it.each([
  ["https://User@GitHub.com/Org/Repo.git", "github.com/org/repo"],
  ["git@github.com:org/repo.git", "github.com/org/repo"],
  ["ssh://git@github.com:22/org/repo/", "github.com/org/repo"],
])("knows %s as %s", (url, want) => expect(canonicalRepositoryUrl(url)).toBe(want));

it.each(["", "--upload-pack=x", "ext::sh -c id", "ftp://a/b", "nonsense"])("refuses the URL %j", (url) =>
  expect(() => checkRepositoryUrl(url)).toThrow(/repoURL/),
);
