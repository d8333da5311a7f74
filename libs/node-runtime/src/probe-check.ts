import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect } from "node:net";

/** One HTTP check as a kubelet makes it: 200 to 399 pass, redirects are not followed, certificates are not verified. */
export function checkHttp(
  target: { scheme: string; host: string; port: number; path: string; headers: Record<string, string> },
  timeoutMs: number,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = target.scheme === "HTTPS" ? httpsRequest : httpRequest;
    const sent = request(
      {
        host: target.host,
        port: target.port,
        path: target.path || "/",
        method: "GET",
        headers: { "user-agent": "kube-probe/1.36", connection: "close", ...target.headers },
        rejectUnauthorized: false,
        agent: false,
      },
      (response) => {
        response.resume();
        const status = response.statusCode ?? 0;
        resolve(status >= 200 && status < 400 ? undefined : `HTTP probe failed with statuscode: ${status}`);
      },
    );
    // Real time: the probed process lives in it.
    const timer = setTimeout(() => sent.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    sent.on("error", (error) => resolve(`Get "${target.path}" on port ${target.port}: ${error.message}`));
    sent.on("close", () => clearTimeout(timer));
    sent.end();
  });
}

/** Passes when a connection opens. */
export function checkTcp(host: string, port: number, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (problem: string | undefined) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(problem);
    };
    const timer = setTimeout(() => end(`dial tcp port ${port}: no answer within ${timeoutMs} ms`), timeoutMs);
    socket.on("connect", () => end(undefined));
    socket.on("error", (error) => end(`dial tcp port ${port}: ${error.message}`));
  });
}
