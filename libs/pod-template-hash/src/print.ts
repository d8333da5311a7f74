import { shapes } from "./generated/shapes.js";
import { printedIntOrString, printedQuantity, printedTime } from "./special.js";

type Plain = Readonly<Record<string, unknown>>;

interface Field {
  readonly name: string;
  /** Name in JSON; "" for a struct whose members lie in the outer object. */
  readonly json: string;
  readonly type: string;
}

const fieldsOf = new Map<string, readonly Field[]>();

function fields(type: string): readonly Field[] {
  let known = fieldsOf.get(type);
  if (!known) {
    known = (shapes[type] ?? "").split(";").flatMap((line) => {
      const [name = "", json = "", ...rest] = line.split(" ");
      return name ? [{ name, json, type: rest.join(" ") }] : [];
    });
    fieldsOf.set(type, known);
  }
  return known;
}

/** `value`, as JSON has it, printed as the Go value of `type` with all types and fields named. */
export function printed(type: string, value: unknown): string {
  if (type.startsWith("*")) {
    const inner = type.slice(1);
    return value === undefined || value === null ? `(${type})<nil>` : `(*${inner})${bare(inner, value)}`;
  }
  return `(${type})${bare(type, value)}`;
}

/** The same without the type in front, which is how members of lists and maps are printed. */
function bare(type: string, value: unknown): string {
  switch (type) {
    case "resource.Quantity":
      return printedQuantity(value);
    case "intstr.IntOrString":
      return printedIntOrString(value);
    case "v1.Time":
      return printedTime(value);
    case "v1.FieldsV1":
      return "{Raw:([]uint8)<nil>}";
    case "string":
      return (value as string | undefined) ?? "";
    case "bool":
      return value ? "true" : "false";
  }
  if (type.startsWith("[]")) return list(type.slice(2), value as readonly unknown[] | undefined);
  if (type.startsWith("map[")) return map(type, value as Plain | undefined);
  const shape = shapes[type];
  if (shape?.startsWith("=")) return bare(shape.slice(1), value);
  if (shape !== undefined) return struct(type, (value ?? {}) as Plain);
  return String(value ?? 0);
}

// Kubernetes' wire format does not tell an empty list or map from an absent one, so neither does the hash.
function list(type: string, values: readonly unknown[] | undefined): string {
  if (!values?.length) return "<nil>";
  return `[${values.map((value) => bare(type, value)).join(" ")}]`;
}

function map(type: string, values: Plain | undefined): string {
  const names = Object.keys(values ?? {});
  if (names.length === 0) return "<nil>";
  const inner = type.slice(type.indexOf("]") + 1);
  const bytes = (name: string) => Buffer.from(name);
  names.sort((a, b) => Buffer.compare(bytes(a), bytes(b)));
  return `map[${names.map((name) => `${name}:${bare(inner, values?.[name])}`).join(" ")}]`;
}

function struct(type: string, value: Plain): string {
  const members = fields(type).map((field) => {
    const inner = field.json === "" ? value : value[field.json];
    return `${field.name}:${printed(field.type, inner)}`;
  });
  return `{${members.join(" ")}}`;
}
