import { join } from "node:path";
import { systemClock } from "@tiphys/clock";
import type { Dialer } from "@tiphys/dialer";
import { Secret } from "@tiphys/secret";
import {
  createTestRepository,
  describeWith,
  type SshServer,
  startSshServer,
  type TestRepository,
  temporaryDirectory,
} from "@tiphys/testing";
import {
  commitAndPush,
  createRepositories,
  RepositoryAuthenticationError,
  type RepositoryCredentials,
  RepositoryNotFoundError,
} from "./index.js";

const searchPath = process.env["PATH"] ?? "";

describeWith(["sshd", "git"], "git over ssh", () => {
  let folder: ReturnType<typeof temporaryDirectory>;
  let source: TestRepository;
  let server: SshServer;
  let bare: string;
  let tip: string;
  let known: string;
  let made: number;
  beforeAll(async () => {
    made = 0;
    folder = temporaryDirectory();
    source = createTestRepository(join(folder.path, "source"));
    tip = source.commit({ "app/a.yaml": "a: 1\n" });
    bare = join(folder.path, "config.git");
    source.git("clone", "--quiet", "--bare", source.directory, bare);
    server = await startSshServer(join(folder.path, "sshd"));
    known = `[127.0.0.1]:${server.port} ${server.hostKey}`;
  });
  afterAll(async () => {
    await server.close();
    folder.dispose();
  });

  const url = () => `ssh://${server.user}@127.0.0.1:${server.port}${bare}`;
  const key = () => new Secret(server.key);
  const tipOf = async (address: string, credentials: RepositoryCredentials, dialer?: Dialer) => {
    const repositories = createRepositories({
      directory: join(folder.path, `mirrors-${made++}`),
      searchPath,
      clock: systemClock(),
      credentials: async () => credentials,
      ...(dialer ? { dialer } : {}),
    });
    try {
      return await (await repositories.open(address)).resolve("main", 0);
    } finally {
      repositories.close();
    }
  };
  const failure = (credentials: RepositoryCredentials, address = url()): Promise<Error> =>
    tipOf(address, credentials).then(
      () => new Error("it was read"),
      (error) => error,
    );
  /** Everything a log could show of an error. */
  const told = (error: Error) => `${error.message}\n${error.stack}\n${error.cause}`;

  it("reads a repository with its key, where the host key is known", async () => {
    expect(await tipOf(url(), { sshPrivateKey: key(), sshKnownHosts: known })).toBe(tip);
  });

  it("commits and pushes", async () => {
    source.git("push", "--quiet", bare, "main:other");
    const sha = await commitAndPush({
      url: url(),
      branch: "other",
      message: "bump",
      author: { name: "bot", email: "bot@example.test" },
      files: { "app/a.yaml": "a: 2\n" },
      directory: join(folder.path, "work"),
      searchPath,
      credentials: { sshPrivateKey: key(), sshKnownHosts: known },
    });
    expect(source.git("--git-dir", bare, "rev-parse", "other")).toBe(sha);
  });

  it("reads a scp-like URL, whose host the dialer knows better than DNS, by the host key of its name", async () => {
    const asked: string[] = [];
    const dialer = {
      resolve: async (host: string, port: number) => {
        asked.push(`${host}:${port}`);
        return { host: "127.0.0.1", port: server.port };
      },
    } as unknown as Dialer;
    const address = `${server.user}@git.shop.svc:${bare}`;
    const sshKnownHosts = `git.shop.svc ${server.hostKey}`;
    expect(await tipOf(address, { sshPrivateKey: key(), sshKnownHosts }, dialer)).toBe(tip);
    expect(new Set(asked)).toEqual(new Set(["git.shop.svc:22"]));
    await expect(tipOf(address, { sshPrivateKey: key(), sshKnownHosts: known }, dialer)).rejects.toThrow(
      /host key of .*git\.shop\.svc:.* is not known/,
    );
  });

  it("asks the dialer before scp-like URLs too, so that egress policy holds for them", async () => {
    const dialer = {
      resolve: async (host: string) => {
        throw new Error(`egress to ${host} is not allowed`);
      },
    } as unknown as Dialer;
    await expect(tipOf(`git@169.254.169.254:x.git`, { insecureIgnoreHostKey: true }, dialer)).rejects.toThrow(
      "egress to 169.254.169.254 is not allowed",
    );
  });

  it("refuses an unknown host key, saying where it belongs", async () => {
    for (const sshKnownHosts of [undefined, "git.example ssh-ed25519 AAAA"]) {
      const error = await failure({ sshPrivateKey: key(), ...(sshKnownHosts ? { sshKnownHosts } : {}) });
      expect(error.message).toBe(
        `the ssh host key of ssh://127.0.0.1:${server.port}${bare} is not known: add it to argocd-ssh-known-hosts-cm`,
      );
    }
  });

  it("refuses a host key that changed, in other words than an unknown one", async () => {
    const other = `[127.0.0.1]:${server.port} ${server.otherHostKey}`;
    const error = await failure({ sshPrivateKey: key(), sshKnownHosts: other });
    expect(error.message).toMatch(/is not the one in argocd-ssh-known-hosts-cm/);
  });

  it("skips the host key where the Secret says so", async () => {
    expect(await tipOf(url(), { sshPrivateKey: key(), insecureIgnoreHostKey: true })).toBe(tip);
  });

  it.each([
    ["a wrong key", () => server.strangerKey, /refused the credentials: check its repository Secret/],
    ["no key, and none of our own account", () => undefined, /refused the credentials: check its repository Secret/],
    [
      "something that is no key",
      () => "-----BEGIN OPENSSH PRIVATE KEY-----\nbm90IGEga2V5\n-----END OPENSSH PRIVATE KEY-----\n",
      /^sshPrivateKey in the repository Secret of .* cannot be read/,
    ],
  ])("names %s, and never shows it", async (_, text, want) => {
    const given = text();
    const error = await failure({ ...(given ? { sshPrivateKey: new Secret(given) } : {}), sshKnownHosts: known });
    expect(error.message).toMatch(want);
    if (given) expect(told(error)).not.toContain(given.split("\n")[1]);
    if (given === server.strangerKey) expect(error).toBeInstanceOf(RepositoryAuthenticationError);
  });

  it("tells a missing repository from a refused one", async () => {
    const error = await failure({ sshPrivateKey: key(), sshKnownHosts: known }, `${url()}-nothing`);
    expect(error).toBeInstanceOf(RepositoryNotFoundError);
  });
});
