// biome-ignore-all lint/suspicious/noExplicitAny: walks values of unknown shape
import { InvalidArgumentError } from "@tiphys/errors";
import { columns, type Printer, since, type TableColumn } from "./parts.js";

type Step =
  | { readonly kind: "member"; readonly name: string }
  | { readonly kind: "index"; readonly at: number }
  | { readonly kind: "all" }
  | { readonly kind: "filter"; readonly path: readonly Step[]; readonly equals: string | number | boolean | undefined };

const token =
  /^(?:\.((?:\\.|[^.[\]\\])+)|\[(?:'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)"|(-?\d+)|(\*)|\?\(@((?:\\.|[^=)\\])*?)\s*(?:==\s*([^)]*?)\s*)?\))\])/;

/** The simple JSONPath of printer columns: members, indexes, `[*]` and `[?(@.a=="b")]`. */
function parsePath(text: string): Step[] {
  const steps: Step[] = [];
  let rest = text.startsWith(".") || text.startsWith("[") ? text : `.${text}`;
  while (rest !== "") {
    const match = token.exec(rest);
    if (match === null) throw new InvalidArgumentError("jsonPath", `${JSON.stringify(text)} is no simple JSON path`);
    const [all, member, single, double, index, star, filter, literal] = match;
    const name = member ?? single ?? double;
    if (name === "*") steps.push({ kind: "all" });
    else if (name !== undefined) steps.push({ kind: "member", name: name.replace(/\\(.)/g, "$1") });
    else if (index !== undefined) steps.push({ kind: "index", at: Number(index) });
    else if (star !== undefined) steps.push({ kind: "all" });
    else steps.push({ kind: "filter", path: parsePath(filter ?? ""), equals: literalOf(literal) });
    rest = rest.slice(all.length);
  }
  return steps;
}

function literalOf(text: string | undefined): string | number | boolean | undefined {
  if (text === undefined) return undefined;
  if (/^(['"]).*\1$/.test(text)) return text.slice(1, -1);
  if (text === "true" || text === "false") return text === "true";
  return Number(text);
}

function find(value: any, steps: readonly Step[]): unknown[] {
  let found: any[] = [value];
  for (const step of steps) {
    found = found.flatMap((one): any[] => {
      if (one === null || one === undefined) return [];
      if (step.kind === "member") return Object.hasOwn(Object(one), step.name) ? [one[step.name]] : [];
      const list: any[] = Array.isArray(one)
        ? one
        : step.kind === "index"
          ? []
          : typeof one === "object"
            ? Object.values(one)
            : [];
      if (step.kind === "all") return list;
      if (step.kind === "index") return list.at(step.at) === undefined ? [] : [list.at(step.at)];
      return list.filter((item) => {
        const [actual] = find(item, step.path);
        return step.equals === undefined ? actual !== undefined : actual === step.equals;
      });
    });
  }
  return found;
}

interface PrinterColumn {
  readonly name: string;
  readonly type: string;
  readonly format?: string;
  readonly description?: string;
  readonly priority?: number;
  readonly jsonPath: string;
}

function cell(value: unknown, type: string, now: Date): unknown {
  if (value === undefined || value === null) return null;
  switch (type) {
    case "string":
      return typeof value === "object" ? JSON.stringify(value) : String(value);
    case "integer":
      return typeof value === "number" ? Math.trunc(value) : typeof value === "bigint" ? value : null;
    case "number":
      return typeof value === "number" ? value : null;
    case "boolean":
      return typeof value === "boolean" ? value : null;
    case "date":
      return typeof value === "string" ? since(value, now) : null;
    default:
      return null;
  }
}

/** The table of a custom resource: its name and the columns its definition names, or its age without any. */
export function compilePrinterColumns(additionalPrinterColumns: readonly unknown[] | undefined): Printer {
  const given: readonly PrinterColumn[] = additionalPrinterColumns?.length
    ? (additionalPrinterColumns as PrinterColumn[])
    : [{ name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" }];
  const paths = given.map(({ jsonPath }) => parsePath(jsonPath));
  const head: TableColumn[] = given.map(({ name, type, format = "", description = "", priority = 0 }) => ({
    name,
    type,
    format,
    description,
    priority,
  }));
  return {
    columns: [...columns("Name"), ...head],
    row: (object, now) => [
      object.metadata.name,
      ...given.map(({ type }, at) => cell(find(object, paths[at]!)[0], type, now)),
    ],
  };
}
