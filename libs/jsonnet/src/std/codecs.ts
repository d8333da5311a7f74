import { createHash } from "node:crypto";
import { messageOf } from "@tiphys/errors";
import { parseYamlDocuments } from "@tiphys/yaml";
import type { Machine } from "../machine.js";
import { force, type JArray, objectOf, type Slot, type Value } from "../values.js";
import { array, define, type Functions, fail, integer, text } from "./define.js";

function bytesOf(where: string, value: Value): Buffer {
  if (typeof value === "string") {
    const points = [...value].map((character) => character.codePointAt(0) as number);
    if (points.some((point) => point > 255))
      fail(`${where} encountered invalid codepoint value in the string: it must be 0 <= c <= 255`);
    return Buffer.from(points);
  }
  return Buffer.from(
    array(where, value).map((slot) => {
      const byte = integer(where, force(slot));
      return byte < 0 || byte > 255 ? fail(`${where} can only encode bytes: ${byte} is not within 0 and 255`) : byte;
    }),
  );
}

function decoded(where: string, value: Value): Buffer {
  const given = text(where, value);
  if (given.length % 4 !== 0) fail(`${where}: not a base64 encoded string: its length is not a multiple of 4`);
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(given)) fail(`${where}: not a base64 encoded string`);
  return Buffer.from(given, "base64");
}

const hash = (name: string, algorithm: string) =>
  define(name, ["s"], (machine, str) => {
    const given = text(`std.${name}`, str);
    machine.charge(given.length);
    return createHash(algorithm).update(given, "utf8").digest("hex");
  });

/** Plain data as a value. */
export function fromData(machine: Machine, data: unknown): Value {
  if (data === null || data === undefined) return null;
  if (typeof data === "bigint") return Number(data);
  if (typeof data !== "object") return data as Value;
  machine.enter();
  let value: Value;
  if (Array.isArray(data)) {
    machine.charge(data.length);
    value = data.map((item) => fromData(machine, item));
  } else {
    const entries = Object.entries(data);
    machine.charge(entries.length);
    value = objectOf(entries.map(([name, item]) => [name, fromData(machine, item)] as [string, Slot]));
  }
  machine.leave();
  return value;
}

function json(machine: Machine, given: Value): Value {
  const source = text("std.parseJson", given);
  machine.charge(source.length);
  let data: unknown;
  try {
    data = JSON.parse(source);
  } catch (error) {
    return fail(`failed to parse JSON: ${messageOf(error)}`);
  }
  return fromData(machine, data);
}

function yaml(machine: Machine, given: Value): Value {
  const source = text("std.parseYaml", given);
  machine.charge(source.length);
  const several = /^---(?:\s|$)/m.test(source);
  let documents: unknown[];
  try {
    documents = [...parseYamlDocuments(source, { file: "the text" })].map(({ value }) => value);
  } catch (error) {
    return fail(`failed to parse YAML: ${messageOf(error)}`);
  }
  const values: JArray = documents.map((document) => fromData(machine, document));
  return several ? values : force(values[0] ?? null);
}

export const codecs: Functions = {
  base64: define("base64", ["input"], (machine, input) => {
    const bytes = bytesOf("std.base64", input);
    machine.charge(bytes.length);
    return bytes.toString("base64");
  }),
  base64Decode: define("base64Decode", ["str"], (machine, str) => {
    const bytes = decoded("std.base64Decode", str);
    machine.charge(bytes.length);
    return bytes.toString("latin1");
  }),
  base64DecodeBytes: define("base64DecodeBytes", ["str"], (machine, str) => {
    const bytes = decoded("std.base64DecodeBytes", str);
    machine.charge(bytes.length);
    return [...bytes];
  }),
  encodeUTF8: define("encodeUTF8", ["str"], (machine, str) => {
    const bytes = Buffer.from(text("std.encodeUTF8", str), "utf8");
    machine.charge(bytes.length);
    return [...bytes];
  }),
  decodeUTF8: define("decodeUTF8", ["arr"], (machine, arr) => {
    const bytes = bytesOf("std.decodeUTF8", array("std.decodeUTF8", arr) as Value);
    machine.charge(bytes.length);
    return bytes.toString("utf8");
  }),
  md5: hash("md5", "md5"),
  sha1: hash("sha1", "sha1"),
  sha256: hash("sha256", "sha256"),
  sha512: hash("sha512", "sha512"),
  sha3: hash("sha3", "sha3-512"),
  parseJson: define("parseJson", ["str"], json),
  parseYaml: define("parseYaml", ["str"], yaml),
};
