import type { IncomingMessage } from "node:http";
import { messageOf } from "@tiphys/errors";
import { statusError } from "@tiphys/kube";
import { limits } from "@tiphys/limits";
import { parseYaml } from "@tiphys/yaml";
import { plain } from "../api/body.js";
import { badRequest } from "../api/status.js";
import { duplicateFields } from "./duplicates.js";
import { decodeProtobuf, PROTOBUF } from "./protobuf.js";

export interface Body {
  readonly value: unknown;
  readonly duplicates: readonly string[];
  readonly mediaType: string;
}

const tooLarge = () =>
  statusError(413, "RequestEntityTooLarge", `Request entity too large: limit is ${limits.kubeRequestBytes}`, {});

export const unsupported = (accepted: readonly string[]) =>
  statusError(
    415,
    "UnsupportedMediaType",
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(", ")}`,
  );

/** Reads the whole body; a longer one than the limit is refused before it is kept. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  if (Number(request.headers["content-length"] ?? 0) > limits.kubeRequestBytes) throw tooLarge();
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > limits.kubeRequestBytes) throw tooLarge();
    parts.push(part);
  }
  return Buffer.concat(parts);
}

export const mediaTypeOf = (request: IncomingMessage): string =>
  (request.headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase() ?? "";

/** The body as plain data. `expected` names the kind in what is said about broken text. */
export async function decodeRequest(
  request: IncomingMessage,
  accepted: readonly string[],
  expected: string,
): Promise<Body> {
  const mediaType = mediaTypeOf(request) || "application/json";
  if (!accepted.includes(mediaType)) {
    request.resume();
    throw unsupported(accepted);
  }
  const bytes = await readBody(request);
  if (mediaType === PROTOBUF) return { value: plain(decodeProtobuf(bytes)), duplicates: [], mediaType };
  const text = bytes.toString("utf8");
  const refuse = (problem: string) =>
    badRequest(
      `the object provided is unrecognized (must be of type ${expected}): couldn't get version/kind; ${problem} (${shortened(text)})`,
    );
  if (mediaType.endsWith("yaml") && !/^\s*[{[]/.test(text)) {
    try {
      return { value: plain(parseYaml(text)), duplicates: [], mediaType };
    } catch (error) {
      throw refuse(`yaml: ${messageOf(error)}`);
    }
  }
  checkDepth(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw refuse(`json parse error: ${messageOf(error)}`);
  }
  return { value: plain(value), duplicates: duplicateFields(text), mediaType };
}

const SHOWN = 120;
const shortened = (text: string) => (text.length > SHOWN ? `${text.slice(0, SHOWN)} ...` : text);

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
