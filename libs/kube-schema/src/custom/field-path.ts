import type { Schema } from "../schema.js";

/** A path such as `.spec.replicas` or `.labels['a.b']` against a schema: its form in messages, or why it is none. */
export function fieldPathOf(
  jsonPath: string,
  schema: Schema,
  brackets = true,
): { path?: string; schema?: Schema; problem?: string } {
  const tokens = tokenize(jsonPath);
  let path = "";
  let at: Schema = schema;
  const step = (name: string): string | undefined => {
    if (at.properties !== undefined) {
      const next = Object.hasOwn(at.properties, name) ? at.properties[name] : undefined;
      if (next === undefined) return "does not refer to a valid field";
      path = path === "" ? name : `${path}.${name}`;
      at = next;
    } else if (at.additional !== undefined) {
      path = `${path}[${name}]`;
      at = at.additional;
    } else return "does not refer to a valid field";
    return undefined;
  };
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index]!;
    if (token === ".") {
      const name = tokens[++index];
      if (name === undefined) return { problem: "unexpected end of JSON path" };
      const problem = step(name);
      if (problem !== undefined) return { problem };
    } else if (token === "[") {
      if (!brackets) return { problem: "array notation is not allowed" };
      const quoted = tokens[++index];
      if (quoted === undefined) return { problem: "unexpected end of JSON path" };
      if (!/^'.*'$/s.test(quoted) || quoted.length < 2)
        return { problem: `expected single quoted string but got ${quoted}` };
      const problem = step(quoted.slice(1, -1).replace(/\\(.)/g, (_, sign) => escapes[sign] ?? sign));
      if (problem !== undefined) return { problem };
      const close = tokens[++index];
      if (close === undefined) return { problem: "unexpected end of JSON path" };
      if (close !== "]") return { problem: `expected ] but got ${close}` };
    } else return { problem: `expected [ or . but got: ${token}` };
  }
  return { path, schema: at };
}

const escapes: Readonly<Record<string, string>> = { a: "\x07", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" };

function tokenize(text: string): string[] {
  const tokens: string[] = [];
  let at = 0;
  while (at < text.length) {
    const sign = text[at]!;
    if (sign === "." || sign === "[" || sign === "]") {
      tokens.push(sign);
      at++;
      continue;
    }
    let end = at + 1;
    if (sign === "'") {
      while (end < text.length && !(text[end] === "'" && text[end - 1] !== "\\")) end++;
      end++;
    } else while (end < text.length && !".[]".includes(text[end]!)) end++;
    tokens.push(text.slice(at, end));
    at = end;
  }
  return tokens;
}
