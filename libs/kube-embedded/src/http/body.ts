import type { IncomingMessage } from "node:http";
import { messageOf } from "@tiphys/errors";
import { statusError } from "@tiphys/kube";
import { limits } from "@tiphys/limits";
import { parseYaml } from "@tiphys/yaml";
import { plain } from "../api/body.js";
import { goJsonKind, goJsonProblem } from "../api/go-json.js";
import { badRequest } from "../api/status.js";
import { duplicateFields } from "./duplicates.js";
import { decodeProtobuf, PROTOBUF } from "./protobuf.js";

export interface Body {
  readonly value: unknown;
  readonly duplicates: readonly string[];
  readonly mediaType: string;
}

const tooLarge = () =>
  statusError(413, "RequestEntityTooLarge", `Request entity too large: limit is ${limits.kubeRequestBytes}`);

export const unsupported = (accepted: readonly string[]) =>
  statusError(
    415,
    "UnsupportedMediaType",
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(", ")}`,
  );

const cutOff = () => badRequest("the request ended before its body did");

/** Reads the whole body; a longer one than the limit is refused before it is kept. */
export function readBody(request: IncomingMessage): Promise<Buffer> {
  if (Number(request.headers["content-length"] ?? 0) > limits.kubeRequestBytes) return Promise.reject(tooLarge());
  if (request.readableEnded) return Promise.resolve(Buffer.alloc(0));
  if (request.destroyed) return Promise.reject(cutOff());
  // Listeners, as an iterator over the stream costs a twentieth of the whole request.
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let size = 0;
    const keep = (part: Buffer) => {
      size += part.length;
      if (size <= limits.kubeRequestBytes) {
        parts.push(part);
        return;
      }
      // The rest stays unread: the answer closes the connection.
      request.off("data", keep);
      request.pause();
      reject(tooLarge());
    };
    request.on("data", keep);
    request.once("end", () => resolve(parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts)));
    request.once("error", () => reject(cutOff()));
    request.once("close", () => reject(cutOff()));
  });
}

export const mediaTypeOf = (request: IncomingMessage): string =>
  (request.headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase() ?? "";

/** Where what is wrong with a body is said: each kind of request has words of its own around it. */
export interface Refusal {
  /** The text is no JSON, or not of the form that was expected. */
  readonly json: (problem: string, text: string) => Error;
  readonly yaml: (problem: string, text: string) => Error;
}

/** For bodies that have to be an object of a kind. */
export const ofKind = (expected: string): Refusal => {
  const about = (problem: string, text: string) =>
    badRequest(`the object provided is unrecognized (must be of type ${expected}): ${problem} (${summary(text)})`);
  return {
    json: (problem, text) => about(`couldn't get version/kind; json parse error: ${problem}`, text),
    yaml: about,
  };
};

/** The body as plain data. */
export async function decodeRequest(
  request: IncomingMessage,
  accepted: readonly string[],
  refusal: Refusal,
): Promise<Body> {
  const mediaType = mediaTypeOf(request) || "application/json";
  if (!accepted.includes(mediaType)) {
    request.resume();
    throw unsupported(accepted);
  }
  const bytes = await readBody(request);
  if (mediaType === PROTOBUF) return { value: plain(decodeProtobuf(bytes)), duplicates: [], mediaType };
  const text = bytes.toString("utf8");
  if (mediaType.endsWith("yaml") && !/^\s*[{[]/.test(text)) {
    try {
      // What follows the first document is not read.
      return {
        value: plain(parseYaml(text.split(/^---(?=\s)/m).find((part) => part.trim()) ?? "")),
        duplicates: [],
        mediaType,
      };
    } catch (error) {
      throw refusal.yaml(`yaml: ${messageOf(error)}`, text);
    }
  }
  checkDepth(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    const problem = goJsonProblem(text);
    throw mediaType.endsWith("yaml") ? refusal.yaml(`yaml: ${problem}`, text) : refusal.json(problem, text);
  }
  return { value: plain(value), duplicates: duplicateFields(text), mediaType };
}

/** A body that says its type: an object, or nothing, which stands for an empty one. */
export async function decodeObject(
  request: IncomingMessage,
  accepted: readonly string[],
  expected: string,
): Promise<Body> {
  const refusal = ofKind(expected);
  const body = await decodeRequest(request, accepted, refusal);
  const { value } = body;
  if (value === null) return { ...body, value: {} };
  // Enough of the text for what a message shows of it.
  const text = () => JSON.stringify(value);
  if (typeof value !== "object" || Array.isArray(value)) {
    throw refusal.json(`json: cannot unmarshal ${goJsonKind(value)} into Go value of type ${TYPE_META}`, text());
  }
  for (const member of ["apiVersion", "kind"] as const) {
    const given = (value as Record<string, unknown>)[member];
    if (given !== undefined && given !== null && typeof given !== "string") {
      throw refusal.json(
        `json: cannot unmarshal ${goJsonKind(given)} into Go struct field .${member} of type string`,
        text(),
      );
    }
  }
  const { apiVersion } = value as { apiVersion?: string };
  if (apiVersion && apiVersion.split("/").length > 2) {
    throw refusal.yaml(`unexpected GroupVersion string: ${apiVersion}`, text());
  }
  return body;
}

const TYPE_META =
  'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }';

const SHOWN = 30;
/** The beginning of a text as messages show it: what does not look like an object is shown in hexadecimal. */
function summary(text: string): string {
  if (text === "") return "<empty>";
  const bytes = Buffer.from(text);
  const shown = bytes.subarray(0, SHOWN);
  return `${text[0] === "{" ? shown.toString() : shown.toString("hex")}${bytes.length > SHOWN ? " ..." : ""}`;
}

/** Nesting is counted before parsing, because parsing deep text is itself the attack. */
function checkDepth(text: string): void {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) {
      for (at++; at < text.length && text.charCodeAt(at) !== 0x22; at++) if (text.charCodeAt(at) === 0x5c) at++;
    } else if (code === 0x7b || code === 0x5b) {
      if (++depth > limits.documentDepth) {
        throw badRequest(`the body is nested deeper than ${limits.documentDepth} levels`);
      }
    } else if (code === 0x7d || code === 0x5d) depth--;
  }
}
