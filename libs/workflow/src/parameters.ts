import type { WorkflowArguments, WorkflowParameter } from "@tiphys/resources";

/** Parameter values are loose in YAML and text in the engine. */
export function parameterText(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The inputs of a template filled with arguments and defaults, or the first problem. */
export function fillInputs(
  inputs: WorkflowArguments | undefined,
  given: WorkflowArguments | undefined,
  text: (raw: string) => string,
): { inputs: WorkflowArguments } | { problem: string } {
  const values = new Map(
    (given?.parameters ?? []).map((parameter) => [parameter.name, parameterText(parameter.value)]),
  );
  const parameters: WorkflowParameter[] = [];
  for (const parameter of inputs?.parameters ?? []) {
    const own =
      parameterText(parameter.value) ?? parameterText(parameter.default) ?? parameterText(parameter.valueFrom?.default);
    const value = values.get(parameter.name) ?? (own === undefined ? undefined : text(own));
    if (value === undefined) return { problem: `inputs.parameters.${parameter.name} was not supplied` };
    if (parameter.enum && !parameter.enum.some((allowed) => parameterText(allowed) === value)) {
      return { problem: `inputs.parameters.${parameter.name} "${value}" is not one of its enum values` };
    }
    parameters.push({ ...parameter, value });
  }
  return { inputs: parameters.length > 0 ? { parameters } : {} };
}
