// biome-ignore-all lint/suspicious/noExplicitAny: objects were decoded against their schemas and defaulted before
import { InvalidArgumentError } from "@tiphys/errors";
import type { KubeObject } from "@tiphys/resources";
import { compileSchema } from "../custom/compile.js";
import { type FieldError, invalid, notSupported, required } from "../field-error.js";
import { isDns1035Label, isDnsSubdomain } from "./names.js";

const immutable = "field is immutable";

/** A CustomResourceDefinition: its names, its versions, and whether each schema is structural. */
export function validateCrd(crd: KubeObject, old?: KubeObject): FieldError[] {
  const { group = "", names = {}, scope, versions = [], conversion } = crd["spec"] ?? {};
  const errors: FieldError[] = [];
  if (crd.metadata.name !== `${names.plural}.${group}`) {
    errors.push(invalid("metadata.name", crd.metadata.name, 'must be spec.names.plural+"."+spec.group'));
  }
  if (group === "") errors.push(required("spec.group"));
  else {
    for (const problem of isDnsSubdomain(group)) errors.push(invalid("spec.group", group, problem));
    if (!group.includes(".")) errors.push(invalid("spec.group", group, "should be a domain with at least one dot"));
  }
  for (const field of ["plural", "singular", "kind", "listKind"]) {
    const name: string = names[field] ?? "";
    if (name === "") errors.push(required(`spec.names.${field}`));
    else {
      const shown = field === "kind" || field === "listKind" ? name.toLowerCase() : name;
      for (const problem of isDns1035Label(shown)) errors.push(invalid(`spec.names.${field}`, name, problem));
    }
  }
  if (names.kind && names.kind === names.listKind)
    errors.push(invalid("spec.names.listKind", names.listKind, "kind and listKind may not be the same"));
  if (scope !== "Cluster" && scope !== "Namespaced")
    errors.push(notSupported("spec.scope", scope ?? "", ["Cluster", "Namespaced"]));
  if (versions.filter((one: any) => one.storage).length !== 1) {
    errors.push(
      invalid(
        "spec.versions",
        versions.map((one: any) => one.name),
        "must have exactly one version marked as storage version",
      ),
    );
  }
  if (conversion?.strategy && conversion.strategy !== "None" && conversion.strategy !== "Webhook") {
    errors.push(notSupported("spec.conversion.strategy", conversion.strategy, ["None", "Webhook"]));
  }
  for (const [at, version] of versions.entries()) errors.push(...validateVersion(version, `spec.versions[${at}]`));
  if (old !== undefined) errors.push(...validateChange(crd, old));
  return errors;
}

function validateVersion(version: any, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const problem of isDns1035Label(version.name ?? ""))
    errors.push(invalid(`${path}.name`, version.name ?? "", problem));
  const schema = version.schema?.openAPIV3Schema;
  const here = `${path}.schema.openAPIV3Schema`;
  if (!schema) return [...errors, required(here, "schemas are required")];
  if (schema.type !== "object" && !(schema.type === undefined && schema["x-kubernetes-preserve-unknown-fields"])) {
    errors.push(
      schema.type
        ? invalid(`${here}.type`, schema.type, "must be object at the root")
        : required(`${here}.type`, "must not be empty at the root"),
    );
    return errors;
  }
  try {
    compileSchema(schema);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    const field = `${path}.schema.${error.field}`;
    errors.push(invalid(field, "", error.message.slice(error.field.length + 2)));
  }
  for (const [at, column] of (version.additionalPrinterColumns ?? []).entries()) {
    const types = ["boolean", "date", "integer", "number", "string"];
    const column_ = `${path}.additionalPrinterColumns[${at}]`;
    if (!column.name) errors.push(required(`${column_}.name`));
    if (!types.includes(column.type))
      errors.push(invalid(`${column_}.type`, column.type ?? "", `must be one of ${types.join(",")}`));
    if (!column.jsonPath) errors.push(required(`${column_}.jsonPath`));
  }
  return errors;
}

function validateChange(crd: KubeObject, old: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  const established = (old["status"]?.conditions ?? []).some(
    (one: any) => one.type === "Established" && one.status === "True",
  );
  if (crd["spec"].group !== old["spec"].group) errors.push(invalid("spec.group", crd["spec"].group, immutable));
  if (crd["spec"].names?.plural !== old["spec"].names?.plural)
    errors.push(invalid("spec.names.plural", crd["spec"].names?.plural, immutable));
  if (established && crd["spec"].scope !== old["spec"].scope)
    errors.push(invalid("spec.scope", crd["spec"].scope, immutable));
  if (established && crd["spec"].names?.kind !== old["spec"].names?.kind)
    errors.push(invalid("spec.names.kind", crd["spec"].names?.kind, immutable));
  return errors;
}
