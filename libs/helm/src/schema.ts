import { createHash } from "node:crypto";
import { messageOf } from "@tiphys/errors";
import { formatValue, type GoValue, toPlain, typeOf } from "@tiphys/template";
import Ajv7, { type AnySchemaObject, type ErrorObject, type Options, type ValidateFunction } from "ajv";
import Ajv2019 from "ajv/dist/2019.js";
import Ajv2020 from "ajv/dist/2020.js";
import { RE2JS } from "re2js";
import type { Chart, Values } from "./chart.js";
import { ChartError } from "./errors.js";
import { type ChartFile, textOf } from "./file.js";

/** Largest values.schema.json, in bytes. */
const MAX_SCHEMA_BYTES = 2 << 20;
const MAX_CACHED = 50;

/** Patterns run on RE2: they are Go's, and none of them can take more than linear time. */
const regExp = Object.assign(
  (pattern: string) => {
    const regex = RE2JS.compile(pattern);
    // The validator tells patterns apart by their text.
    return { test: (text: string) => regex.matcher(text).find(), toString: () => pattern };
  },
  { code: "RE2" },
);

const options: Options = {
  allErrors: true,
  strict: false,
  verbose: true,
  validateFormats: true,
  logger: false,
  code: { regExp: regExp as NonNullable<NonNullable<Options["code"]>["regExp"]> },
};

const interopDefault = <T>(module: T): T => ((module as { default?: T }).default ?? module) as T;
const drafts = { 7: interopDefault(Ajv7), 2019: interopDefault(Ajv2019), 2020: interopDefault(Ajv2020) };

const formats: Readonly<Record<string, (text: string) => boolean>> = {
  ipv4: (text) => /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/.test(text),
  email: (text) => /^[^\s@]{1,64}@[^\s@]{1,255}$/.test(text),
  hostname: (text) =>
    text.length <= 253 && /^(?!-)[A-Za-z0-9-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*$/.test(text),
  "date-time": (text) => /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/.test(text),
  date: (text) => /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)),
  uri: (text) => /^[A-Za-z][A-Za-z0-9+.-]*:[^\s<>"{}|\\^`]*$/.test(text),
  regex: (text) => {
    try {
      RE2JS.compile(text);
      return true;
    } catch {
      return false;
    }
  },
};

const compiled = new Map<string, ValidateFunction>();

type Draft = { readonly version: keyof typeof drafts; readonly old: boolean; readonly assertsFormats: boolean };

function draftOf(schema: unknown): Draft {
  const uri = typeof schema === "object" && schema !== null ? (schema as { $schema?: unknown }).$schema : undefined;
  const text = typeof uri === "string" ? uri.replace(/#$/, "").replace(/^https?:\/\//, "") : "";
  if (text.startsWith("json-schema.org/draft/2019-09/")) return { version: 2019, old: false, assertsFormats: false };
  if (text === "json-schema.org/draft-07/schema") return { version: 7, old: false, assertsFormats: true };
  if (text === "json-schema.org/draft-06/schema") return { version: 7, old: false, assertsFormats: true };
  if (text === "json-schema.org/draft-04/schema") return { version: 7, old: true, assertsFormats: true };
  return { version: 2020, old: false, assertsFormats: false };
}

/** Draft 4 in the words of draft 7: `id`, and booleans that make limits exclusive. */
function modern(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(modern);
  if (typeof node !== "object" || node === null) return node;
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(node)) {
    if (key === "id" && typeof value === "string") result["$id"] = value;
    else if (key === "exclusiveMinimum" && typeof value === "boolean") {
      if (value) result["exclusiveMinimum"] = (node as { minimum?: unknown }).minimum;
    } else if (key === "exclusiveMaximum" && typeof value === "boolean") {
      if (value) result["exclusiveMaximum"] = (node as { maximum?: unknown }).maximum;
    } else result[key] = modern(value);
  }
  return result;
}

function compileSchema(file: ChartFile): ValidateFunction {
  const text = textOf(file);
  if (text.length > MAX_SCHEMA_BYTES) throw new Error(`values.schema.json is larger than ${MAX_SCHEMA_BYTES} bytes`);
  const key = createHash("sha256").update(file.data).digest("base64");
  const known = compiled.get(key);
  if (known) return known;
  const schema: unknown = JSON.parse(text);
  if (typeof schema !== "object" && typeof schema !== "boolean")
    throw new Error("the schema is neither an object nor a boolean");
  const { version, old, assertsFormats } = draftOf(schema);
  const ajv = new drafts[version]({ ...options, validateFormats: assertsFormats });
  for (const [name, validate] of Object.entries(formats)) ajv.addFormat(name, { type: "string", validate });
  // Formats nobody knows are not checked, as in Helm.
  const prepared = (old ? modern(schema) : schema) as AnySchemaObject | boolean;
  const own = typeof prepared === "object" && prepared !== null ? { ...prepared } : prepared;
  if (typeof own === "object") delete own["$schema"];
  const validate = ajv.compile(own as AnySchemaObject);
  if (compiled.size >= MAX_CACHED) compiled.delete(compiled.keys().next().value!);
  compiled.set(key, validate);
  return validate;
}

/** Checks values against the schemas of a chart and those inside it. Throws a {@link ChartError} that names every problem. */
export function validateSchemas(chart: Chart, values: Values): void {
  const problems = problemsOf(chart, values);
  if (problems !== "") {
    throw new ChartError(
      `values don't meet the specifications of the schema(s) in the following chart(s):\n${problems}`,
    );
  }
}

function problemsOf(chart: Chart, values: Values): string {
  let text = "";
  if (chart.schema) {
    const own = validateOne(chart.schema, values);
    if (own !== "") text += `${chart.name}:\n${own}`;
  }
  for (const sub of chart.dependencies) {
    const inner = values.get(sub.name);
    if (inner === null || inner === undefined) continue;
    if (inner instanceof Map) text += problemsOf(sub, inner);
    else text += `${sub.name}:\ninvalid type for values: expected object (map), got ${typeOf(inner)}\n`;
  }
  return text;
}

function validateOne(file: ChartFile, values: Values): string {
  let validate: ValidateFunction;
  try {
    validate = compileSchema(file);
  } catch (error) {
    // Nothing is fetched: a schema that refers to another address has to carry it along.
    return `unable to compile values.schema.json: ${messageOf(error)}\n`;
  }
  if (validate(toPlain(values))) return "";
  const lines = new Set((validate.errors ?? []).filter(({ keyword }) => !["if"].includes(keyword)).map(describe));
  return `${[...lines].join("\n")}\n`;
}

const typeName = (value: unknown): string =>
  value === null ? "null" : Array.isArray(value) ? "array" : typeof value === "object" ? "object" : typeof value;
const shown = (value: unknown): string => (typeof value === "string" ? `'${value}'` : JSON.stringify(value));
const list = (values: readonly unknown[]): string => values.map(shown).join(", ");

/** A problem in the words of Helm's validator. */
function describe({ instancePath, keyword, params, data, schema }: ErrorObject): string {
  const at = `- at '${instancePath}': `;
  const size =
    typeof data === "string"
      ? [...data].length
      : Array.isArray(data)
        ? data.length
        : Object.keys((data as object | null) ?? {}).length;
  switch (keyword) {
    case "type": {
      const wanted = Array.isArray(params["type"]) ? params["type"] : String(params["type"]).split(",");
      return `${at}got ${typeName(data)}, want ${wanted.join(" or ")}`;
    }
    case "required":
      return `${at}missing property '${params["missingProperty"]}'`;
    case "enum":
      return `${at}value must be one of ${list(params["allowedValues"])}`;
    case "const":
      return `${at}value must be ${shown(params["allowedValue"])}`;
    case "additionalProperties":
      return `${at}additional properties '${params["additionalProperty"]}' not allowed`;
    case "pattern":
      return `${at}${shown(data)} does not match pattern ${shown(params["pattern"])}`;
    case "minimum":
    case "maximum":
    case "exclusiveMinimum":
    case "exclusiveMaximum":
      return `${at}${keyword}: got ${String(data)}, want ${params["limit"]}`;
    case "minLength":
    case "maxLength":
    case "minItems":
    case "maxItems":
    case "minProperties":
    case "maxProperties":
      return `${at}${keyword}: got ${size}, want ${params["limit"]}`;
    case "format":
      return `${at}${shown(data)} is not valid ${params["format"]}`;
    case "multipleOf":
      return `${at}multipleOf: got ${String(data)}, want ${params["multipleOf"]}`;
    case "uniqueItems":
      return `${at}items at ${params["j"]} and ${params["i"]} are equal`;
    case "not":
      return `${at}'not' failed`;
    case "oneOf":
    case "anyOf":
      return `${at}'${keyword}' failed, ${params["passingSchemas"] ? "more than one matched" : "none matched"}`;
    case "false schema":
      return `${at}false schema`;
    default:
      return `${at}'${keyword}' failed${typeof schema === "object" ? "" : ` (${formatValue(schema as GoValue)})`}`;
  }
}
