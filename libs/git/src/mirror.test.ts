import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "@tiphys/clock";
import {
  createTestRepository,
  describeWith,
  type GitServer,
  startGitServer,
  type TestRepository,
  temporaryDirectory,
} from "@tiphys/testing";
import { createRepositories, type Repositories, RevisionNotFoundError } from "./index.js";

/** Text that does not get smaller. */
const noise = (bytes: number, seed: number) => {
  let state = seed;
  return Array.from({ length: bytes / 8 }, () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state.toString(16).padStart(8, "0");
  }).join("");
};

describeWith(["git"], "mirrors", () => {
  let folder: ReturnType<typeof temporaryDirectory>;
  let source: TestRepository;
  let server: GitServer;
  let open: Repositories[];
  let before: NonNullable<Parameters<typeof startGitServer>[1]>["before"];
  let fetches: string[];
  beforeEach(async () => {
    folder = temporaryDirectory();
    source = createTestRepository(join(folder.path, "source"));
    open = [];
    before = undefined;
    fetches = [];
    server = await startGitServer(folder.path, {
      before: (request) => {
        if (request.body.includes("command=fetch")) fetches.push(request.body);
        return before?.(request);
      },
    });
  });
  afterEach(async () => {
    for (const each of open) each.close();
    await server.close();
    folder.dispose();
  });

  const directory = () => join(folder.path, "mirrors");
  const repositories = (options: { silence?: number; maxBytes?: number } = {}) => {
    const made = createRepositories({
      directory: directory(),
      searchPath: process.env["PATH"] ?? "",
      clock: systemClock(),
      ...options,
    });
    open.push(made);
    return made;
  };
  const url = () => `${server.url}/source/.git`;
  const mirror = () =>
    join(directory(), readdirSync(directory()).find((name) => name.endsWith(".git")) ?? "no mirror was made");
  const bytes = () =>
    readdirSync(join(mirror(), "objects", "pack")).reduce(
      (sum, name) => sum + statSync(join(mirror(), "objects", "pack", name)).size,
      0,
    );
  const read = async (repository: Awaited<ReturnType<Repositories["open"]>>, revision: string, path: string) => {
    const commit = await repository.resolve(revision, 0);
    const files = await repository.files(await repository.folder(commit, path), true);
    return Promise.all(files.map(async ({ id }) => (await repository.blob(id, 1e7)).toString()));
  };

  it.each([
    ["1.2.*", undefined, "v1.2.1"],
    ["^v1", undefined, "v1.10.0"],
    [">=1 <1.3", undefined, "v1.2.1"],
    ["*", undefined, "v1.10.0"],
    ["v1.2.0", undefined, "v1.2.0"],
    ["^1", "app-", "app-1.1.0"],
    ["1.0.0", "app-", "app-1.0.0"],
    ["main", "app-", "main"],
  ])("resolves %s with tag prefix %j to %s", async (revision, prefix, want) => {
    for (const tag of ["v1.2.0", "app-1.0.0", "v1.2.1", "v1.10.0", "app-1.1.0", "v2.0.0-rc.1", "noise"]) {
      source.commit({ a: tag });
      source.git("tag", ...(tag === "v1.10.0" ? ["-a", "-m", "annotated"] : []), tag);
    }
    source.commit({ a: "tip" });
    const repository = await repositories().open(source.url);
    const commit = source.git("rev-parse", `${want}^{commit}`);
    expect(await repository.resolve(revision, 0, prefix)).toBe(commit);
    const { ref } = await repository.resolveNamed(revision, 60_000, prefix);
    expect(ref).toBe(want === "main" ? "refs/heads/main" : `refs/tags/${want}`);
  });

  it("says that no tag fits a constraint, and takes a tag before a branch of the same name, as git does", async () => {
    const tagged = source.commit({ a: "1" });
    source.git("tag", "same");
    source.git("checkout", "--quiet", "-b", "same");
    const branch = source.commit({ a: "2" });
    const repository = await repositories().open(source.url);
    await expect(repository.resolve("^9", 0)).rejects.toThrow(/^unable to resolve '\^9' to a commit SHA: /);
    expect(await repository.resolve("same", 0)).toBe(tagged);
    expect(await repository.resolve("heads/same", 0)).toBe(branch);
  });

  describe("of a server that gives parts", () => {
    beforeEach(() => {
      source.git("config", "uploadpack.allowFilter", "true");
      source.git("config", "uploadpack.allowAnySHA1InWant", "true");
    });

    it("leave large files outside a source where they are, and get those of a source in one go", async () => {
      for (let version = 1; version <= 3; version++) source.commit({ "big/blob": noise(2_000_000, version) });
      source.commit(
        Object.fromEntries(
          Array.from({ length: 40 }, (_, index) => [`app/${index % 4}/${index}.yaml`, `n: ${index}\n`]),
        ),
      );
      const repository = await repositories().open(url());
      expect(await read(repository, "main", "app")).toHaveLength(40);
      expect(bytes()).toBeLessThan(100_000);
      // The commit, then what the folder holds.
      expect(fetches).toHaveLength(2);
      // A later commit brings its small files with it.
      source.commit({ "app/0/0.yaml": "n: new\n", "big/blob": noise(2_000_000, 9) });
      expect(await read(repository, "main", "app")).toContain("n: new\n");
      expect(fetches).toHaveLength(3);
      expect(bytes()).toBeLessThan(100_000);
      // A large file is there for whoever reads it.
      const [big = ""] = await read(repository, "main", "big");
      expect(big === noise(2_000_000, 9)).toBe(true);
    });

    it("get what is missing in one batch where it is larger than what comes with a folder", async () => {
      source.commit(Object.fromEntries(Array.from({ length: 5 }, (_, n) => [`app/${n}`, noise(1_200_000, n)])));
      const repository = await repositories().open(url());
      expect(await read(repository, "main", "app")).toHaveLength(5);
      expect(fetches).toHaveLength(3);
    });
  });

  it("are whole where a server gives no single objects", async () => {
    source.git("config", "uploadpack.allowFilter", "true");
    source.commit({ "app/a": "a" });
    // The old protocol, in which a client may want nothing but tips.
    const repository = await createRepositories({
      directory: directory(),
      searchPath: process.env["PATH"] ?? "",
      clock: systemClock(),
      configuration: [["protocol.version", "0"]],
    }).open(url());
    expect(await read(repository, "main", "app")).toEqual(["a"]);
    expect(existsSync(join(mirror(), "tiphys-full"))).toBe(true);
  });

  it("fetch different commits side by side: a slow one holds up no other", async () => {
    const first = source.commit({ a: "1" });
    source.git("branch", "slow", first);
    const second = source.commit({ a: "2" });
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let waiting = false;
    before = ({ body }) => {
      if (!body.includes(`want ${first}`)) return;
      waiting = true;
      return held;
    };
    const repository = await repositories().open(url());
    const slow = repository.resolve("slow", 0);
    await repository.refs(60_000);
    expect(await repository.resolve("main", 60_000)).toBe(second);
    expect(await read(repository, second, "")).toEqual(["2"]);
    expect(waiting).toBe(true);
    release();
    expect(await slow).toBe(first);
  });

  it("give up a server that has stalled, and say so", async () => {
    source.commit({ a: "1" });
    before = ({ method }) => (method === "POST" ? new Promise<undefined>(() => {}) : undefined);
    const repository = await repositories({ silence: 300 }).open(url());
    await expect(repository.resolve("main", 0)).rejects.toThrow(/git did not answer in time/);
    before = undefined;
    expect(await read(await repositories().open(url()), "main", "")).toEqual(["1"]);
  });

  it("go on after a sudden end: locks, halves of packs and empty refs are swept away", async () => {
    const commit = source.commit({ a: "1" });
    const first = repositories();
    expect(await read(await first.open(url()), "main", "")).toEqual(["1"]);
    first.close();
    for (const name of ["shallow.lock", "config.lock", "packed-refs.lock", `refs/tiphys/${"1".repeat(40)}`]) {
      writeFileSync(join(mirror(), name), "");
    }
    writeFileSync(join(mirror(), "refs/tiphys", `${commit}.lock`), "");
    writeFileSync(join(mirror(), "objects/pack/tmp_pack_abc"), "half");
    writeFileSync(join(mirror(), `objects/pack/pack-${"2".repeat(40)}.pack`), "half");
    execFileSync("mkdir", ["-p", `${mirror()}.new`]);
    source.commit({ a: "2" });
    expect(await read(await repositories().open(url()), "main", "")).toEqual(["2"]);
    expect(readdirSync(join(mirror(), "objects/pack")).filter((name) => /tmp|22222/.test(name))).toEqual([]);
  });

  it.each([
    [
      "a pack cut short",
      (path: string) => {
        const packs = readdirSync(join(path, "objects/pack")).filter((name) => name.endsWith(".pack"));
        for (const name of packs) truncateSync(join(path, "objects/pack", name), 40);
      },
    ],
    ["a lost configuration", (path: string) => writeFileSync(join(path, "config"), "[core\n")],
    ["lost packs", (path: string) => execFileSync("sh", ["-c", `rm -rf ${path}/objects/pack/*`])],
    [
      "a ref to nothing",
      (path: string) => writeFileSync(join(path, "refs/tiphys", "1".repeat(40)), `${"1".repeat(40)}\n`),
    ],
  ])("are made anew after %s", async (_, damage) => {
    source.commit({ a: "1" });
    const first = repositories();
    expect(await read(await first.open(url()), "main", "")).toEqual(["1"]);
    first.close();
    execFileSync("chmod", ["-R", "u+w", mirror()]);
    damage(mirror());
    source.commit({ a: "2" });
    const repository = await repositories().open(url());
    expect(await read(repository, "main", "")).toEqual(["2"]);
    source.commit({ a: "3" });
    expect(await read(repository, "main", "")).toEqual(["3"]);
  });

  it("are kept in bounds: unused ones go, then those used longest ago", async () => {
    const names = ["one", "two", "three"];
    for (const name of names) createTestRepository(join(folder.path, name)).commit({ a: noise(40_000, name.length) });
    const first = repositories();
    const mirrors: string[] = [];
    for (const [index, name] of names.entries()) {
      await (await first.open(`file://${folder.path}/${name}`)).resolve("main", 0);
      mirrors.push(readdirSync(directory()).find((each) => each.endsWith(".git") && !mirrors.includes(each)) ?? "");
      const age = [40, 3, 2][index] ?? 0;
      const time = new Date(Date.now() - age * 86_400_000);
      const stamp = join(directory(), mirrors[index] ?? "", "tiphys-used");
      writeFileSync(stamp, "");
      utimesSync(stamp, time, time);
    }
    first.close();
    source.commit({ a: "1" });
    const second = repositories({ maxBytes: 30_000 });
    await second.open(source.url);
    await second.swept();
    expect(mirrors.map((name) => existsSync(join(directory(), name)))).toEqual([false, false, true]);
    expect(readFileSync(join(directory(), mirrors[2] ?? "", "HEAD"), "utf8")).toContain("ref:");
  });

  it("do not ask for all of a repository because of a commit that does not exist", async () => {
    source.commit({ a: "1" });
    const repository = await repositories().open(url());
    await expect(repository.resolve("1".repeat(40), 0)).rejects.toThrow(RevisionNotFoundError);
    expect(fetches).toHaveLength(1);
  });
});
