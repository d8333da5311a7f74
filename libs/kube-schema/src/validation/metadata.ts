import { deepEqual } from "@tiphys/canonical-json";
import { isLabelValue, isPathSegment, isQualifiedName, type NameRule } from "@tiphys/kube-values";
import type { KubeObject } from "@tiphys/resources";
import { type FieldError, forbidden, invalid, required, tooLong } from "../field-error.js";

const annotationBytes = 256 * 1024;
const immutable = "field is immutable";

/** Labels of an object or a selector. */
export function validateLabels(labels: Record<string, string> | undefined, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const [key, value] of Object.entries(labels ?? {})) {
    for (const problem of isQualifiedName(key)) errors.push(invalid(path, key, problem));
    for (const problem of isLabelValue(value)) errors.push(invalid(path, value, problem));
  }
  return errors;
}

/** How a kind looks at the metadata of its objects, beside what the API server does for every kind. */
export interface MetadataRules {
  readonly namespaced: boolean;
  readonly nameRule: NameRule;
  /** generateName is looked at only in what became of it. */
  readonly ofTheNameAlone?: boolean;
  /**
   * What the kind looks at again when an object changes: `F` and `U` are everything of its metadata and its change, with
   * finalizers that have to be the system's or qualified; `f` and `u` are the same with any finalizers. What is wrong is
   * said as often as it is found.
   */
  readonly again: string;
}

/** What every object's metadata has to be, and what may not change in it. */
export function validateMetadata(object: KubeObject, rules: MetadataRules, old?: KubeObject): FieldError[] {
  const isStrict = rules.again.includes("F") || rules.again.includes("U");
  if (old === undefined) {
    const own = [...wholeMetadata(object, rules, rules.nameRule), ...(isStrict ? ownFinalizers(object) : [])];
    return own.length > 0 ? own : wholeMetadata(object, rules, isPathSegment);
  }
  const errors = [...wholeMetadata(object, rules, isPathSegment), ...changedMetadata(object, old)];
  for (const look of rules.again) {
    if (look.toLowerCase() === "f") errors.push(...wholeMetadata(object, rules, rules.nameRule));
    else errors.push(...changedMetadata(object, old));
    if (look === "F" || look === "U") errors.push(...ownFinalizers(object));
  }
  return errors;
}

function wholeMetadata(
  { metadata }: KubeObject,
  { namespaced, ofTheNameAlone }: Pick<MetadataRules, "namespaced" | "ofTheNameAlone">,
  nameRule: NameRule,
): FieldError[] {
  const errors: FieldError[] = [];
  if (metadata.generateName && !ofTheNameAlone) {
    // The end of the name is still to come.
    const begun = metadata.generateName.replace(/-$/, "a");
    for (const problem of nameRule(begun))
      errors.push(invalid("metadata.generateName", metadata.generateName, problem));
  }
  if (!metadata.name) errors.push(required("metadata.name", "name or generateName is required"));
  else for (const problem of nameRule(metadata.name)) errors.push(invalid("metadata.name", metadata.name, problem));
  if (namespaced && !metadata.namespace) errors.push(required("metadata.namespace"));
  else if (!namespaced && metadata.namespace) errors.push(forbidden("metadata.namespace", "not allowed on this type"));
  errors.push(...validateCommon(metadata));
  for (const finalizer of metadata.finalizers ?? []) {
    for (const problem of isQualifiedName(finalizer)) errors.push(invalid("metadata.finalizers", finalizer, problem));
  }
  if (metadata.finalizers?.includes("orphan") && metadata.finalizers.includes("foregroundDeletion")) {
    const problem = "finalizer orphan and foregroundDeletion cannot be both set";
    errors.push(invalid("metadata.finalizers", metadata.finalizers, problem));
  }
  return errors;
}

const validateCommon = ({ labels, annotations, ownerReferences }: KubeObject["metadata"]): FieldError[] => [
  ...validateLabels(labels, "metadata.labels"),
  ...validateAnnotations(annotations, "metadata.annotations"),
  ...validateOwners(ownerReferences ?? []),
];

function changedMetadata({ metadata }: KubeObject, old: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  const added = (metadata.finalizers ?? []).filter((one) => !old.metadata.finalizers?.includes(one));
  if (old.metadata.deletionTimestamp && added.length > 0) {
    const shown = [...new Set(added)].sort().map((one) => JSON.stringify(one));
    const problem = `no new finalizers can be added if the object is being deleted, found new finalizers []string{${shown.join(", ")}}`;
    errors.push(forbidden("metadata.finalizers", problem));
  }
  for (const field of ["name", "namespace", "uid", "creationTimestamp"] as const) {
    if (!deepEqual(metadata[field], old.metadata[field])) {
      errors.push(invalid(`metadata.${field}`, metadata[field] ?? "", immutable));
    }
  }
  return [...errors, ...validateCommon(metadata)];
}

/** Finalizers without a domain are for the system alone. */
function ownFinalizers({ metadata }: KubeObject): FieldError[] {
  return (metadata.finalizers ?? []).flatMap((finalizer, at) =>
    finalizer.includes("/") || standardFinalizers.has(finalizer)
      ? []
      : [
          invalid(
            `metadata.finalizers[${at}]`,
            finalizer,
            "name is neither a standard finalizer name nor is it fully qualified",
          ),
        ],
  );
}
const standardFinalizers = new Set(["kubernetes", "orphan", "foregroundDeletion"]);

export function validateAnnotations(annotations: Record<string, string> | undefined, path: string): FieldError[] {
  const errors: FieldError[] = [];
  let size = 0;
  for (const [key, value] of Object.entries(annotations ?? {})) {
    for (const problem of isQualifiedName(key.toLowerCase())) errors.push(invalid(path, key, problem));
    size += key.length + value.length;
  }
  if (size > annotationBytes) errors.push(tooLong(path, annotationBytes));
  return errors;
}

type Owner = NonNullable<KubeObject["metadata"]["ownerReferences"]>[number];
/** An owner as messages show it: its fields in their own order. */
const shownOwner = ({ apiVersion, kind, name, uid, controller, blockOwnerDeletion }: Owner) => ({
  apiVersion,
  kind,
  name,
  uid,
  ...(controller === undefined ? {} : { controller }),
  ...(blockOwnerDeletion === undefined ? {} : { blockOwnerDeletion }),
});

function validateOwners(owners: NonNullable<KubeObject["metadata"]["ownerReferences"]>): FieldError[] {
  const errors: FieldError[] = [];
  let controllers = 0;
  for (const owner of owners) {
    const { apiVersion } = owner;
    if (apiVersion && apiVersion.split("/").length > 2) {
      errors.push(invalid("metadata.ownerReferences.apiVersion", apiVersion, "version must not be empty"));
    }
    if (!apiVersion) errors.push(invalid("metadata.ownerReferences.apiVersion", "", "version must not be empty"));
    for (const field of ["kind", "name", "uid"] as const) {
      if (!owner[field]) errors.push(invalid(`metadata.ownerReferences.${field}`, "", "must not be empty"));
    }
    if (owner.apiVersion === "v1" && owner.kind === "Event") {
      const problem = "/v1, Kind=Event is disallowed from being an owner";
      errors.push(invalid("metadata.ownerReferences", shownOwner(owner), problem));
    }
    if (owner.controller) controllers++;
  }
  if (controllers > 1) {
    errors.push(
      invalid(
        "metadata.ownerReferences",
        owners.map(shownOwner),
        `Only one reference can have Controller set to true. Found "true" in references for ${owners
          .filter(({ controller }) => controller)
          .slice(0, 2)
          .map(({ kind, name }) => `${kind}/${name}`)
          .join(" and ")}`,
      ),
    );
  }
  return errors;
}

/** A label selector; `mustSelect` refuses the one that selects everything. */
// biome-ignore lint/suspicious/noExplicitAny: decoded against its schema before
export function validateSelector(selector: any, path: string): FieldError[] {
  if (!selector) return [];
  const errors = validateLabels(selector.matchLabels, `${path}.matchLabels`);
  for (const [at, { key = "", operator = "", values = [] }] of (selector.matchExpressions ?? []).entries()) {
    const here = `${path}.matchExpressions[${at}]`;
    if (operator === "In" || operator === "NotIn") {
      if (values.length === 0)
        errors.push(required(`${here}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
    } else if (operator === "Exists" || operator === "DoesNotExist") {
      if (values.length > 0)
        errors.push(forbidden(`${here}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
    } else errors.push(invalid(`${here}.operator`, operator, "not a valid selector operator"));
    for (const problem of isQualifiedName(key)) errors.push(invalid(`${here}.key`, key, problem));
    for (const [index, value] of values.entries()) {
      for (const problem of isLabelValue(value)) errors.push(invalid(`${here}.values[${index}]`, value, problem));
    }
  }
  return errors;
}

/** Whether labels match a selector. */
// biome-ignore lint/suspicious/noExplicitAny: decoded against its schema before
export function selects(selector: any, labels: Record<string, string> = {}): boolean {
  for (const [key, value] of Object.entries(selector?.matchLabels ?? {})) if (labels[key] !== value) return false;
  for (const { key, operator, values = [] } of selector?.matchExpressions ?? []) {
    const has = Object.hasOwn(labels, key);
    if (operator === "Exists" && !has) return false;
    if (operator === "DoesNotExist" && has) return false;
    if (operator === "In" && !(has && values.includes(labels[key]))) return false;
    if (operator === "NotIn" && has && values.includes(labels[key])) return false;
  }
  return true;
}
