import "reflect-metadata";
import { webcrypto } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import * as x509 from "@peculiar/x509";
import { systemClock } from "@tiphys/clock";
import { silentLogger } from "@tiphys/telemetry";
import { createKubeletHandler } from "./kubelet-handler.js";
import { API_SERVER, createKubeletServer, type KubeletServer } from "./kubelet-server.js";

const EC = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const crypto = webcrypto as unknown as Crypto;
x509.cryptoProvider.set(crypto);

interface Identity {
  readonly cert: string;
  readonly key: string;
}

async function authority() {
  const keys = await crypto.subtle.generateKey(EC, true, ["sign", "verify"]);
  const validity = {
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 600_000),
    signingAlgorithm: EC,
  };
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity,
    name: "CN=ca",
    keys,
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  });
  return {
    pem: ca.toString("pem"),
    async issue(name: string): Promise<Identity> {
      const own = await crypto.subtle.generateKey(EC, true, ["sign", "verify"]);
      const cert = await x509.X509CertificateGenerator.create({
        ...validity,
        subject: `CN=${name},O=system:masters`,
        issuer: ca.subject,
        signingKey: keys.privateKey,
        publicKey: own.publicKey,
        extensions: [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth])],
      });
      const key = x509.PemConverter.encode(await crypto.subtle.exportKey("pkcs8", own.privateKey), "PRIVATE KEY");
      return { cert: cert.toString("pem"), key };
    },
  };
}

describe("the kubelet's port", () => {
  let server: KubeletServer;
  let clients: Record<string, Identity | undefined>;
  beforeAll(async () => {
    const [ours, other] = await Promise.all([authority(), authority()]);
    clients = {
      nobody: undefined,
      "the API server": await ours.issue(API_SERVER),
      "a user of the same authority": await ours.issue("admin"),
      "the API server of another cluster": await other.issue(API_SERVER),
    };
    server = await createKubeletServer({
      port: 0,
      clientCa: ours.pem,
      nodeName: "n",
      hostIP: "127.0.0.1",
      clock: systemClock(),
      log: silentLogger,
      handler: createKubeletHandler({
        async *logs() {
          yield Buffer.from("line\n");
        },
        pods: () => [],
        problem: () => ({ code: 404, message: "pod does not exist" }),
        exec: async () => ({ exitCode: 0 }),
        attach: async () => ({ exitCode: 0 }),
        endpoint: async () => undefined,
      }),
    });
  });
  afterAll(() => server.close());

  const ask = (path: string, client: Identity | undefined, headers = {}): Promise<{ status: number; body: string }> =>
    new Promise((resolve, reject) => {
      const asked = request(
        { host: "127.0.0.1", port: server.port, path, headers, rejectUnauthorized: false, agent: false, ...client },
        (response: IncomingMessage) => {
          let body = "";
          response.on("data", (chunk) => {
            body += String(chunk);
          });
          response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
        },
      );
      asked.on("upgrade", (_response, socket) => {
        socket.destroy();
        resolve({ status: 101, body: "" });
      });
      asked.on("error", reject);
      asked.end();
    });

  const upgrade = { connection: "Upgrade", upgrade: "SPDY/3.1", "x-stream-protocol-version": "v4.channel.k8s.io" };
  it.each([
    { who: "the API server", logs: 200, exec: 404 },
    { who: "nobody", logs: 401, exec: 401 },
    { who: "a user of the same authority", logs: 403, exec: 403 },
    { who: "the API server of another cluster", logs: 401, exec: 401 },
  ])("answers $who with $logs for logs and $exec for a command in no pod", async ({ who, logs, exec }) => {
    expect((await ask("/containerLogs/ns/pod/c", clients[who])).status).toBe(logs);
    for (const path of ["/exec/ns/pod/c?command=ls&output=1", "/attach/ns/pod/c?output=1", "/portForward/ns/pod"]) {
      expect((await ask(path, clients[who], upgrade)).status).toBe(exec);
    }
  });

  it("asks for an upgrade, and serves nothing else", async () => {
    const client = clients["the API server"];
    expect(await ask("/exec/ns/pod/c?command=ls", client)).toEqual({ status: 400, body: "Upgrade request required\n" });
    expect((await ask("/run/ns/pod/c", client)).status).toBe(404);
    expect((await ask("//", client)).status).toBe(404);
  });
});
