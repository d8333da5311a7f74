// How Go prints plain data: parts of the API server's messages.

/** As %v. */
export function goText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(goText).join(" ")}]`;
  if (value === null || value === undefined) return "<nil>";
  if (typeof value !== "object") return String(value);
  const object = value as Record<string, unknown>;
  return `map[${Object.keys(object)
    .sort()
    .map((key) => `${key}:${goText(object[key])}`)
    .join(" ")}]`;
}

/** As %T. */
export function goType(value: unknown): string {
  if (Array.isArray(value)) return "[]interface {}";
  if (value !== null && typeof value === "object") return "map[string]interface {}";
  if (typeof value === "boolean") return "bool";
  return typeof value === "string" ? "string" : Number.isInteger(value) ? "int64" : "float64";
}

/** As %#v. */
export function goSyntax(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (Array.isArray(value)) return `[]interface {}{${value.map(goSyntax).join(", ")}}`;
  if (value === null || value === undefined) return "interface {}(nil)";
  if (typeof value !== "object") return String(value);
  const members = Object.entries(value).map(([key, member]) => `${JSON.stringify(key)}:${goSyntax(member)}`);
  return `map[string]interface {}{${members.join(", ")}}`;
}
