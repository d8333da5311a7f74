import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { systemClock } from "@tiphys/clock";
import { Secret } from "@tiphys/secret";
import {
  createTestRepository,
  describeWith,
  type GitServer,
  type SshServer,
  selfSignedCertificate,
  startGitServer,
  startSshServer,
  temporaryDirectory,
} from "@tiphys/testing";
import { createRepositories, type RepositoryCredentials } from "./index.js";

describeWith(["git", "sshd"], "proxies and client certificates", () => {
  let folder: ReturnType<typeof temporaryDirectory>;
  let https: GitServer;
  let strict: GitServer;
  let ssh: SshServer;
  let socks: Server;
  let http: Server;
  let asked: string[];
  let tip: string;
  let tls: { cert: string; key: string };
  let client: { cert: string; key: string };
  let made = 0;

  beforeAll(async () => {
    folder = temporaryDirectory();
    tip = createTestRepository(join(folder.path, "source")).commit({ a: "1" });
    [tls, client] = [await selfSignedCertificate("git.shop.test"), await selfSignedCertificate("bot")];
    https = await startGitServer(folder.path, { tls });
    strict = await startGitServer(folder.path, { tls: { ...tls, ca: client.cert } });
    ssh = await startSshServer(join(folder.path, "sshd"));
    // Whatever name they are asked for, these lead to where the tests are.
    http = createHttpServer().on("connect", (request, near) => {
      const who = request.headers["proxy-authorization"];
      // git says who it is once it is asked.
      if (!who)
        return void near.end(
          'HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm="x"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
        );
      asked.push(`CONNECT ${request.url} ${who}`);
      const far = connect(Number(new URL(https.url).port), "127.0.0.1", () => {
        near.write("HTTP/1.1 200 OK\r\n\r\n");
        near.pipe(far);
        far.pipe(near);
      });
      for (const socket of [near, far]) socket.on("error", () => {});
    });
    socks = createServer((near) => {
      let step = 0;
      near.on("error", () => {});
      near.on("data", function shake(data) {
        if (step === 0) {
          near.write(Buffer.from([5, 2]));
          step = 1;
        } else if (step === 1) {
          const user = data.subarray(2, 2 + (data[1] ?? 0)).toString();
          const right = data.toString("latin1").endsWith("pass word");
          near.write(Buffer.from([1, right ? 0 : 1]));
          asked.push(`SOCKS ${user} ${right}`);
          step = 2;
        } else {
          asked.push(`SOCKS ${data.subarray(5, 5 + (data[4] ?? 0)).toString()}:${data.readUInt16BE(data.length - 2)}`);
          near.off("data", shake);
          const far = connect(ssh.port, "127.0.0.1", () => {
            near.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
            near.pipe(far);
            far.pipe(near);
          });
          far.on("error", () => {});
        }
      });
    });
    for (const server of [http, socks]) await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  afterAll(async () => {
    for (const server of [http, socks]) server.close();
    await ssh.close();
    await https.close();
    await strict.close();
    folder.dispose();
  });
  beforeEach(() => {
    asked = [];
  });
  const portOf = (server: Server) => (server.address() as AddressInfo).port;
  const tipOf = async (url: string, credentials: RepositoryCredentials) => {
    const repositories = createRepositories({
      directory: join(folder.path, `mirrors-${made++}`),
      searchPath: process.env["PATH"] ?? "",
      clock: systemClock(),
      credentials: async () => credentials,
    });
    try {
      return await (await repositories.open(url)).resolve("main", 0);
    } finally {
      repositories.close();
    }
  };

  it("reads https through a proxy, that is told who asks, and the certificate is still the host's", async () => {
    const proxy = `http://user:pw@127.0.0.1:${portOf(http)}`;
    expect(await tipOf("https://git.shop.test/source/.git", { proxy, ca: tls.cert })).toBe(tip);
    expect(new Set(asked)).toEqual(
      new Set([`CONNECT git.shop.test:443 Basic ${Buffer.from("user:pw").toString("base64")}`]),
    );
    await expect(tipOf("https://other.shop.test/source/.git", { proxy, ca: tls.cert })).rejects.toThrow(
      /is not trusted/,
    );
  });

  it("goes without the proxy where noProxy says so", async () => {
    const proxy = `http://127.0.0.1:${portOf(http)}`;
    expect(await tipOf(`${https.url}/source/.git`, { proxy, noProxy: "127.0.0.1", insecure: true })).toBe(tip);
    expect(asked).toEqual([]);
  });

  it("reads ssh through a SOCKS proxy, by the name that is written, and the host key is still the host's", async () => {
    const url = `ssh://${ssh.user}@git.shop.test:2222${folder.path}/source/.git`;
    const own = { sshPrivateKey: new Secret(ssh.key), sshKnownHosts: `[git.shop.test]:2222 ${ssh.hostKey}` };
    const proxy = (password: string) => `socks5://me:${password}@127.0.0.1:${portOf(socks)}`;
    expect(await tipOf(url, { ...own, proxy: proxy("pass%20word") })).toBe(tip);
    expect(new Set(asked)).toEqual(new Set(["SOCKS me true", "SOCKS git.shop.test:2222"]));
    await expect(tipOf(url, { ...own, proxy: proxy("other") })).rejects.toThrow(/^git cannot read ssh:/);
    await expect(tipOf(url, { ...own, sshKnownHosts: "", proxy: proxy("pass%20word") })).rejects.toThrow(/host key/);
  });

  it("shows its certificate to a server that wants one", async () => {
    const url = `${strict.url}/source/.git`;
    const certificate = { tlsClientCertData: client.cert, tlsClientCertKey: new Secret(client.key) };
    expect(await tipOf(url, { ca: tls.cert, insecure: true, ...certificate })).toBe(tip);
    await expect(tipOf(url, { ca: tls.cert, insecure: true })).rejects.toThrow();
  });
});
