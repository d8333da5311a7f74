import type { WorkflowSpec } from "@tiphys/resources";
import type { WorkflowProblem } from "./validate.js";

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Lists and objects that are something else; nothing further is looked at then. */
export function shapeProblems(spec: WorkflowSpec): WorkflowProblem[] {
  const problems: WorkflowProblem[] = [];
  const want = (value: unknown, path: string, kind: "list" | "object"): boolean => {
    if (value === undefined || value === null) return false;
    const fits = kind === "list" ? Array.isArray(value) : isObject(value);
    if (!fits)
      problems.push({
        code: "InvalidArgument",
        field: path,
        message: `must be ${kind === "list" ? "a list" : "an object"}`,
      });
    return fits;
  };
  const each = (value: unknown, path: string, visit: (item: Record<string, unknown>, path: string) => void): void => {
    if (!want(value, path, "list")) return;
    for (const [index, item] of (value as unknown[]).entries()) {
      const at = `${path}[${index}]`;
      if (isObject(item)) visit(item, at);
      else problems.push({ code: "InvalidArgument", field: at, message: "must be an object" });
    }
  };
  const parameters = (value: unknown, path: string): void => {
    if (!want(value, path, "object")) return;
    const { parameters: list, artifacts } = value as Record<string, unknown>;
    each(list, `${path}.parameters`, ({ valueFrom, enum: allowed }, at) => {
      want(valueFrom, `${at}.valueFrom`, "object");
      want(allowed, `${at}.enum`, "list");
    });
    want(artifacts, `${path}.artifacts`, "list");
  };
  const step = (item: Record<string, unknown>, path: string): void => {
    parameters(item["arguments"], `${path}.arguments`);
    for (const field of ["templateRef", "inline", "hooks", "continueOn", "withSequence"])
      want(item[field], `${path}.${field}`, "object");
    for (const field of ["withItems", "dependencies"]) want(item[field], `${path}.${field}`, "list");
    for (const field of ["name", "template", "when", "withParam", "depends", "onExit"]) {
      if (item[field] !== undefined && item[field] !== null && typeof item[field] !== "string") {
        problems.push({ code: "InvalidArgument", field: `${path}.${field}`, message: "must be a text" });
      }
    }
    if (isObject(item["inline"])) template(item["inline"], `${path}.inline`);
  };
  const template = (item: Record<string, unknown>, path: string): void => {
    parameters(item["inputs"], `${path}.inputs`);
    parameters(item["outputs"], `${path}.outputs`);
    for (const field of ["container", "script", "dag", "suspend", "metadata", "retryStrategy"])
      want(item[field], `${path}.${field}`, "object");
    if (item["name"] !== undefined && typeof item["name"] !== "string") {
      problems.push({ code: "InvalidArgument", field: `${path}.name`, message: "must be a text" });
    }
    if (want(item["steps"], `${path}.steps`, "list")) {
      for (const [index, group] of (item["steps"] as unknown[]).entries()) each(group, `${path}.steps[${index}]`, step);
    }
    if (isObject(item["dag"])) each(item["dag"]["tasks"], `${path}.dag.tasks`, step);
  };
  parameters(spec.arguments, "spec.arguments");
  want(spec.hooks, "spec.hooks", "object");
  each(spec.templates, "spec.templates", template);
  return problems;
}
