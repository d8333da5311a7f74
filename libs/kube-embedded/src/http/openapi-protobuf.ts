import { toYaml } from "@tiphys/yaml";

/*
 * The OpenAPI v2 document in the protobuf form that stock clients ask for, and for which they know no other:
 * gnostic's openapi.v2.Document. Only what our document has is written.
 */

export const OPENAPI_PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
/** As clients ask for it. */
export const asksForOpenApiProtobuf = (accept: string | undefined): boolean =>
  /application\/com\.github\.proto-openapi\.spec\.v2(@|\.)v1\.0\+protobuf/.test(accept ?? "");

type Json = Record<string, unknown>;

const BYTES = 2;

function varint(value: number): Buffer {
  const out: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    out.push((rest & 0x7f) | 0x80);
    rest = Math.floor(rest / 128);
  }
  out.push(rest);
  return Buffer.from(out);
}

const bytes = (field: number, value: Buffer | string): Buffer => {
  const content = typeof value === "string" ? Buffer.from(value) : value;
  return Buffer.concat([varint((field << 3) | BYTES), varint(content.length), content]);
};
const flag = (field: number, value: unknown): Buffer =>
  value === true ? Buffer.concat([varint(field << 3), varint(1)]) : Buffer.alloc(0);
const text = (field: number, value: unknown): Buffer =>
  typeof value === "string" && value !== "" ? bytes(field, value) : Buffer.alloc(0);

/** A value of any form travels as YAML. */
const any = (value: unknown): Buffer => bytes(2, toYaml(value));
const named = (field: number, name: string, value: Buffer): Buffer =>
  bytes(field, Buffer.concat([bytes(1, name), bytes(2, value)]));
const properties = (members: Json): Buffer =>
  Buffer.concat(Object.entries(members).map(([name, member]) => named(1, name, schema(member as Json))));

function schema(node: Json): Buffer {
  const parts: Buffer[] = [
    text(1, node["$ref"]),
    text(2, node["format"]),
    text(4, node["description"]),
    flag(16, node["uniqueItems"]),
  ];
  if (node["default"] !== undefined) parts.push(bytes(5, any(node["default"])));
  for (const name of (node["required"] as string[] | undefined) ?? []) parts.push(bytes(19, name));
  for (const value of (node["enum"] as unknown[] | undefined) ?? []) parts.push(bytes(20, any(value)));
  const additional = node["additionalProperties"];
  if (typeof additional === "boolean") parts.push(bytes(21, flag(2, additional)));
  else if (additional) parts.push(bytes(21, bytes(1, schema(additional as Json))));
  if (typeof node["type"] === "string") parts.push(bytes(22, bytes(1, node["type"])));
  if (node["items"]) parts.push(bytes(23, bytes(1, schema(node["items"] as Json))));
  for (const part of (node["allOf"] as Json[] | undefined) ?? []) parts.push(bytes(24, schema(part)));
  if (node["properties"]) parts.push(bytes(25, properties(node["properties"] as Json)));
  for (const [name, value] of Object.entries(node)) if (name.startsWith("x-")) parts.push(named(31, name, any(value)));
  return Buffer.concat(parts);
}

export function openApiProtobuf(document: Json): Buffer {
  const info = document["info"] as { title: string; version: string };
  return Buffer.concat([
    text(1, document["swagger"]),
    bytes(2, Buffer.concat([text(1, info.title), text(2, info.version)])),
    bytes(8, Buffer.alloc(0)),
    bytes(9, properties(document["definitions"] as Json)),
  ]);
}
