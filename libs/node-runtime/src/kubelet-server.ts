import { webcrypto } from "node:crypto";
import { createServer } from "node:https";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Clock } from "@tiphys/clock";
import { messageOf } from "@tiphys/errors";
import { KubeApiError, type LogOptions } from "@tiphys/kube";
import type { ObjectKey } from "@tiphys/resources";
import type { Logger } from "@tiphys/telemetry";

export interface KubeletServer {
  readonly port: number;
  close(): Promise<void>;
}

export interface KubeletServerDeps {
  readonly port: number;
  /** PEM of the authority whose client certificates may ask. */
  readonly clientCa: string;
  readonly nodeName: string;
  readonly hostIP: string;
  readonly clock: Clock;
  readonly log: Logger;
  logs(pod: ObjectKey, options: LogOptions, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

const YEAR_MS = 365 * 24 * 3600 * 1000;

/** The HTTPS port of a kubelet: logs for the API server, and nothing without its client certificate. */
export async function createKubeletServer(deps: KubeletServerDeps): Promise<KubeletServer> {
  const { key, cert } = await selfSigned(deps);
  const server = createServer(
    { key, cert, ca: deps.clientCa, requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      const answer = (status: number, text: string) =>
        response.writeHead(status, { "content-type": "text/plain" }).end(text);
      if (!(request.socket as TLSSocket).authorized) return answer(401, "Unauthorized");
      const target = request.url ?? "/";
      // Put together as a text: a target such as `//` is no URL of its own, and must not end the process.
      const url = new URL(`https://node${target.startsWith("/") ? "" : "/"}${target}`);
      if (url.pathname === "/healthz") return answer(200, "ok");
      const match = /^\/containerLogs\/([^/]+)\/([^/]+)\/([^/]+)$/.exec(url.pathname);
      if (!match || request.method !== "GET")
        return answer(404, `${request.method} ${url.pathname} is not served by this node`);
      const [, namespace, name, container] = match.map(decoded);
      const gone = new AbortController();
      response.on("close", () => gone.abort());
      const number = (field: string) => (url.searchParams.get(field) ? Number(url.searchParams.get(field)) : undefined);
      const flag = (field: string) => url.searchParams.get(field) === "true";
      const tailLines = number("tailLines");
      const sinceSeconds = number("sinceSeconds");
      const options: LogOptions = {
        container: container!,
        follow: flag("follow"),
        previous: flag("previous"),
        timestamps: flag("timestamps"),
        ...(tailLines === undefined ? {} : { tailLines }),
        ...(sinceSeconds === undefined ? {} : { sinceSeconds }),
      };
      void (async () => {
        try {
          for await (const chunk of deps.logs({ namespace: namespace!, name: name! }, options, gone.signal)) {
            if (!response.headersSent) response.writeHead(200, { "content-type": "text/plain" });
            if (!response.write(chunk))
              await new Promise((resolve) => {
                response.once("drain", resolve);
                gone.signal.addEventListener("abort", resolve, { once: true });
              });
          }
          response.end();
        } catch (error) {
          if (response.headersSent) response.destroy();
          else answer(error instanceof KubeApiError ? error.status.code : 500, messageOf(error));
        }
      })();
    },
  );
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(deps.port, deps.hostIP, resolve);
  });
  server.on("error", (error) => deps.log.warn("kubelet port failed", { error: messageOf(error) }));
  // The services keep the process alive, not this port.
  server.unref();
  server.on("connection", (socket: Socket) => socket.unref());
  const address = server.address();
  return {
    port: typeof address === "object" && address ? address.port : deps.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function selfSigned({ nodeName, hostIP, clock }: KubeletServerDeps): Promise<{ key: string; cert: string }> {
  // Loaded only by nodes of a real control plane; its container of parts wants the reflection polyfill first.
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  const crypto = webcrypto as unknown as Crypto;
  x509.cryptoProvider.set(crypto);
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const now = clock.now().getTime();
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${nodeName}`,
    notBefore: new Date(now - 3600_000),
    notAfter: new Date(now + YEAR_MS),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.SubjectAlternativeNameExtension([
        { type: "dns", value: nodeName },
        { type: "ip", value: hostIP },
      ]),
    ],
  });
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  return { key: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`, cert: cert.toString("pem") };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
