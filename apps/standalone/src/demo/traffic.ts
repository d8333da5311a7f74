import { request } from "node:http";
import { type Clock, sleep } from "@tiphys/clock";

export interface TrafficCount {
  /** Requests that a version of the shop answered with a status below 500. */
  readonly served: number;
  /** Requests that a version of the shop answered with an error of its own. */
  readonly failed: number;
  /** Requests that no version answered: what a release must never cause. */
  readonly unanswered: number;
  /** What was there instead of the newest of those answers. */
  readonly reason: string;
}

export interface Traffic {
  count(): TrafficCount;
  stop(): Promise<void>;
}

const TIMEOUT_MS = 5_000;

/** What came of one request: `text` is the body, or why there is none. */
export interface Visit {
  readonly status: number;
  /** Empty when no version of the shop answered. */
  readonly version: string;
  readonly text: string;
}

/** One request through the ingress; the status and the version that answered. */
export function visit(ingressUrl: string, customer: number): Promise<Visit> {
  return new Promise((resolve) => {
    const lost = (error: Error) => resolve({ status: 0, version: "", text: error.message });
    const call = request(
      `${ingressUrl}/?customer=${customer}`,
      { headers: { host: "shop.localhost" }, timeout: TIMEOUT_MS },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          text += chunk;
        });
        response.once("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            version: String(response.headers["x-shop-version"] ?? ""),
            text: text.trim(),
          }),
        );
        response.once("error", lost);
      },
    );
    call.once("timeout", () => call.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    call.once("error", lost);
    call.end();
  });
}

/** Customers who keep coming: `perSecond` requests through the ingress until stopped. */
export function startTraffic(clock: Clock, ingressUrl: string, perSecond: number): Traffic {
  const abort = new AbortController();
  let served = 0;
  let failed = 0;
  let unanswered = 0;
  let reason = "";
  const customers = (async () => {
    for (let customer = 1; !abort.signal.aborted; customer++) {
      const { status, version, text } = await visit(ingressUrl, customer);
      if (version === "") {
        unanswered++;
        reason = status === 0 ? text : `${status} ${text}`;
      } else if (status < 500) served++;
      else failed++;
      await sleep(clock, 1000 / perSecond, abort.signal).catch(() => {});
    }
  })();
  return {
    count: () => ({ served, failed, unanswered, reason }),
    async stop() {
      abort.abort();
      await customers;
    },
  };
}
