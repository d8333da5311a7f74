import { readSync, writeSync } from "node:fs";
import { type Code, codeOf, errorOfCode, LimitExceededError, messageOf } from "@tiphys/errors";
import { encodeFrame } from "./frames.js";

/** What a parent answers to a question of its child: plain data, and bytes beside it that need no encoding. */
export interface Answer {
  readonly data?: unknown;
  readonly parts?: readonly Uint8Array[];
}

/** Asks the parent, and waits: nothing else runs in the child until the answer is here. */
export type Ask = (question: unknown) => Answer;

/** File descriptor on which a child asks its parent while a job runs. */
export const QUESTION_CHANNEL = 4;

/** Questions name things, so they are small. */
export const MAX_QUESTION_BYTES = 16 * 1024 * 1024;

interface Head {
  readonly data?: unknown;
  readonly sizes: readonly number[];
  readonly error?: { readonly code: Code; readonly message: string };
}

/** Bytes of an answer: the length of all that follows, a frame that tells the sizes of the parts, and the parts. */
export function encodeAnswer({ data, parts = [] }: Answer): Buffer {
  return joined({ data, sizes: parts.map((part) => part.length) }, parts);
}

/** An error as an answer: the child throws it where it asked. */
export const encodeRefusal = (error: unknown): Buffer =>
  joined({ sizes: [], error: { code: codeOf(error), message: messageOf(error) } }, []);

function joined(head: Head, parts: readonly Uint8Array[]): Buffer {
  const first = encodeFrame(head);
  const size = parts.reduce((sum, part) => sum + part.length, first.length);
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32BE(size);
  return Buffer.concat([length, first, ...parts]);
}

/** The child's half. */
export const askParent: Ask = (question) => {
  writeAll(encodeFrame(question));
  const size = readExactly(4).readUInt32BE();
  const body = readExactly(size);
  const headSize = body.readUInt32BE();
  const { data, sizes, error } = JSON.parse(body.toString("utf8", 4, 4 + headSize)) as Head;
  if (error) throw errorOfCode(error.code, error.message);
  let at = 4 + headSize;
  const parts = sizes.map((length) => {
    // A copy: a part that is kept must not keep the whole answer.
    const part = sizes.length === 1 ? body.subarray(at, at + length) : Buffer.from(body.subarray(at, at + length));
    at += length;
    return part;
  });
  return { data, parts };
};

function writeAll(bytes: Buffer): void {
  if (bytes.length > MAX_QUESTION_BYTES) {
    throw new LimitExceededError(`a question of ${bytes.length} bytes is larger than ${MAX_QUESTION_BYTES}`);
  }
  for (let at = 0; at < bytes.length; ) at += writeSync(QUESTION_CHANNEL, bytes, at);
}

function readExactly(size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  for (let at = 0; at < size; ) {
    const got = readSync(QUESTION_CHANNEL, bytes, at, size - at, null);
    // The parent is gone, and nobody waits for this job.
    if (got === 0) process.exit(0);
    at += got;
  }
  return bytes;
}
