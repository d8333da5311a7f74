import { limits } from "@tiphys/limits";
import { groupVersionOf } from "@tiphys/resources";
import { badRequest } from "../api/status.js";
import { protobufFieldsJson } from "./generated/protobuf-fields.js";

/*
 * Go clients send builtin kinds as protobuf and do not fall back when that is refused, so bodies are read in it.
 * Answers are JSON, which all of these clients accept.
 */

export const PROTOBUF = "application/vnd.kubernetes.protobuf";

/** Field number, JSON name ("" when its members stand in the outer object), type, and 1 when a zero is a value. */
type Field = readonly [number, string, string, 1?];
type Json = Record<string, unknown>;

let messages: Record<string, Map<number, Field>> | undefined;
function fieldsOf(message: string): Map<number, Field> | undefined {
  messages ??= Object.fromEntries(
    Object.entries(JSON.parse(protobufFieldsJson) as Record<string, Field[]>).map(([name, fields]) => [
      name,
      new Map(fields.map((field) => [field[0], field])),
    ]),
  );
  return messages[message];
}

const MAGIC = Buffer.from("k8s\0");
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

interface Part {
  readonly number: number;
  readonly wire: number;
  readonly bytes: Buffer;
  readonly varint: bigint;
}

const malformed = (problem: string) => badRequest(`the protobuf body is not valid: ${problem}`);

function* partsOf(bytes: Buffer): Generator<Part> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw malformed("it ends inside a number");
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, value);
    }
    throw malformed("a number is too long");
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const number = tag >>> 3;
    const wire = tag & 7;
    if (wire === VARINT) {
      yield { number, wire, bytes: Buffer.alloc(0), varint: varint() };
      continue;
    }
    const length = wire === BYTES ? Number(varint()) : wire === FIXED64 ? 8 : wire === FIXED32 ? 4 : -1;
    if (length < 0 || at + length > bytes.length) throw malformed("a field is longer than the body");
    yield { number, wire, bytes: bytes.subarray(at, at + length), varint: 0n };
    at += length;
  }
}

/** The object of a protobuf body as the JSON the same client would have sent. */
export function decodeProtobuf(body: Buffer): Json {
  if (!body.subarray(0, 4).equals(MAGIC)) throw malformed("it does not begin with the Kubernetes prefix");
  let apiVersion = "";
  let kind = "";
  let raw: Buffer = Buffer.alloc(0);
  for (const part of partsOf(body.subarray(4))) {
    if (part.number === 2) raw = part.bytes;
    if (part.number !== 1) continue;
    for (const member of partsOf(part.bytes)) {
      if (member.number === 1) apiVersion = member.bytes.toString();
      if (member.number === 2) kind = member.bytes.toString();
    }
  }
  const { group, version } = groupVersionOf(apiVersion);
  const packageName = kind === "DeleteOptions" ? "meta/v1" : `${group.split(".")[0] || "core"}/${version}`;
  const message = `${packageName}.${kind}`;
  if (!fieldsOf(message)) throw badRequest(`protobuf bodies of ${apiVersion} ${kind} are not supported: send JSON`);
  return { apiVersion, kind, ...decodeMessage(raw, message, 0) };
}

function decodeMessage(bytes: Buffer, message: string, depth: number): Json {
  if (depth > limits.documentDepth) throw badRequest(`the body is nested deeper than ${limits.documentDepth} levels`);
  const fields = fieldsOf(message);
  const out: Json = {};
  for (const part of partsOf(bytes)) {
    const field = fields?.get(part.number);
    if (!field) continue;
    const [, name, type, keepsZero] = field;
    if (type.startsWith("[]")) {
      const list = (out[name] ?? []) as unknown[];
      out[name] = list;
      list.push(decodeValue(part, type.slice(2), depth));
    } else if (type.startsWith("{}")) {
      const map = (out[name] ?? {}) as Json;
      out[name] = map;
      const [key, value] = decodeEntry(part.bytes, type.slice(2), depth);
      if (key !== "__proto__") map[key] = value;
    } else {
      const value = decodeValue(part, type, depth);
      if (name === "") Object.assign(out, value);
      else if (value !== undefined && (keepsZero || !isZero(value))) out[name] = value;
    }
  }
  return out;
}

const isZero = (value: unknown): boolean => value === "" || value === 0 || value === false;

function decodeEntry(bytes: Buffer, type: string, depth: number): [string, unknown] {
  let key = "";
  let value: unknown = type === "s" || type === "y" ? "" : undefined;
  for (const part of partsOf(bytes)) {
    if (part.number === 1) key = part.bytes.toString();
    else if (part.number === 2) value = decodeValue(part, type, depth);
  }
  return [key, value];
}

function decodeValue(part: Part, type: string, depth: number): unknown {
  switch (type) {
    case "s":
      return part.bytes.toString();
    case "y":
      return part.bytes.toString("base64");
    case "b":
      return part.varint !== 0n;
    case "i":
      return Number.isSafeInteger(Number(part.varint)) ? Number(part.varint) : part.varint;
    case "d":
      return part.bytes.length === 8 ? part.bytes.readDoubleLE() : 0;
    case "T":
    case "M":
      return decodeTime(part.bytes, type === "M");
    case "Q":
      return textOf(part.bytes, 1);
    case "I":
      return decodeIntOrString(part.bytes);
    case "R":
    case "F":
      return decodeJson(part.bytes);
    case "E":
      return [...partsOf(part.bytes)].map((item) => item.bytes.toString());
    default:
      return decodeMessage(part.bytes, type, depth + 1);
  }
}

function textOf(bytes: Buffer, number: number): string {
  for (const part of partsOf(bytes)) if (part.number === number) return part.bytes.toString();
  return "";
}

function decodeTime(bytes: Buffer, micro: boolean): string | undefined {
  let seconds: number | undefined;
  let nanos = 0;
  for (const part of partsOf(bytes)) {
    if (part.number === 1) seconds = Number(part.varint);
    if (part.number === 2) nanos = Number(part.varint);
  }
  if (seconds === undefined) return undefined;
  const date = new Date(seconds * 1000);
  // The zero time of Go lies before every date an object can have.
  if (Number.isNaN(date.getTime()) || seconds <= -62_135_596_800) return undefined;
  const text = date.toISOString().slice(0, 19);
  return micro ? `${text}.${String(Math.floor(nanos / 1000)).padStart(6, "0")}Z` : `${text}Z`;
}

function decodeIntOrString(bytes: Buffer): number | string {
  let isText = false;
  let number = 0;
  let text = "";
  for (const part of partsOf(bytes)) {
    if (part.number === 1) isText = part.varint === 1n;
    if (part.number === 2) number = Number(part.varint);
    if (part.number === 3) text = part.bytes.toString();
  }
  return isText ? text : number;
}

function decodeJson(bytes: Buffer): unknown {
  const text = textOf(bytes, 1);
  if (!text) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw malformed("a raw member is no JSON");
  }
}
