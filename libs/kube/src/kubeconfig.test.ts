import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { virtualClock } from "@tiphys/clock";
import { types } from "@tiphys/resources";
import type { Secret } from "@tiphys/secret";
import { silentLogger } from "@tiphys/telemetry";
import { createHttpKubeClient, loadKubeconfig } from "./index.js";

const config = (user: string, cluster = 'server: "https://example.com:6443"') => `
current-context: one
contexts: [{ name: one, context: { cluster: c, user: u, namespace: shop } }, { name: lost, context: { cluster: gone, user: u } }]
clusters: [{ name: c, cluster: { ${cluster} } }]
users: [{ name: u, user: { ${user} } }]
`;
const b64 = (text: string) => Buffer.from(text).toString("base64");

it("reads tokens, certificates and the namespace, and keeps secrets out of print", async () => {
  const connection = await loadKubeconfig({
    text: config(
      `token: abc, client-certificate-data: ${b64("CERT")}, client-key-data: ${b64("KEY")}, as: jane, as-groups: [devs]`,
      `server: "https://example.com", certificate-authority-data: ${b64("CA")}, tls-server-name: kube`,
    ),
  });
  expect(connection).toMatchObject({
    server: "https://example.com",
    ca: "CA",
    serverName: "kube",
    clientCert: "CERT",
    namespace: "shop",
    impersonate: { username: "jane", groups: ["devs"] },
  });
  expect((connection.token as Secret).reveal()).toBe("abc");
  expect(connection.clientKey?.reveal()).toBe("KEY");
  expect(JSON.stringify(connection)).not.toMatch(/abc|KEY/);
});

it.each([
  { name: "not YAML", text: "{", context: undefined, problem: /is not YAML/ },
  { name: "no such context", text: config("token: x"), context: "two", problem: /has no context "two"/ },
  { name: "no such cluster", text: config("token: x"), context: "lost", problem: /cluster "gone".*has no server/ },
  {
    name: "a proxy",
    text: config("token: x", 'server: "https://x", proxy-url: "http://p"'),
    context: undefined,
    problem: /proxy-url is not supported/,
  },
])("refuses $name and says what is wrong", async ({ text, context, problem }) => {
  await expect(loadKubeconfig({ text }, context ? { context } : {})).rejects.toThrow(problem);
});

it("names a file that cannot be read", async () => {
  await expect(loadKubeconfig({ path: "/nonexistent/kubeconfig" })).rejects.toThrow(
    "/nonexistent/kubeconfig: cannot be read",
  );
});

it("asks an exec plugin for the token", async () => {
  const folder = await mkdtemp(join(tmpdir(), "kubeconfig-"));
  try {
    const plugin = join(folder, "plugin");
    const credential = {
      apiVersion: "client.authentication.k8s.io/v1",
      kind: "ExecCredential",
      status: { token: "from-plugin" },
    };
    await writeFile(plugin, `#!/bin/sh\necho '${JSON.stringify(credential)}'\n`);
    await chmod(plugin, 0o755);
    const connection = await loadKubeconfig({
      text: config(`exec: { apiVersion: client.authentication.k8s.io/v1, command: ${plugin}, interactiveMode: Never }`),
    });
    const token = connection.token as () => Promise<Secret>;
    expect((await token()).reveal()).toBe("from-plugin");
  } finally {
    await rm(folder, { recursive: true });
  }
});

describe("over HTTP", () => {
  let server: Server;
  let answer: (
    call: number,
    headers: Record<string, unknown>,
  ) => { status: number; body: string; headers?: Record<string, string> };
  let calls = 0;
  beforeEach(async () => {
    calls = 0;
    server = createServer((request, response) => {
      const { status, body, headers } = answer(calls++, request.headers);
      response.writeHead(status, headers).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  afterEach(() => new Promise((resolve) => server.close(resolve)));
  const open = (clock?: ReturnType<typeof virtualClock>) =>
    createHttpKubeClient({
      connection: { server: `http://127.0.0.1:${(server.address() as AddressInfo).port}/prefix` },
      log: silentLogger,
      ...(clock ? { clock } : {}),
    });

  it("is patient for as long as a busy server asks", async () => {
    const clock = virtualClock(new Date(0));
    answer = (call) =>
      call === 0
        ? { status: 429, body: "busy", headers: { "retry-after": "7" } }
        : { status: 200, body: JSON.stringify({ metadata: { name: "a" } }) };
    const client = open(clock);
    const getting = client.get(types.configMaps, { namespace: "n", name: "a" });
    while (clock.pending() === 0) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(7000);
    expect(await getting).toEqual({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" } });
    client.close();
  });

  it("makes a KubeApiError of whatever is answered", async () => {
    const client = open();
    answer = () => ({ status: 502, body: "<html>bad gateway</html>" });
    await expect(client.list(types.pods)).rejects.toMatchObject({
      code: "Internal",
      message: "GET /api/v1/pods: HTTP 502: <html>bad gateway</html>",
    });
    client.close();
  });

  it("sends the principal it acts as", async () => {
    const client = open();
    let seen: Record<string, unknown> = {};
    answer = (_call, headers) => {
      seen = headers;
      return { status: 200, body: "{}" };
    };
    await client.as({ username: "jane", groups: ["a", "b"], extra: { "x/y": ["1"] } }).list(types.pods);
    expect(seen).toMatchObject({ "impersonate-user": "jane", "impersonate-extra-x%2fy": "1" });
    expect(String(seen["impersonate-group"])).toMatch(/a, ?b/);
    client.close();
  });

  it("says what cannot be reached", async () => {
    const client = createHttpKubeClient({ connection: { server: "http://127.0.0.1:1" }, log: silentLogger });
    await expect(client.list(types.pods)).rejects.toMatchObject({
      code: "Unavailable",
      message: expect.stringMatching(/GET \/api\/v1\/pods: the API server cannot be reached: .*ECONNREFUSED/),
    });
    client.close();
  });
});
