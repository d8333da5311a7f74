import { UnavailableError } from "@tiphys/errors";
import type { Dialer, DialRequest, DialResponse } from "./dialer.js";

export interface ReplayAnswer {
  /** The whole URL, or a prefix of it that ends in `*`. */
  readonly url: string;
  readonly method?: string;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** How many times this answer is given; then the next one that fits. Without it: for ever. */
  readonly times?: number;
}

export interface ReplayDialer extends Dialer {
  /** What was asked, in order. */
  readonly requests: readonly DialRequest[];
}

/** Answers from a list (or a function) and never opens a connection. What it has no answer for is an error. */
export function createReplayDialer(
  answers: readonly ReplayAnswer[] | ((request: DialRequest) => DialResponse | undefined),
): ReplayDialer {
  const requests: DialRequest[] = [];
  const used = new Map<ReplayAnswer, number>();
  const fits = (answer: ReplayAnswer, { url, method = "GET" }: DialRequest) =>
    (answer.url.endsWith("*") ? url.startsWith(answer.url.slice(0, -1)) : url === answer.url) &&
    (answer.method ?? method).toUpperCase() === method.toUpperCase() &&
    (used.get(answer) ?? 0) < (answer.times ?? Number.POSITIVE_INFINITY);
  const listed = (request: DialRequest): DialResponse | undefined => {
    const answer = (answers as readonly ReplayAnswer[]).find((one) => fits(one, request));
    if (!answer) return undefined;
    used.set(answer, (used.get(answer) ?? 0) + 1);
    return {
      status: answer.status ?? 200,
      headers: answer.headers ?? {},
      body: typeof answer.body === "string" ? Buffer.from(answer.body) : (answer.body ?? new Uint8Array()),
    };
  };
  return {
    requests,
    resolve: async (host, port) => ({ host, port }),
    async fetch(request) {
      request.signal?.throwIfAborted();
      requests.push(request);
      const response = typeof answers === "function" ? answers(request) : listed(request);
      if (!response) throw new UnavailableError(`no recorded answer for ${request.method ?? "GET"} ${request.url}`);
      if (!request.sink || response.status < 200 || response.status > 299) return response;
      const { body, ...head } = response;
      await request.sink(body, head);
      return { ...head, body: new Uint8Array() };
    },
  };
}
