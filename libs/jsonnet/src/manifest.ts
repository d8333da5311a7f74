import { limits } from "@tiphys/limits";
import { JsonnetRuntimeError } from "./errors.js";
import type { Machine } from "./machine.js";
import { force, JObject, typeOf, type Value } from "./values.js";

/** A whole number in full, however large. */
function wholeText(value: number): string {
  if (Object.is(value, -0)) return "-0";
  return Number.isSafeInteger(value) ? String(value) : BigInt(value).toString();
}

/** How a number is written in texts: whole ones in full, others as C's %.17g. */
export function numberText(value: number): string {
  if (Number.isInteger(value)) return wholeText(value);
  const [mantissa = "", exponent = "0"] = value.toExponential(16).split("e");
  const power = Number(exponent);
  if (power < -4 || power >= 17) {
    const digits = mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa;
    return `${digits}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
  }
  return value.toFixed(Math.max(0, 16 - power)).replace(/\.?0+$/, "");
}

/** How go-jsonnet's JSON and YAML writers have a number: the fewest digits that are it, and no exponent. */
export function shortNumberText(value: number): string {
  if (Number.isSafeInteger(value)) return wholeText(value);
  const [, sign = "", first = "", rest = "", exponent] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(value)) ?? [];
  if (exponent === undefined) return String(value);
  const point = first.length + Number(exponent);
  const digits = first + rest;
  if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`;
  return `${sign}${digits.padEnd(point, "0")}`;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: what JSON has to escape
const ESCAPED = /["\\\u0000-\u001f\u007f-\u009f]/g;
const SHORT: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
};

/** A JSON string as the originals write it: control characters of both blocks are escaped. */
export const jsonText = (text: string): string =>
  `"${text.replace(ESCAPED, (character) => SHORT[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`)}"`;

/** The same without the second block: what go-jsonnet's std.manifestJsonEx writes. */
export const plainJsonText = (text: string): string => JSON.stringify(text);

export interface JsonForm {
  readonly indent: string;
  readonly newline: string;
  readonly colon: string;
  /** What stands between the brackets of empty arrays and objects. */
  readonly empty: (indent: string) => string;
  readonly number: (value: number) => string;
  readonly text: (value: string) => string;
}

const INLINE: JsonForm = {
  indent: "",
  newline: " ",
  colon: ": ",
  empty: () => " ",
  number: numberText,
  text: jsonText,
};

/** Text of a value on one line, as texts are joined with it. */
export const inline = (machine: Machine, value: Value): string => writeJson(machine, value, INLINE, true);

/** JSON of a value, computing all of it. */
export function writeJson(machine: Machine, value: Value, form: JsonForm, onOneLine = false): string {
  const parts: string[] = [];
  let length = 0;
  const put = (text: string): void => {
    length += text.length;
    if (length > limits.renderOutputBytes) {
      throw new JsonnetRuntimeError(`the output is larger than ${limits.renderOutputBytes} characters`);
    }
    parts.push(text);
  };
  const write = (current: Value, indent: string): void => {
    if (current === null || typeof current !== "object") {
      put(
        typeof current === "number"
          ? form.number(current)
          : typeof current === "string"
            ? form.text(current)
            : String(current),
      );
      return;
    }
    const inner = indent + form.indent;
    const open = onOneLine ? "" : form.newline + inner;
    const separator = onOneLine ? ", " : `,${form.newline}${inner}`;
    const close = onOneLine ? "" : form.newline + indent;
    machine.enter();
    if (Array.isArray(current)) {
      if (current.length === 0) put(`[${form.empty(indent)}]`);
      else {
        put(`[${open}`);
        current.forEach((slot, at) => {
          if (at > 0) put(separator);
          write(force(slot), inner);
        });
        put(`${close}]`);
      }
    } else if (current instanceof JObject) {
      current.check();
      const names = current.names(false);
      if (names.length === 0) put(`{${form.empty(indent)}}`);
      else {
        put(`{${open}`);
        names.forEach((name, at) => {
          if (at > 0) put(separator);
          put(form.text(name) + form.colon);
          write(current.get(name) as Value, inner);
        });
        put(`${close}}`);
      }
    } else throw new JsonnetRuntimeError("couldn't manifest function in JSON output.");
    machine.leave();
  };
  write(value, "");
  return parts.join("");
}

/** A value as plain data of JavaScript, computing all of it; numbers stay doubles. */
export function toData(machine: Machine, value: Value): unknown {
  if (value === null || typeof value !== "object") return value;
  machine.enter();
  let data: unknown;
  if (Array.isArray(value)) {
    machine.charge(value.length);
    data = value.map((slot) => toData(machine, force(slot)));
  } else if (value instanceof JObject) {
    value.check();
    const object: Record<string, unknown> = {};
    const names = value.names(false);
    machine.charge(names.length);
    for (const name of names) {
      const field = toData(machine, value.get(name) as Value);
      if (name === "__proto__")
        Object.defineProperty(object, name, { value: field, enumerable: true, configurable: true, writable: true });
      else object[name] = field;
    }
    data = object;
  } else throw new JsonnetRuntimeError(`couldn't manifest a ${typeOf(value)}: only data can be given out`);
  machine.leave();
  return data;
}
