import { InvalidArgumentError } from "@tiphys/errors";

type Step =
  | { readonly kind: "member"; readonly name: string }
  | { readonly kind: "index"; readonly index: number }
  | { readonly kind: "slice"; readonly from?: number; readonly to?: number; readonly step: number }
  | { readonly kind: "all" }
  | { readonly kind: "deep" }
  | { readonly kind: "union"; readonly steps: readonly Step[] }
  | { readonly kind: "filter"; readonly left: readonly Step[]; readonly operator?: string; readonly right?: Operand };
type Operand = { readonly value: unknown } | { readonly path: readonly Step[] };

const LONGEST_EXPRESSION = 4096;
/** Values looked at by one expression, so that `..` on a large document ends. */
const MOST_VALUES = 200_000;

const fail = (expression: string, problem: string): never => {
  throw new InvalidArgumentError("jsonPath", `"${expression}": ${problem}`);
};

/** Splits `.a['b'][0]..c` into steps. `text` starts after the `$` or `@`. */
function parseSteps(text: string, expression: string): Step[] {
  const steps: Step[] = [];
  let at = 0;
  while (at < text.length) {
    if (text.startsWith("..", at)) {
      steps.push({ kind: "deep" });
      at += 2;
      if (text[at] !== "[") at = member(text, at, steps, expression);
    } else if (text[at] === ".") {
      at += 1;
      if (at < text.length && text[at] !== "[") at = member(text, at, steps, expression);
    } else if (text[at] === "[") {
      const end = closing(text, at);
      if (end < 0) fail(expression, "a [ is not closed");
      steps.push(parseBracket(text.slice(at + 1, end).trim(), expression));
      at = end + 1;
    } else if (at === 0) {
      at = member(text, at, steps, expression);
    } else {
      fail(expression, `"${text[at]}" is not expected at ${at}`);
    }
  }
  return steps;
}

function member(text: string, from: number, steps: Step[], expression: string): number {
  let name = "";
  let at = from;
  for (; at < text.length && text[at] !== "." && text[at] !== "["; at++) {
    // A dot inside a name is written `\.`.
    if (text[at] === "\\" && at + 1 < text.length) at++;
    name += text[at];
  }
  if (name === "") fail(expression, "a name is missing after a dot");
  steps.push(name === "*" ? { kind: "all" } : { kind: "member", name });
  return at;
}

function closing(text: string, open: number): number {
  let depth = 0;
  let quote = "";
  for (let at = open; at < text.length; at++) {
    const c = text[at] as string;
    if (quote) {
      if (c === "\\") at++;
      else if (c === quote) quote = "";
    } else if (c === "'" || c === '"') quote = c;
    else if (c === "[") depth++;
    else if (c === "]" && --depth === 0) return at;
  }
  return -1;
}

const unquote = (text: string): string | undefined =>
  text.match(/^'((?:[^'\\]|\\.)*)'$/s)?.[1]?.replace(/\\(.)/gs, "$1") ??
  text.match(/^"((?:[^"\\]|\\.)*)"$/s)?.[1]?.replace(/\\(.)/gs, "$1");

function parseBracket(inside: string, expression: string): Step {
  if (inside === "*") return { kind: "all" };
  if (inside.startsWith("?")) return parseFilter(inside.slice(1).trim(), expression);
  const parts = splitOutside(inside, ",");
  if (parts.length > 1) return { kind: "union", steps: parts.map((part) => parseBracket(part.trim(), expression)) };
  const quoted = unquote(inside);
  if (quoted !== undefined) return { kind: "member", name: quoted };
  if (/^-?\d+$/.test(inside)) return { kind: "index", index: Number(inside) };
  const slice = inside.match(/^(-?\d+)?:(-?\d+)?(?::(\d+))?$/);
  if (!slice) return fail(expression, `[${inside}] is not understood`);
  return {
    kind: "slice",
    ...(slice[1] === undefined ? {} : { from: Number(slice[1]) }),
    ...(slice[2] === undefined ? {} : { to: Number(slice[2]) }),
    step: Math.max(1, Number(slice[3] ?? 1)),
  };
}

function splitOutside(text: string, separator: string): string[] {
  const parts: string[] = [];
  let quote = "";
  let part = "";
  for (const c of text) {
    if (quote) quote = c === quote ? "" : quote;
    else if (c === "'" || c === '"') quote = c;
    if (!quote && c === separator) {
      parts.push(part);
      part = "";
    } else part += c;
  }
  return [...parts, part];
}

function parseFilter(text: string, expression: string): Step {
  const body = text.match(/^\((.*)\)$/s)?.[1]?.trim();
  if (body === undefined) return fail(expression, "a filter is written [?(…)]");
  const match = body.match(/^(@[^=!<>]*?)\s*(?:(==|!=|<=|>=|<|>)\s*(.+))?$/s);
  if (!match) return fail(expression, `the filter (${body}) is not understood`);
  const left = parseSteps((match[1] as string).slice(1), expression);
  if (!match[2]) return { kind: "filter", left };
  return { kind: "filter", left, operator: match[2], right: operand((match[3] as string).trim(), expression) };
}

function operand(text: string, expression: string): Operand {
  if (text.startsWith("@")) return { path: parseSteps(text.slice(1), expression) };
  const quoted = unquote(text);
  if (quoted !== undefined) return { value: quoted };
  if (text === "true" || text === "false") return { value: text === "true" };
  const number = Number(text);
  return Number.isNaN(number)
    ? fail(expression, `"${text}" is neither a text, a number nor a path`)
    : { value: number };
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === "object" && !Array.isArray(value);

const childrenOf = (value: unknown): unknown[] =>
  Array.isArray(value)
    ? value
    : isMap(value)
      ? Object.keys(value)
          .sort()
          .map((key) => value[key])
      : [];

function selectOne(value: unknown, step: Step, budget: { left: number }, expression: string): unknown[] {
  if (--budget.left < 0) fail(expression, `looks at more than ${MOST_VALUES} values`);
  switch (step.kind) {
    case "member":
      return isMap(value) && Object.hasOwn(value, step.name) ? [value[step.name]] : [];
    case "index": {
      if (!Array.isArray(value)) return [];
      const index = step.index < 0 ? value.length + step.index : step.index;
      return index >= 0 && index < value.length ? [value[index]] : [];
    }
    case "slice": {
      if (!Array.isArray(value)) return [];
      return value.slice(step.from ?? 0, step.to).filter((_item, index) => index % step.step === 0);
    }
    case "all": {
      const children = childrenOf(value);
      budget.left -= children.length;
      return children;
    }
    case "deep": {
      // Without recursion: nobody knows how deep a document is.
      const found: unknown[] = [];
      const ahead = [value];
      while (ahead.length > 0) {
        const next = ahead.pop();
        if (--budget.left < 0) fail(expression, `looks at more than ${MOST_VALUES} values`);
        found.push(next);
        for (const child of [...childrenOf(next)].reverse()) ahead.push(child);
      }
      return found;
    }
    case "union":
      return step.steps.flatMap((part) => selectOne(value, part, budget, expression));
    case "filter":
      return (Array.isArray(value) ? value : []).filter((item) => passes(item, step, budget, expression));
  }
}

function passes(item: unknown, step: Step & { kind: "filter" }, budget: { left: number }, expression: string): boolean {
  const [left] = run([item], step.left, budget, expression);
  if (!step.operator || !step.right) return left !== undefined;
  const right = "value" in step.right ? step.right.value : run([item], step.right.path, budget, expression)[0];
  if (step.operator === "==") return left === right;
  if (step.operator === "!=") return left !== right;
  if (typeof left !== typeof right || (typeof left !== "number" && typeof left !== "string")) return false;
  const [a, b] = [left, right as typeof left];
  if (step.operator === "<") return a < b;
  if (step.operator === "<=") return a <= b;
  return step.operator === ">" ? a > b : a >= b;
}

function run(values: unknown[], steps: readonly Step[], budget: { left: number }, expression: string): unknown[] {
  return steps.reduce((found, step) => found.flatMap((value) => selectOne(value, step, budget, expression)), values);
}

/**
 * The values that a JSONPath finds, in order. The dialect is Kubernetes': `{$.a.b}`, `{.items[0]['x.y']}`, `[*]`, `..`,
 * slices, unions and filters; braces and the leading `$` may be left out.
 */
export function jsonPath(expression: string, document: unknown): unknown[] {
  if (expression.length > LONGEST_EXPRESSION)
    fail(`${expression.slice(0, 40)}…`, `is longer than ${LONGEST_EXPRESSION} characters`);
  const text = expression.trim();
  const inside = text.startsWith("{") && text.endsWith("}") ? text.slice(1, -1).trim() : text;
  if (inside.includes("{") || /^(range|end)\b/.test(inside)) fail(expression, "one {…} is expected");
  const path = inside.startsWith("$") ? inside.slice(1) : inside;
  if (path === "" || path === ".") return [document];
  return run([document], parseSteps(path, expression), { left: MOST_VALUES }, expression);
}
