import { request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import { CanceledError, DeadlineExceededError, LimitExceededError, UnavailableError } from "@tiphys/errors";
import type { DialResponse } from "./dialer.js";

export interface Exchange {
  readonly url: URL;
  /** The address that was judged: the socket goes there and nowhere else. */
  readonly address: { readonly host: string; readonly port: number };
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  readonly timeout: number;
  readonly maxBytes: number;
  readonly insecureSkipVerify?: boolean;
  readonly ca?: string;
  readonly signal?: AbortSignal;
}

/** One request and its whole answer, within time and size. */
export type FetchImpl = (exchange: Exchange) => Promise<DialResponse>;

const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Over node:http(s), one connection per exchange. */
export const httpExchange: FetchImpl = (exchange) =>
  new Promise((resolve, reject) => {
    const { url, address, signal } = exchange;
    const name = `${exchange.method} ${url.protocol}//${url.host}${url.pathname}`;
    const secure = url.protocol === "https:";
    const hostname = url.hostname.replace(/^\[|\]$/g, "");
    const options: RequestOptions & { servername?: string; rejectUnauthorized?: boolean; ca?: string } = {
      host: address.host,
      port: address.port,
      path: `${url.pathname}${url.search}`,
      method: exchange.method,
      headers: { host: url.host, ...exchange.headers },
      agent: false,
      ...(secure
        ? {
            ...(/^[\d.]+$|:/.test(hostname) ? {} : { servername: hostname }),
            rejectUnauthorized: !exchange.insecureSkipVerify,
            ...(exchange.ca ? { ca: exchange.ca } : {}),
          }
        : {}),
    };
    let settled = false;
    const settle = (act: () => void) => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      act();
    };
    const fail = (error: Error) =>
      settle(() => {
        sent.destroy();
        reject(error);
      });
    const onAbort = () =>
      fail(signal?.reason instanceof Error ? signal.reason : new CanceledError(`${name} was cancelled`));
    // Real time: the other side of the connection lives in it.
    const timer = setTimeout(
      () => fail(new DeadlineExceededError(`${name} was not answered within ${exchange.timeout} ms`)),
      Math.min(exchange.timeout, LONGEST_TIMER_MS),
    );
    const onResponse = (response: IncomingMessage) => {
      const chunks: Buffer[] = [];
      let size = 0;
      const tooLarge = () =>
        fail(new LimitExceededError(`the answer to ${name} is larger than ${exchange.maxBytes} bytes`));
      if (Number(response.headers["content-length"] ?? 0) > exchange.maxBytes && exchange.method !== "HEAD")
        return tooLarge();
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > exchange.maxBytes) return tooLarge();
        chunks.push(chunk);
      });
      response.on("error", (error) =>
        fail(new UnavailableError(`${name} broke off: ${error.message}`, { cause: error })),
      );
      response.on("end", () =>
        settle(() => {
          const headers: Record<string, string> = {};
          for (const [header, value] of Object.entries(response.headers)) {
            if (value !== undefined) headers[header] = Array.isArray(value) ? value.join(", ") : value;
          }
          resolve({ status: response.statusCode ?? 0, headers, body: Buffer.concat(chunks) });
        }),
      );
    };
    const sent = (secure ? httpsRequest : httpRequest)(options, onResponse);
    sent.on("error", (error) => fail(new UnavailableError(`${name} failed: ${error.message}`, { cause: error })));
    if (signal?.aborted) return onAbort();
    signal?.addEventListener("abort", onAbort, { once: true });
    if (exchange.body !== undefined) sent.setHeader("content-length", Buffer.byteLength(exchange.body));
    sent.end(exchange.body);
  });
