import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import {
  codeOf,
  httpStatus,
  InvalidArgumentError,
  LimitExceededError,
  messageOf,
  NotFoundError,
  UnauthenticatedError,
} from "@tiphys/errors";
import { limits, readLimited } from "@tiphys/limits";
import type { Logger, Metrics } from "@tiphys/telemetry";
import type { TaskResultService } from "./task-results.js";

export const REPORT_PATH = "/tiphys.workflow.v1.TaskResultService/Report";
const BODY_BYTES = limits.kubeObjectBytes;

/** Answers executors over HTTP + JSON: `POST` of a report with the pod's bearer token. A host may mount it anywhere pods reach. */
export function reportListener(service: TaskResultService, log: Logger, metrics: Metrics): RequestListener {
  const reports = metrics.counter("tiphys_task_reports_total", "Reports of executors by outcome", ["code"]);
  return (request, response) => {
    handle(service, request).then(
      () => {
        reports.add({ code: "OK" });
        answer(response, 200, {});
      },
      (error: unknown) => {
        const code = codeOf(error);
        reports.add({ code });
        if (code !== "Unauthenticated") log.warn("a report was not stored", { code, error: messageOf(error) });
        answer(response, httpStatus(code), { code, message: messageOf(error) });
      },
    );
  };
}

async function handle(service: TaskResultService, request: IncomingMessage): Promise<void> {
  if (request.url !== REPORT_PATH || request.method !== "POST")
    throw new NotFoundError(`${request.method} ${request.url} is not served here`);
  const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? "")?.[1];
  if (!token) throw new UnauthenticatedError("the report has no bearer token");
  const bytes = await readLimited(request, BODY_BYTES);
  if (!bytes) throw new LimitExceededError(`the report is larger than ${BODY_BYTES} bytes`);
  let body: unknown;
  try {
    body = JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw new InvalidArgumentError("", "the report is not JSON", { cause });
  }
  await service.report(token, body);
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

/** Listens for executors; resolves to the port. */
export function listen(server: Server, options: { host: string; port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, () => resolve((server.address() as AddressInfo).port));
  });
}

export const createReportServer = (service: TaskResultService, log: Logger, metrics: Metrics): Server =>
  createServer(reportListener(service, log, metrics));
