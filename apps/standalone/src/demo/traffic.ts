import { request } from "node:http";
import { type Clock, sleep } from "@tiphys/clock";

export interface TrafficCount {
  /** Requests that a version of the shop answered with a status below 500. */
  readonly served: number;
  /** Requests that a version of the shop answered with an error of its own. */
  readonly failed: number;
  /** Requests that no version answered: what a release must never cause. */
  readonly unanswered: number;
}

export interface Traffic {
  count(): TrafficCount;
  stop(): Promise<void>;
}

const TIMEOUT_MS = 5_000;

/** One request through the ingress; the status and the version that answered. */
export function visit(ingressUrl: string, customer: number): Promise<{ status: number; version: string }> {
  return new Promise((resolve) => {
    const call = request(
      `${ingressUrl}/?customer=${customer}`,
      { headers: { host: "shop.localhost" }, timeout: TIMEOUT_MS },
      (response) => {
        response.resume();
        response.once("end", () =>
          resolve({ status: response.statusCode ?? 0, version: String(response.headers["x-shop-version"] ?? "") }),
        );
        response.once("error", () => resolve({ status: 0, version: "" }));
      },
    );
    call.once("timeout", () => call.destroy());
    call.once("error", () => resolve({ status: 0, version: "" }));
    call.end();
  });
}

/** Customers who keep coming: `perSecond` requests through the ingress until stopped. */
export function startTraffic(clock: Clock, ingressUrl: string, perSecond: number): Traffic {
  const abort = new AbortController();
  let served = 0;
  let failed = 0;
  let unanswered = 0;
  const customers = (async () => {
    for (let customer = 1; !abort.signal.aborted; customer++) {
      const { status, version } = await visit(ingressUrl, customer);
      if (version === "") unanswered++;
      else if (status < 500) served++;
      else failed++;
      await sleep(clock, 1000 / perSecond, abort.signal).catch(() => {});
    }
  })();
  return {
    count: () => ({ served, failed, unanswered }),
    async stop() {
      abort.abort();
      await customers;
    },
  };
}
