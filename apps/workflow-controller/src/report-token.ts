import { createHmac, timingSafeEqual } from "node:crypto";
import { UnauthenticatedError } from "@tiphys/errors";
import type { Secret } from "@tiphys/secret";

/** For which node of which run a pod may report. */
export interface ReportSubject {
  readonly namespace: string;
  readonly workflow: string;
  readonly uid: string;
  readonly node: string;
}

const sign = (key: Secret, payload: string): string =>
  createHmac("sha256", key.reveal()).update(`tiphys-report:${payload}`).digest("base64url");

/** The bearer token of one pod: good for reports of its own node, as long as its workflow runs. */
export function reportToken(key: Secret, subject: ReportSubject): string {
  const { namespace, workflow, uid, node } = subject;
  const payload = Buffer.from(JSON.stringify([namespace, workflow, uid, node])).toString("base64url");
  return `v1.${payload}.${sign(key, payload)}`;
}

/** The subject of a token, or UnauthenticatedError. */
export function verifyReportToken(key: Secret, token: string): ReportSubject {
  const [version, payload, signature] = token.split(".");
  if (version !== "v1" || !payload || !signature) throw new UnauthenticatedError("the report token is not well formed");
  const wanted = Buffer.from(sign(key, payload));
  const given = Buffer.from(signature);
  if (wanted.length !== given.length || !timingSafeEqual(wanted, given)) {
    throw new UnauthenticatedError("the report token is not signed by this workflow controller");
  }
  const [namespace, workflow, uid, node] = JSON.parse(Buffer.from(payload, "base64url").toString()) as [
    string,
    string,
    string,
    string,
  ];
  return { namespace, workflow, uid, node };
}
