import { isQualifiedName } from "@tiphys/kube-schema";
import type { KubeObject } from "@tiphys/resources";
import { badRequest } from "./status.js";

export type Labels = Readonly<Record<string, string>>;
export type Match<T> = (value: T) => boolean;

const NAME = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const TOKEN = /\s*(==|!=|=|!|,|\(|\)|<|>|[^\s=!,()<>]+|$)/y;

function tokens(text: string): string[] {
  const out: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const token = TOKEN.exec(text)?.[1];
    if (!token) break;
    out.push(token);
  }
  return out;
}

/** A label selector: `a=b,c!=d,e in (f,g),h notin (i),j,!k`. Undefined when it selects everything. */
export function labelSelector(text: string | undefined): Match<KubeObject> | undefined {
  if (!text?.trim()) return undefined;
  const requirements: Match<Labels>[] = [];
  const rest = tokens(text);
  const shown = (token: string | undefined) => token ?? "";
  const value = (raw: string | undefined, key: string, index = 0): string => {
    const found = raw ?? "";
    if (/^(==|!=|[=!()<>])/.test(found)) {
      throw badRequest(`unable to parse requirement: found '${found[0]}', expected: identifier`);
    }
    if (found && (found.length > 63 || !NAME.test(found))) {
      throw badRequest(
        `unable to parse requirement: values[${index}][${key}]: Invalid value: ${JSON.stringify(found)}: a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
      );
    }
    return found;
  };
  for (;;) {
    let key = rest.shift();
    const negated = key === "!";
    if (negated) key = rest.shift();
    if (!key || /^[=!,()<>]/.test(key)) {
      throw badRequest(`unable to parse requirement: found '${shown(key)}', expected: identifier`);
    }
    for (const problem of isQualifiedName(key)) {
      throw badRequest(`unable to parse requirement: <nil>: Invalid value: ${JSON.stringify(key)}: ${problem}`);
    }
    requirements.push(requirement(key, negated));
    const next = rest.shift();
    if (next === undefined) break;
    if (next === "," && rest.length === 0) throw badRequest("found '', expected: identifier after ','");
    if (next !== ",")
      throw badRequest(`unable to parse requirement: found '${next}', expected: ',' or 'end of string'`);
  }
  return (object) => {
    const labels = object.metadata.labels ?? {};
    return requirements.every((matches) => matches(labels));
  };

  function requirement(key: string, negated: boolean): Match<Labels> {
    if (negated) return (labels) => !Object.hasOwn(labels, key);
    const operator = rest[0];
    if (operator === undefined || operator === ",") return (labels) => Object.hasOwn(labels, key);
    rest.shift();
    if (operator === "=" || operator === "==" || operator === "!=") {
      const wanted = value(rest[0] === undefined || rest[0] === "," ? "" : rest.shift(), key);
      if (operator === "!=") return (labels) => labels[key] !== wanted;
      return (labels) => Object.hasOwn(labels, key) && labels[key] === wanted;
    }
    if (operator === "in" || operator === "notin") {
      const wanted = set(key);
      if (operator === "in") return (labels) => Object.hasOwn(labels, key) && wanted.has(labels[key] ?? "");
      return (labels) => !Object.hasOwn(labels, key) || !wanted.has(labels[key] ?? "");
    }
    if (operator === "<" || operator === ">") {
      const text = rest.shift() ?? "";
      const bound = Number(text);
      if (!Number.isInteger(bound)) {
        throw badRequest(
          `unable to parse requirement: values[0]: Invalid value: ${JSON.stringify(text)}: for 'Gt', 'Lt' operators, the value must be an integer`,
        );
      }
      return (labels) => {
        const number = Object.hasOwn(labels, key) ? Number(labels[key]) : Number.NaN;
        return operator === "<" ? number < bound : number > bound;
      };
    }
    throw badRequest(`unable to parse requirement: found '${operator}', expected: in, notin, =, ==, !=, gt, lt`);
  }

  function set(key: string): Set<string> {
    const open = rest.shift();
    if (open !== "(") throw badRequest(`unable to parse requirement: found '${shown(open)}', expected: '('`);
    const values = new Set<string>();
    let last = "";
    for (;;) {
      const token = rest.shift();
      if (token === undefined) throw badRequest("unable to parse requirement: found '', expected: ',' or ')'");
      if (token === "," || token === ")") {
        values.add(value(last, key, values.size));
        last = "";
        if (token === ")") return values;
      } else last = token;
    }
  }
}

/** Reads a field's value as selectors compare it; undefined when the kind has no such selectable field. */
export type FieldOf = (field: string) => ((object: KubeObject) => string) | undefined;

/** A field selector: `metadata.name=a,status.phase!=Running`. Undefined when it selects everything. */
export function fieldSelector(text: string | undefined, fieldOf: FieldOf): Match<KubeObject> | undefined {
  if (!text) return undefined;
  const requirements: Match<KubeObject>[] = [];
  for (const part of text.split(/(?<!\\),/)) {
    if (!part) continue;
    const found = /^(.*?)(!=|==|=)(.*)$/s.exec(part);
    if (!found) throw badRequest(`invalid selector: '${text}'; can't understand '${part}'`);
    const [, field = "", operator, raw = ""] = found;
    const read = fieldOf(field);
    if (!read) throw badRequest(`field label not supported: ${field}`);
    const wanted = raw.replace(/\\([\\,=])/g, "$1");
    requirements.push(operator === "!=" ? (object) => read(object) !== wanted : (object) => read(object) === wanted);
  }
  return requirements.length === 0 ? undefined : (object) => requirements.every((matches) => matches(object));
}
