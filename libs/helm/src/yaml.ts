import { messageOf } from "@tiphys/errors";
import { checkWanted, fromPlain, GoInt, GoSlice, GoStruct, type GoValue } from "@tiphys/template";
import { formatShortestG, parseYamlDocuments, toGoYaml } from "@tiphys/yaml";

/** What Go's values look like to a YAML writer. */
const plain =
  (viaJson: boolean) =>
  (value: object): unknown => {
    if (value instanceof GoInt) return viaJson ? value.v : (value.text() ?? value.v);
    if (value instanceof Uint8Array) return viaJson ? Buffer.from(value).toString("base64") : [...value].map(BigInt);
    if (value instanceof GoStruct) {
      if (value.options.json) return value.options.json();
      return new Map([...value.fields].map(([key, member]) => [viaJson ? key : key.toLowerCase(), member]));
    }
    return value;
  };
const jsonPlain = plain(true);
const directPlain = plain(false);

const nilList = (value: GoValue): boolean => value instanceof GoSlice && value.nil;

/** sigs.k8s.io/yaml's Marshal, without the last line break. Throws what has no YAML form. */
export function toYaml(value: GoValue, maxLength: number): string {
  if (nilList(value)) return "null";
  return withoutLastBreak(toGoYaml(value, { plain: jsonPlain, maxLength }));
}

/** goyaml.v3 with an indentation of two, without the last line break. */
export function toYamlPretty(value: GoValue, maxLength: number): string {
  return withoutLastBreak(toGoYaml(value, { style: "v3", viaJson: false, plain: directPlain, maxLength }));
}

const withoutLastBreak = (text: string): string => (text.endsWith("\n") ? text.slice(0, -1) : text);

/** The first document of a YAML text as Go values. Throws an Error with the text of sigs.k8s.io/yaml's Unmarshal. */
export function fromYaml(text: string, want: "any" | "map" | "list" = "any"): GoValue {
  let value: unknown;
  try {
    value = parseYamlDocuments(text)[0]?.value ?? null;
  } catch (error) {
    throw new Error(`error converting YAML to JSON: yaml: ${goText(messageOf(error))}`);
  }
  const converted = fromPlain(value);
  try {
    return checkWanted(converted, want);
  } catch (error) {
    throw new Error(`error unmarshaling JSON: while decoding JSON: ${messageOf(error)}`);
  }
}

/** `yaml:3:1: reason` as Go words it. */
function goText(message: string): string {
  const match = /^yaml:(\d+):\d+: (.*)$/s.exec(message);
  return match ? `line ${match[1]}: ${match[2]}` : message;
}

/** A scalar where a text is wanted: sigs.k8s.io/yaml converts numbers and booleans. Undefined for anything else. */
export function scalarText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "number")
    return Number.isInteger(value) && Math.abs(value) < 2 ** 63 ? BigInt(value).toString() : formatShortestG(value);
  if (typeof value === "bigint" || typeof value === "boolean") return String(value);
  return value === null || value === undefined ? "" : undefined;
}
