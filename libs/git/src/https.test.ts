import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "@tiphys/clock";
import type { Dialer } from "@tiphys/dialer";
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

describeWith(["git"], "git over https with a certificate that no public authority signed", () => {
  const auth = { username: "bot", password: "hunter2-secret" };
  let folder: ReturnType<typeof temporaryDirectory>;
  let server: GitServer;
  let plain: GitServer;
  let ca: string;
  let first: string;
  let tip: string;
  let made = 0;
  beforeAll(async () => {
    folder = temporaryDirectory();
    const source = createTestRepository(join(folder.path, "source"));
    first = source.commit({ a: "1" });
    tip = source.commit({ a: "2" });
    const tls = await selfSignedCertificate("git.shop.svc");
    ca = tls.cert;
    server = await startGitServer(folder.path, { tls, auth });
    plain = await startGitServer(folder.path, { auth });
  });
  afterAll(async () => {
    await server.close();
    await plain.close();
    folder.dispose();
  });
  const password = () => new Secret(auth.password);
  const repositoriesWith = (credentials: RepositoryCredentials, dialer?: Dialer) =>
    createRepositories({
      directory: join(folder.path, `mirrors-${made++}`),
      searchPath: process.env["PATH"] ?? "",
      clock: systemClock(),
      credentials: async () => ({ username: auth.username, password: password(), ...credentials }),
      ...(dialer ? { dialer } : {}),
    });
  const tipOf = async (url: string, credentials: RepositoryCredentials, dialer?: Dialer) => {
    const repositories = repositoriesWith(credentials, dialer);
    try {
      return await (await repositories.open(url)).resolve("main", 0);
    } finally {
      repositories.close();
    }
  };
  const url = () => `${server.url}/source/.git`;
  /** As the node runtime does: the cluster's names lead to a forwarder on some port of the loopback. */
  const forwarder = (of: GitServer) =>
    ({ resolve: async () => ({ host: "127.0.0.1", port: Number(new URL(of.url).port) }) }) as unknown as Dialer;

  it("trusts the CA it was given", async () => expect(await tipOf(url(), { ca })).toBe(tip));

  it("skips the check where the Secret says so", async () => expect(await tipOf(url(), { insecure: true })).toBe(tip));

  it("refuses the certificate otherwise, and says where its CA belongs", async () => {
    await expect(tipOf(url(), {})).rejects.toThrow(
      /^the TLS certificate of https:.* is not trusted \(.*certificate.*\): add its CA to argocd-tls-certs-cm under the key 127\.0\.0\.1, or set insecure: "true" in its repository Secret$/,
    );
  });

  it("refuses another CA than the server's", async () => {
    const other = await selfSignedCertificate();
    await expect(tipOf(url(), { ca: other.cert })).rejects.toThrow(/is not trusted/);
  });

  it("follows cluster names to another port, and still checks the name", async () => {
    expect(await tipOf("https://git.shop.svc/source/.git", { ca }, forwarder(server))).toBe(tip);
    await expect(tipOf("https://wrong.shop.svc/source/.git", { ca }, forwarder(server))).rejects.toThrow(
      /the TLS certificate of https:\/\/wrong\.shop\.svc.* is not trusted/,
    );
  });

  it("keeps the name in plain http too, where a server may serve many", async () => {
    expect(await tipOf("http://git.shop.svc/source/.git", {}, forwarder(plain))).toBe(tip);
    expect(plain.hosts.at(-1)).toBe("git.shop.svc");
  });

  it("fetches no more commits than depth asks for", async () => {
    const shallow = repositoriesWith({ ca, depth: 1 });
    const repository = await shallow.open(url());
    expect(await repository.resolve("main", 0)).toBe(tip);
    const [mirror = ""] = readdirSync(join(folder.path, `mirrors-${made - 1}`)).filter((name) => name.endsWith(".git"));
    const here = () =>
      execFileSync("git", ["rev-list", "--all"], { cwd: join(folder.path, `mirrors-${made - 1}`, mirror) }).toString();
    expect(here().trim()).toBe(tip);
    // Asked for by name, an older commit is fetched after all.
    expect(await repository.resolve(first, 0)).toBe(first);
    expect(here()).toContain(first);
    shallow.close();
  });
});
