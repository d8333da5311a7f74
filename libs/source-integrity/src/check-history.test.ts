import { execFileSync } from "node:child_process";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { joinKeyRings, parseKeyRing } from "@tiphys/openpgp";
import {
  createGpg,
  createTestRepository,
  describeWith,
  type Gpg,
  type TestRepository,
  temporaryDirectory,
} from "@tiphys/testing";
import { checkHistory, type GitPolicy, parseSignedCommit, verifierOf } from "./index.js";

const now = new Date("2030-06-01T00:00:00Z");
const made = Date.parse("2029-01-01T00:00:00Z") / 1000;

describeWith(["git", "gpg", "sshd"], "signatures of commits and tags as git judges them", () => {
  let gpg: Gpg;
  let folder: ReturnType<typeof temporaryDirectory>;
  let repo: TestRepository;
  let mine: string;
  let other: string;
  let absent: string;
  let brief: string;
  let count = 0;

  beforeAll(() => {
    gpg = createGpg();
    folder = temporaryDirectory();
    [mine, other, absent, brief] = (["mine", "other", "absent", "brief"] as const).map((name) =>
      gpg.key(`${name} <${name}@example.test>`, "ed25519", { at: made, expire: name === "brief" ? "2y" : "0" }),
    ) as [string, string, string, string];
    // git starts what it is told to, so the home and the time come by a program between them.
    const program = join(folder.path, "gpg");
    const at = Date.parse("2030-01-02T03:04:05Z") / 1000;
    writeFileSync(
      program,
      `#!/bin/sh\nGNUPGHOME=${gpg.home} exec gpg --batch --no-tty --trust-model=always --passphrase= --pinentry-mode=loopback --faked-system-time=\${AT:-${at}}! "$@"\n`,
    );
    chmodSync(program, 0o755);
  });
  beforeEach(() => {
    repo = createTestRepository(join(folder.path, `repo-${count++}`));
    repo.git("config", "gpg.program", join(folder.path, "gpg"));
  });
  afterAll(() => {
    gpg.dispose();
    folder.dispose();
  });

  const commit = (by: string | undefined, message = "change") => {
    repo.git("commit", "--quiet", "--allow-empty", ...(by ? [`--gpg-sign=${by}`] : ["--no-gpg-sign"]), "-m", message);
    return repo.git("rev-parse", "HEAD");
  };
  const raw = (id: string) =>
    execFileSync("git", ["cat-file", repo.git("cat-file", "-t", id), id], { cwd: repo.directory });
  const read = async (id: string) => ({ type: repo.git("cat-file", "-t", id), data: raw(id) });
  const keys = () => joinKeyRings([mine, other, brief].map((key) => parseKeyRing(gpg.publicKey(key))));
  const policy = (mode: string, ...allowed: string[]): GitPolicy => ({ gpg: { mode, keys: allowed } });
  const check = (given: GitPolicy, id: string, tag?: string, at = now) =>
    checkHistory({
      policy: given,
      commit: repo.git("rev-parse", `${id}^{commit}`),
      ...(tag ? { tag: { id: repo.git("rev-parse", tag), name: tag } } : {}),
      keys: keys(),
      now: at,
      read,
    });
  /** What a tamperer would store: the object with another text in it. */
  const altered = (id: string, from: string, to: string) => {
    const file = join(folder.path, "altered");
    writeFileSync(file, raw(id).toString("latin1").replace(from, to), "latin1");
    return repo.git("hash-object", "-t", repo.git("cat-file", "-t", id), "-w", file);
  };
  const author = "Test Author <author@example.test>";

  it("takes a commit that an allowed key has signed, by its id or its fingerprint", async () => {
    const id = commit(mine);
    expect(await check(policy("head", mine.slice(-16)), id)).toEqual([]);
    expect(await check(policy("head", mine.toLowerCase()), id)).toEqual([]);
    // git says so too.
    repo.git("verify-commit", id);
  });

  it("tells in Argo CD's words what is wrong", async () => {
    const [unsigned, stranger, unallowed, expiring] = [commit(undefined), commit(absent), commit(other), commit(brief)];
    const forged = altered(commit(mine, "ten"), "ten", "all");
    const says = (id: string, at?: Date) => check(policy("head", mine, brief), id, undefined, at);
    const start = (id: string) => `GIT/GPG: Failed verifying revision ${id} by '${author}': `;
    expect(await says(unsigned)).toEqual([`${start(unsigned)}unsigned (key_id=)`]);
    expect(await says(stranger)).toEqual([
      `${start(stranger)}signed with key not in keyring (key_id=${absent.slice(-16)})`,
    ]);
    expect(await says(unallowed)).toEqual([
      `${start(unallowed)}signed with unallowed key (key_id=${other.slice(-16)})`,
    ]);
    expect(await says(forged)).toEqual([`${start(forged)}bad signature (key_id=${mine.slice(-16)})`]);
    expect(await says(expiring)).toEqual([]);
    expect(await says(expiring, new Date("2032-01-01T00:00:00Z"))).toEqual([
      `${start(expiring)}signed with expired key (key_id=${brief.slice(-16)})`,
    ]);
  });

  it("verifies an annotated tag in place of its commit, and a light one as its commit", async () => {
    const id = commit(undefined);
    repo.git("tag", "--local-user", mine, "-s", "v1", "-m", "one");
    repo.git("tag", "-a", "v2", "-m", "two");
    expect(await check(policy("head", mine), id, "v1")).toEqual([]);
    expect(await check(policy("head", mine), id, "v2")).toEqual([
      `GIT/GPG: Failed verifying revision v2 by 'Test Author "<author@example.test>"': unsigned (key_id=)`,
    ]);
    expect(await check(policy("strict", mine), id, "v1")).toEqual([
      `GIT/GPG: Failed verifying revision ${id} by '${author}': unsigned (key_id=)`,
    ]);
  });

  it("takes no signed tag for another name or another commit, whatever the server says", async () => {
    const id = commit(undefined);
    repo.git("tag", "--local-user", mine, "-s", "v1", "-m", "one");
    const tag = repo.git("rev-parse", "v1");
    const next = commit(undefined);
    const base = { policy: policy("head", mine), keys: keys(), now, read };
    const key = mine.slice(-16);
    expect(await checkHistory({ ...base, commit: id, tag: { id: tag, name: "v2" } })).toEqual([
      expect.stringContaining(`the tag that is signed is named "v1" (key_id=${key})`),
    ]);
    expect(await checkHistory({ ...base, commit: next, tag: { id: tag, name: "v1" } })).toEqual([
      expect.stringContaining(`the tag that is signed is of another commit (key_id=${key})`),
    ]);
  });

  it("goes back to the first commit in strict mode, and tells each key once", async () => {
    commit(mine);
    const [old] = [commit(other), commit(other), commit(mine)];
    const last = commit(mine);
    expect(await check(policy("head", mine), last)).toEqual([]);
    const problems = await check(policy("strict", mine), last);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(`signed with unallowed key (key_id=${other.slice(-16)})`);
    expect(problems[0]).not.toContain(old);
    expect(await check(policy("strict", mine, other), last)).toEqual([]);
  });

  it("stops at commits that an allowed key has sealed, and at no others", async () => {
    commit(undefined);
    commit(other, "Argocd-gpg-seal: nobody may");
    commit(undefined, "ARGOCD-GPG-SEAL: unsigned");
    const before = commit(undefined);
    const seal = commit(mine, "audited\n\nArgocd-gpg-seal: by hand");
    expect(await check(policy("strict", mine), before)).toHaveLength(4);
    expect(await check(policy("strict", mine), seal)).toEqual([]);
    const after = commit(mine);
    expect(await check(policy("strict", mine), after)).toEqual([]);
    // What a merge brings in beside the seal is not sealed.
    repo.git("checkout", "--quiet", "-b", "side", before);
    const side = commit(undefined);
    repo.git("checkout", "--quiet", "main");
    repo.git("merge", "--quiet", `--gpg-sign=${mine}`, "--no-ff", "-m", "merge", "side");
    const problems = await check(policy("strict", mine), "main");
    // The side, and where it leaves what is sealed.
    expect(problems.map((problem) => /revision (\w+)/.exec(problem)?.[1]).sort()).toEqual([side, before].sort());
  });

  it.each(["ed25519", "ecdsa", "rsa"])("judges signatures of ssh keys of type %s as git does", async (type) => {
    const key = join(folder.path, `key-${type}`);
    execFileSync("ssh-keygen", ["-q", "-t", type, "-N", "", "-C", "", "-f", key]);
    const line = `bot@example.test ${readFileSync(`${key}.pub`, "utf8").trim()}`;
    writeFileSync(`${key}.signers`, `${line}\n`);
    repo.git("config", "gpg.format", "ssh");
    repo.git("config", "gpg.ssh.allowedSignersFile", `${key}.signers`);
    const id = commit(`${key}.pub`);
    repo.git("verify-commit", id);
    const forged = altered(id, "change", "charge");
    expect(() => repo.git("verify-commit", forged)).toThrow();
    const ssh = (...signers: string[]): GitPolicy => ({ ssh: { mode: "head", signers } });
    expect(await check(ssh(line), id)).toEqual([]);
    expect(await check(ssh(`* namespaces="git" ${line.split(" ").slice(1).join(" ")} a comment`), id)).toEqual([]);
    expect(await check(ssh(line), forged)).toEqual([expect.stringMatching(/bad signature \(key_id=SHA256:.{43}\)$/)]);
    expect(await check(ssh(), id)).toEqual([expect.stringContaining("signed with unallowed key (key_id=SHA256:")]);
    // A policy of one kind takes no signature of the other.
    expect(await check(policy("head", mine), id)).toEqual([expect.stringContaining("unsigned")]);
    repo.git("tag", "--local-user", `${key}.pub`, "-s", "v1", "-m", "one");
    expect(await check(ssh(line), id, "v1")).toEqual([]);
  });

  it("takes no ssh signature that was made for another purpose", () => {
    const key = join(folder.path, "key-purpose");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", key]);
    const line = `bot ${readFileSync(`${key}.pub`, "utf8").trim()}`;
    const payload = Buffer.from("tree\n");
    const text = execFileSync("ssh-keygen", ["-q", "-Y", "sign", "-n", "file", "-f", key, "-"], {
      input: payload,
    }).toString();
    const verifier = verifierOf({ ssh: { mode: "head", signers: [line] } }, keys(), now);
    expect(verifier.verify({ payload, signature: { kind: "ssh", text } }).verdict).toBe("bad signature");
  });

  it("leaves what is not a signature as it was signed, byte by byte", () => {
    repo.git("config", "i18n.commitEncoding", "latin1");
    const id = commit(mine, "caf\u00e9\n\n gpgsig is no header here");
    repo.git("verify-commit", id);
    const { payload, signature } = parseSignedCommit(raw(id));
    expect(signature?.kind).toBe("openpgp");
    expect(verifierOf(policy("head", mine), keys(), now).verify({ payload, signature })).toMatchObject({
      verdict: "signed",
      allowed: true,
    });
  });
});
