// biome-ignore-all lint/suspicious/noExplicitAny: objects were decoded against their schemas and defaulted before
import { deepEqual } from "@tiphys/canonical-json";
import { isDns1035Label, isDnsSubdomain } from "@tiphys/kube-values";
import type { KubeObject } from "@tiphys/resources";
import { structuralNode } from "../custom/compile.js";
import { fieldPathOf } from "../custom/field-path.js";
import { isKnownFormat } from "../custom/formats.js";
import { duplicate, type FieldError, forbidden, invalid, notSupported, required, tooMany } from "../field-error.js";
import { unrecognizedFormats, validateCrdSchema } from "./crd-schema.js";

const immutable = "field is immutable";

/**
 * What all versions have alike is, to the API server, said once for all of them: messages name it so.
 */
interface Shared {
  readonly schema: boolean;
  readonly subresources: boolean;
  readonly columns: boolean;
  readonly fields: boolean;
}

/** A CustomResourceDefinition: its names, its versions, their schemas and rules. */
export function validateCrd(crd: KubeObject, old?: KubeObject): FieldError[] {
  const spec = crd["spec"] ?? {};
  const { group = "", names = {}, scope, conversion } = spec;
  const versions: any[] = spec.versions ?? [];
  const errors: FieldError[] = [];
  if (old === undefined && crd.metadata.name !== `${names.plural ?? ""}.${group}`) {
    errors.push(invalid("metadata.name", crd.metadata.name, 'must be spec.names.plural+"."+spec.group'));
  }
  if (group === "") errors.push(required("spec.group"));
  else if (isDnsSubdomain(group).length > 0) errors.push(invalid("spec.group", group, isDnsSubdomain(group).join(",")));
  else if (!group.includes(".")) errors.push(invalid("spec.group", group, "should be a domain with at least one dot"));
  errors.push(...choice("spec.scope", scope, ["Cluster", "Namespaced"]));
  const shared = sharedParts(versions);
  for (const [at, version] of versions.entries()) {
    if (!version.schema?.openAPIV3Schema) {
      errors.push(required(`spec.versions[${at}].schema.openAPIV3Schema`, "schemas are required"));
    }
  }
  errors.push(...validateVersions(versions, shared, crd, old));
  for (const field of ["plural", "singular", "kind", "listKind"]) {
    if (!names[field]) errors.push(required(`spec.names.${field}`));
  }
  errors.push(...validateNames(names));
  errors.push(...validateConversion(conversion));
  if (spec.preserveUnknownFields === true && old?.["spec"]?.preserveUnknownFields !== true) {
    errors.push(
      invalid(
        "spec.preserveUnknownFields",
        true,
        "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
      ),
    );
  }
  if (old !== undefined) errors.push(...validateChange(crd, old));
  errors.push(...validateApproval(crd, old));
  return errors;
}

function sharedParts(versions: any[]): Shared {
  const same = (field: string) => versions.every((one) => deepEqual(one[field] ?? null, versions[0]?.[field] ?? null));
  return {
    schema: same("schema"),
    subresources: same("subresources"),
    columns: same("additionalPrinterColumns"),
    fields: same("selectableFields"),
  };
}

function choice(path: string, value: string | undefined, choices: string[]): FieldError[] {
  if (!value) return [required(path)];
  return choices.includes(value) ? [] : [notSupported(path, value, choices)];
}

/** Versions as the API server's own form shows them. */
const shownVersions = (versions: any[], shared: Shared): unknown =>
  versions.map((one) => ({
    Name: one.name,
    Served: one.served,
    Storage: one.storage,
    Deprecated: one.deprecated ?? false,
    DeprecationWarning: one.deprecationWarning ?? null,
    Schema: shared.schema ? null : (one.schema ?? null),
    Subresources: shared.subresources ? null : (one.subresources ?? null),
    AdditionalPrinterColumns: shared.columns ? null : (one.additionalPrinterColumns ?? null),
    SelectableFields: shared.fields ? null : (one.selectableFields ?? null),
  }));

function validateVersions(versions: any[], shared: Shared, crd: KubeObject, old: KubeObject | undefined): FieldError[] {
  const errors: FieldError[] = [];
  // Schemas that are kept as they are were found right before; looking at them costs more than all else.
  const isKept = deepEqual(old?.["spec"]?.versions, versions);
  for (const [at, version] of versions.entries()) {
    const path = `spec.versions[${at}]`;
    const problems = isDns1035Label(version.name ?? "");
    if (problems.length > 0) errors.push(invalid(`${path}.name`, version.name ?? "", problems.join(",")));
    errors.push(...validateDeprecation(version, path));
    if (!isKept && (!shared.schema || at === 0)) {
      const before = old?.["spec"]?.versions?.find((one: any) => one.name === version.name);
      errors.push(
        ...validateCrdSchema(version.schema?.openAPIV3Schema, shared.schema ? "spec.validation" : `${path}.schema`, {
          status: versions.some(
            (one: any) => (shared.schema || one === version) && one.subresources?.status !== undefined,
          ),
          unchanged: before !== undefined && deepEqual(before.schema, version.schema),
        }),
      );
    }
    if (!shared.subresources || at === 0) {
      errors.push(
        ...validateSubresources(
          version.subresources,
          shared.subresources ? "spec.subresources" : `${path}.subresources`,
        ),
      );
    }
    if (!shared.columns || at === 0) {
      for (const [index, column] of (version.additionalPrinterColumns ?? []).entries()) {
        const head = shared.columns ? "spec" : path;
        errors.push(...validateColumn(column, `${head}.additionalPrinterColumns[${index}]`));
      }
    }
    if (version.selectableFields?.length && (!shared.fields || at === 0)) {
      errors.push(...validateSelectable(version, shared.fields ? "spec.selectableFields" : `${path}.selectableFields`));
    }
  }
  const shown = () => shownVersions(versions, shared);
  if (new Set(versions.map(({ name }: any) => name)).size !== versions.length) {
    errors.push(invalid("spec.versions", shown(), "must contain unique version names"));
  }
  if (versions.filter(({ storage }: any) => storage).length !== 1) {
    errors.push(invalid("spec.versions", shown(), "must have exactly one version marked as storage version"));
    const [first, second] = versions.filter(({ storage }: any) => storage).map(({ name }: any) => name);
    const path = "status.storedVersions";
    if (!old && first === undefined) errors.push(invalid(path, null, "must have at least one stored version"));
    else if (!old) errors.push(invalid(path, [first], `must have the storage version ${second}`));
  }
  const stored: string[] = crd["status"]?.storedVersions ?? old?.["status"]?.storedVersions ?? [];
  if (old !== undefined) {
    for (const [at, name] of stored.entries()) {
      if (versions.some((one: any) => one.name === name)) continue;
      errors.push(
        invalid(
          `status.storedVersions[${at}]`,
          name,
          `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`,
        ),
      );
    }
  }
  return errors;
}

function validateDeprecation({ deprecated, deprecationWarning }: any, path: string): FieldError[] {
  const refuse = (problem: string) => [invalid(`${path}.deprecationWarning`, deprecationWarning, problem)];
  if (deprecationWarning === undefined) return [];
  if (!deprecated) return refuse("can only be set for deprecated versions");
  const errors: FieldError[] = [];
  if (Buffer.byteLength(deprecationWarning) > 256) errors.push(...refuse("must be <= 256 characters long"));
  if (deprecationWarning === "") errors.push(...refuse("must not be an empty string"));
  const at = deprecationWarning.search(/[^\P{C}]/u);
  if (at >= 0) {
    errors.push(
      ...refuse(`must only contain printable UTF-8 characters; non-printable character found at index ${at}`),
    );
  }
  return errors;
}

function validateNames(names: any): FieldError[] {
  const errors: FieldError[] = [];
  const path = "spec.names";
  for (const field of ["plural", "singular"]) {
    const problems = names[field] ? isDns1035Label(names[field]) : [];
    if (problems.length > 0) errors.push(invalid(`${path}.${field}`, names[field], problems.join(",")));
  }
  for (const field of ["kind", "listKind"]) {
    const problems = names[field] ? isDns1035Label(names[field].toLowerCase()) : [];
    if (problems.length === 0) continue;
    const problem = `may have mixed case, but should otherwise match: ${problems.join(",")}`;
    errors.push(invalid(`${path}.${field}`, names[field], problem));
  }
  for (const field of ["shortNames", "categories"]) {
    for (const [at, name] of (names[field] ?? []).entries()) {
      const problems = isDns1035Label(name);
      if (problems.length > 0) errors.push(invalid(`${path}.${field}[${at}]`, name, problems.join(",")));
    }
  }
  if (names.kind && names.kind === names.listKind) {
    errors.push(invalid(`${path}.listKind`, names.listKind, "kind and listKind may not be the same"));
  }
  return errors;
}

const columnTypes = ["boolean", "date", "integer", "number", "string"];
const columnFormats = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];

function validateColumn(column: any, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const types = `must be one of ${columnTypes.join(",")}`;
  if (!column.name) errors.push(required(`${path}.name`));
  if (!column.type) errors.push(required(`${path}.type`, types));
  else if (!columnTypes.includes(column.type)) errors.push(invalid(`${path}.type`, column.type, types));
  if (column.format && !columnFormats.includes(column.format)) {
    errors.push(invalid(`${path}.format`, column.format, `must be one of ${columnFormats.join(",")}`));
  }
  if (!column.jsonPath) errors.push(required(`${path}.JSONPath`));
  else errors.push(...simplePath(column.jsonPath, `${path}.JSONPath`));
  return errors;
}

const simplePath = (text: string, path: string): FieldError[] =>
  text.startsWith(".") ? [] : [invalid(path, text, "must be a simple json path starting with .")];

function validateSubresources(subresources: any, path: string): FieldError[] {
  const scale = subresources?.scale;
  if (!scale) return [];
  const errors: FieldError[] = [];
  const check = (field: string, heads: string[], where: string) => {
    const text: string | undefined = scale[field];
    const here = `${path}.scale.${field}`;
    const problems = simplePath(text ?? "", here);
    if (problems.length > 0) errors.push(...problems);
    else if (!heads.some((head) => text!.startsWith(head)))
      errors.push(invalid(here, text, `should be a json path under ${where}`));
  };
  for (const [field, head] of [
    ["specReplicasPath", ".spec"],
    ["statusReplicasPath", ".status"],
  ] as const) {
    if (!scale[field]) errors.push(required(`${path}.scale.${field}`));
    else check(field, [`${head}.`], head);
  }
  if (scale.labelSelectorPath) check("labelSelectorPath", [".spec.", ".status."], "either .spec or .status");
  return errors;
}

const mostSelectable = 8;

function validateSelectable(version: any, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!version.schema?.openAPIV3Schema) return errors;
  const schema = structuralNode(version.schema.openAPIV3Schema);
  const seen = new Set<string>();
  for (const [at, { jsonPath }] of version.selectableFields.entries()) {
    const here = `${path}[${at}].jsonPath`;
    if (!jsonPath) {
      errors.push(required(here));
      continue;
    }
    const found = fieldPathOf(jsonPath, schema, false);
    if (found.problem !== undefined) {
      errors.push(invalid(here, jsonPath, `is an invalid path: ${found.problem}`));
      continue;
    }
    if (/^metadata(\.|$)/.test(found.path!))
      errors.push(invalid(here, jsonPath, "must not point to fields in metadata"));
    if (!["string", "boolean", "integer"].includes(found.schema?.type ?? "")) {
      errors.push(
        invalid(
          here,
          jsonPath,
          "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.",
        ),
      );
    }
    if (seen.has(found.path!)) errors.push(duplicate(here, jsonPath));
    seen.add(found.path!);
  }
  if (seen.size > mostSelectable) errors.push(tooMany(path, seen.size, mostSelectable));
  return errors;
}

const reviewVersions = ["v1", "v1beta1"];

function validateConversion(conversion: any): FieldError[] {
  if (!conversion) return [];
  const errors = choice("spec.conversion.strategy", conversion.strategy, ["None", "Webhook"]);
  const { webhook } = conversion;
  const path = "spec.conversion";
  if (conversion.strategy !== "Webhook") {
    const problem = "should not be set when strategy is not set to Webhook";
    if (webhook?.clientConfig) errors.push(forbidden(`${path}.webhookClientConfig`, problem));
    if (webhook?.conversionReviewVersions?.length) errors.push(forbidden(`${path}.conversionReviewVersions`, problem));
    return errors;
  }
  const config = webhook?.clientConfig;
  if (!config) errors.push(required(`${path}.webhookClientConfig`, "required when strategy is set to Webhook"));
  else if ((config.url === undefined) === (config.service === undefined)) {
    errors.push(required(`${path}.webhookClientConfig`, "exactly one of url or service is required"));
  } else if (config.service) {
    // The API server names the other one: it swaps the two.
    const at = `${path}.webhookClientConfig.service`;
    if (!config.service.namespace) errors.push(required(`${at}.name`));
    if (!config.service.name) errors.push(required(`${at}.namespace`));
  } else if (!config.url.startsWith("https://")) {
    errors.push(
      invalid(
        `${path}.webhookClientConfig.url`,
        config.url,
        "'https' is the only allowed URL scheme; desired format: https://host[/path]",
      ),
    );
  }
  const reviews: string[] = webhook?.conversionReviewVersions ?? [];
  if (reviews.length === 0) errors.push(required(`${path}.conversionReviewVersions`));
  else if (!reviews.some((one) => reviewVersions.includes(one))) {
    errors.push(
      invalid(`${path}.conversionReviewVersions`, reviews, `must include at least one of ${reviewVersions.join(", ")}`),
    );
  }
  return errors;
}

function validateChange(crd: KubeObject, old: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  const established = (old["status"]?.conditions ?? []).some(
    (one: any) => one.type === "Established" && one.status === "True",
  );
  const fixed = (path: string, is: unknown, was: unknown) => {
    if (!deepEqual(is ?? null, was ?? null)) errors.push(invalid(path, is ?? "", immutable));
  };
  const [is, was] = [crd["spec"], old["spec"]];
  if (established) {
    fixed("spec.scope", is.scope, was.scope);
    fixed("spec.names.kind", is.names?.kind, was.names?.kind);
  }
  fixed("spec.group", is.group, was.group);
  fixed("spec.names.plural", is.names?.plural, was.names?.plural);
  return errors;
}

/** What the writer of a definition has to know. */
export function crdWarnings(crd: KubeObject, old?: KubeObject): string[] {
  const formats = (object: KubeObject | undefined): string[] => {
    const versions: any[] = object?.["spec"]?.versions ?? [];
    const schemas = sharedParts(versions).schema ? versions.slice(0, 1) : versions;
    return schemas.flatMap((one) => unrecognizedFormats(one.schema?.openAPIV3Schema, isKnownFormat));
  };
  const before = new Set(formats(old));
  return formats(crd)
    .filter((format) => !before.has(format))
    .map((format) => `unrecognized format ${JSON.stringify(format)}`);
}

export const APPROVAL = "api-approved.kubernetes.io";
const isProtected = (group: string): boolean => /(^|\.)(k8s|kubernetes)\.io$/.test(group);

/** Groups of the Kubernetes community need a note of who approved the definition. */
export function approvalOf(
  crd: KubeObject,
): { state: "approved" | "unapproved" | "missing" | "invalid"; reason: string } | undefined {
  if (!isProtected(crd["spec"]?.group ?? "")) return undefined;
  const text = crd.metadata.annotations?.[APPROVAL] ?? "";
  const see = "see https://github.com/kubernetes/enhancements/pull/1111";
  if (text === "") {
    return { state: "missing", reason: `protected groups must have approval annotation "${APPROVAL}", ${see}` };
  }
  if (text.startsWith("unapproved")) return { state: "unapproved", reason: `not approved: ${JSON.stringify(text)}` };
  if (/^[a-zA-Z][a-zA-Z0-9+.-]*:\/\/[^/\s]+/.test(text)) return { state: "approved", reason: `approved in ${text}` };
  return {
    state: "invalid",
    reason: `protected groups must have approval annotation "${APPROVAL}" with either a URL or a reason starting with "unapproved", ${see}`,
  };
}

function validateApproval(crd: KubeObject, old: KubeObject | undefined): FieldError[] {
  const approval = approvalOf(crd);
  if (approval === undefined || (old !== undefined && approvalOf(old)?.state === approval.state)) return [];
  const path = `metadata.annotations[${APPROVAL}]`;
  if (approval.state === "missing") return [required(path, approval.reason)];
  if (approval.state !== "invalid") return [];
  return [invalid(path, crd.metadata.annotations?.[APPROVAL], approval.reason)];
}
