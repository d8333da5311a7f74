import type { Machine } from "../machine.js";
import { type JsonForm, jsonText, numberText, plainJsonText, shortNumberText, writeJson } from "../manifest.js";
import { toText } from "../operators.js";
import { force, type JArray, JObject, type Slot, typeOf, type Value } from "../values.js";
import { array, boolean, define, type Functions, fail, object, text } from "./define.js";
import { xmlText } from "./strings.js";

const formOf = (indent: string, newline: string, colon: string): JsonForm => ({
  indent,
  newline,
  colon,
  empty: (inner) => newline + newline + inner,
  number: shortNumberText,
  text: plainJsonText,
});

const get = (from: JObject, name: string): Value => from.get(name) as Value;
const forced = (items: JArray): Value[] => items.map((slot: Slot) => force(slot));
const isTable = (value: Value): value is JObject => value instanceof JObject;
const isFilled = (value: Value): boolean => Array.isArray(value) && value.length > 0;
const isFilledObject = (value: Value): boolean => value instanceof JObject && value.names(false).length > 0;

const RESERVED: ReadonlySet<string> = new Set([
  ...["true", "false", "yes", "no", "on", "off", "y", "n"],
  ...[".nan", "-.inf", "+.inf", ".inf", "null", "-", "---", ""],
]);
const count = (key: string, letter: string): number => key.split(letter).length - 1;

/** True for keys that YAML reads as texts without quotes. */
function isBareYaml(key: string): boolean {
  const small = key.toLowerCase();
  if (!/^[A-Za-z0-9_\-/.]*$/.test(key) || RESERVED.has(small)) return false;
  const dashes = count(key, "-");
  const looksLike =
    (/^[0-9-]+$/.test(key) && dashes === 2) || // a date
    (/^[0-9_-]+$/.test(small) && dashes < 2) || // an integer
    (/^-?0b/.test(key) && /^[0-9b_-]+$/.test(small) && key.length > 2) ||
    (/[0-9]/.test(key) && /^[0-9e._-]+$/.test(small) && count(key, ".") === 1 && dashes < 3 && count(small, "e") < 2) || // a float
    /^-?[0-9]+e-?[0-9]+$/.test(small) || // another one
    (/^-?0x/.test(key) && /^[0-9a-fx_-]+$/.test(small) && key.length > 2 && dashes < 2);
  return !looksLike;
}

interface YamlForm {
  readonly indentArrays: boolean;
  readonly quoteKeys: boolean;
}

function yaml(machine: Machine, value: Value, form: YamlForm, indent = ""): string {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "number") return shortNumberText(value);
  if (typeof value === "string") {
    if (value === "") return '""';
    if (!value.endsWith("\n")) return jsonText(value);
    return ["|", ...value.split("\n").slice(0, -1)].join(`\n${indent}  `);
  }
  machine.enter();
  let lines: string[];
  if (Array.isArray(value)) {
    lines = forced(value).map((item) => {
      const nested = isFilled(item) || isFilledObject(item);
      const inner = nested ? `${indent}  ` : indent;
      return `-${isFilled(item) ? `\n${inner}` : " "}${yaml(machine, item, form, inner)}`;
    });
    if (lines.length === 0) lines = ["[]"];
  } else if (isTable(value)) {
    value.check();
    lines = value.names(false).map((name) => {
      const item = get(value, name);
      const deeper = isFilledObject(item) || (isFilled(item) && form.indentArrays);
      const inner = deeper ? `${indent}  ` : indent;
      const space = isFilled(item) || isFilledObject(item) ? `\n${inner}` : " ";
      return `${form.quoteKeys || !isBareYaml(name) ? jsonText(name) : name}:${space}${yaml(machine, item, form, inner)}`;
    });
    if (lines.length === 0) lines = ["{}"];
  } else return fail("tried to manifest a function");
  machine.leave();
  const joined = lines.join(`\n${indent}`);
  machine.charge(lines.length);
  return joined;
}

const yamlForm = (where: string, indentArrays: Value, quoteKeys: Value): YamlForm => ({
  indentArrays: boolean(where, indentArrays),
  quoteKeys: boolean(where, quoteKeys),
});

function python(machine: Machine, value: Value): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number") return numberText(value);
  if (typeof value === "string") return jsonText(value);
  machine.enter();
  let result: string;
  if (Array.isArray(value))
    result = `[${forced(value)
      .map((item) => python(machine, item))
      .join(", ")}]`;
  else if (isTable(value)) {
    const fields = value.names(false).map((name) => `${jsonText(name)}: ${python(machine, get(value, name))}`);
    result = `{${fields.join(", ")}}`;
  } else return fail("cannot manifest function");
  machine.leave();
  return result;
}

function ini(machine: Machine, given: Value): string {
  const whole = object("std.manifestIni", given);
  const body = (section: Value): string[] => {
    const from = object("std.manifestIni: a section", section);
    return from.names(false).flatMap((name) => {
      const value = get(from, name);
      const values = Array.isArray(value) ? forced(value) : [value];
      return values.map((one) => `${name} = ${toText(machine, one)}`);
    });
  };
  if (!whole.has("sections", true)) fail("std.manifestIni: field does not exist: sections");
  const sections = object("std.manifestIni: sections", get(whole, "sections"));
  const lines = [
    ...(whole.has("main", false) ? body(get(whole, "main")) : []),
    ...sections.names(false).flatMap((name) => [`[${name}]`, ...body(get(sections, name))]),
  ];
  return [...lines, ""].join("\n");
}

function jsonml(machine: Machine, value: Value): string {
  if (typeof value === "string") return xmlText(value);
  const [tag, ...rest] = forced(array("std.manifestXmlJsonml", value));
  if (tag === undefined) return fail("std.manifestXmlJsonml: an element has no tag");
  machine.enter();
  const attributes = isTable(rest[0] ?? null) ? (rest.shift() as JObject) : undefined;
  const name = text("std.manifestXmlJsonml: a tag", tag);
  const said = (attributes?.names(false) ?? [])
    .map((key) => ` ${key}="${xmlText(toText(machine, get(attributes as JObject, key)))}"`)
    .join("");
  const inner = rest.map((child) => jsonml(machine, child)).join("");
  machine.leave();
  return `<${name}${said}>${inner}</${name}>`;
}

const tomlKey = (key: string): string => (/^[A-Za-z0-9_-]+$/.test(key) ? key : jsonText(key));
const isTableArray = (value: Value): boolean =>
  Array.isArray(value) && value.length > 0 && forced(value).every((item) => isTable(item));
const isSection = (value: Value): boolean => isTable(value) || isTableArray(value);

function tomlValue(machine: Machine, value: Value, oneLine: boolean, indent: string, step: string): string {
  if (value === null) return fail('tried to manifest "null" in TOML output');
  if (typeof value === "boolean") return String(value);
  if (typeof value === "number") return numberText(value);
  if (typeof value === "string") return jsonText(value);
  machine.enter();
  let result: string;
  if (Array.isArray(value)) {
    const inner = oneLine ? "" : indent + step;
    const separator = oneLine ? " " : "\n";
    const items = forced(value).map((item) => inner + tomlValue(machine, item, true, "", step));
    result =
      items.length === 0 ? "[]" : `[${separator}${items.join(`,${separator}`)}${separator}${oneLine ? "" : indent}]`;
  } else if (isTable(value)) {
    const fields = value
      .names(false)
      .map((name) => `${tomlKey(name)} = ${tomlValue(machine, get(value, name), true, "", step)}`);
    result = `{ ${fields.join(", ")} }`;
  } else return fail("tried to manifest a function in TOML output");
  machine.leave();
  return result;
}

function tomlTable(machine: Machine, value: JObject, path: readonly string[], indent: string, step: string): string {
  machine.enter();
  value.check();
  const names = value.names(false);
  const plain = names
    .filter((name) => !isSection(get(value, name)))
    .map((name) => `${indent}${tomlKey(name)} = ${tomlValue(machine, get(value, name), false, indent, step)}`);
  const head = (open: string, close: string, at: readonly string[], table: JObject): string =>
    `${indent}${open}${at.map(tomlKey).join(".")}${close}${isFilledObject(table) ? "\n" : ""}${tomlTable(machine, table, at, indent + step, step)}`;
  const sections = names
    .filter((name) => isSection(get(value, name)))
    .map((name) => {
      const item = get(value, name);
      const at = [...path, name];
      return isTable(item)
        ? head("[", "]", at, item)
        : forced(item as JArray)
            .map((one) => head("[[", "]]", at, one as JObject))
            .join("\n\n");
    });
  machine.leave();
  return [plain.join("\n"), ...sections].join("\n\n");
}

export const manifests: Functions = {
  manifestJson: define("manifestJson", ["value"], (machine, value) =>
    writeJson(machine, value, formOf("    ", "\n", ": ")),
  ),
  manifestJsonMinified: define("manifestJsonMinified", ["value"], (machine, value) =>
    writeJson(machine, value, formOf("", "", ":")),
  ),
  manifestJsonEx: define(
    "manifestJsonEx",
    ["value", "indent", ["newline", "\n"], ["key_val_sep", ": "]],
    (machine, value, indent, newline, colon) =>
      writeJson(
        machine,
        value,
        formOf(
          text("std.manifestJsonEx", indent),
          text("std.manifestJsonEx", newline),
          text("std.manifestJsonEx", colon),
        ),
      ),
  ),
  manifestYamlDoc: define(
    "manifestYamlDoc",
    ["value", ["indent_array_in_object", false], ["quote_keys", true]],
    (machine, value, indentArrays, quoteKeys) =>
      yaml(machine, value, yamlForm("std.manifestYamlDoc", indentArrays, quoteKeys)),
  ),
  manifestYamlStream: define(
    "manifestYamlStream",
    ["value", ["indent_array_in_object", false], ["c_document_end", true], ["quote_keys", true]],
    (machine, value, indentArrays, end, quoteKeys) => {
      if (!Array.isArray(value)) return fail(`manifestYamlStream only takes arrays, got ${typeOf(value)}`);
      const form = yamlForm("std.manifestYamlStream", indentArrays, quoteKeys);
      const documents = forced(value).map((item) => yaml(machine, item, form));
      return `---\n${documents.join("\n---\n")}${boolean("std.manifestYamlStream", end) ? "\n...\n" : "\n"}`;
    },
  ),
  manifestPython: define("manifestPython", ["v"], python),
  manifestPythonVars: define("manifestPythonVars", ["conf"], (machine, conf) => {
    const from = object("std.manifestPythonVars", conf);
    return [...from.names(false).map((name) => `${name} = ${python(machine, get(from, name))}`), ""].join("\n");
  }),
  manifestIni: define("manifestIni", ["ini"], ini),
  manifestXmlJsonml: define("manifestXmlJsonml", ["value"], (machine, value) =>
    Array.isArray(value) ? jsonml(machine, value) : fail(`Expected a JSONML value (an array), got ${typeOf(value)}`),
  ),
  manifestToml: define("manifestToml", ["value"], (machine, value) => toml(machine, value, "  ")),
  manifestTomlEx: define("manifestTomlEx", ["value", "indent"], (machine, value, indent) =>
    toml(machine, value, text("std.manifestTomlEx", indent)),
  ),
};

const toml = (machine: Machine, value: Value, step: string): string =>
  isTable(value) ? tomlTable(machine, value, [], "", step) : fail(`TOML body must be an object. Got ${typeOf(value)}`);
