import { deepEqual } from "@tiphys/canonical-json";
import { isLabelValue, isQualifiedName, type NameRule } from "@tiphys/kube-values";
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

/** What every object's metadata has to be, and what may not change in it. Custom resources have free finalizers. */
export function validateMetadata(
  object: KubeObject,
  { namespaced, nameRule, freeFinalizers }: { namespaced: boolean; nameRule: NameRule; freeFinalizers?: boolean },
  old?: KubeObject,
): FieldError[] {
  const { metadata } = object;
  const errors: FieldError[] = [];
  if (!metadata.name) errors.push(required("metadata.name", "name or generateName is required"));
  else if (old === undefined)
    for (const problem of nameRule(metadata.name)) errors.push(invalid("metadata.name", metadata.name, problem));
  if (namespaced && !metadata.namespace) errors.push(required("metadata.namespace"));
  else if (!namespaced && metadata.namespace) errors.push(forbidden("metadata.namespace", "not allowed on this type"));
  errors.push(...validateLabels(metadata.labels, "metadata.labels"));
  errors.push(...validateAnnotations(metadata.annotations, "metadata.annotations"));
  errors.push(...validateOwners(metadata.ownerReferences ?? []));
  for (const [at, finalizer] of (metadata.finalizers ?? []).entries()) {
    for (const problem of isQualifiedName(finalizer)) errors.push(invalid("metadata.finalizers", finalizer, problem));
    if (!freeFinalizers && problemless(finalizer) && !finalizer.includes("/") && !standardFinalizers.has(finalizer)) {
      errors.push(
        invalid(
          `metadata.finalizers[${at}]`,
          finalizer,
          "name is neither a standard finalizer name nor is it fully qualified",
        ),
      );
    }
  }
  if (old !== undefined) {
    for (const field of ["name", "namespace", "uid", "creationTimestamp"] as const) {
      if (!deepEqual(metadata[field], old.metadata[field])) {
        errors.push(invalid(`metadata.${field}`, metadata[field] ?? "", immutable));
      }
    }
    const added = (metadata.finalizers ?? []).filter((one) => !old.metadata.finalizers?.includes(one));
    if (old.metadata.deletionTimestamp && added.length > 0) {
      errors.push(
        forbidden(
          "metadata.finalizers",
          `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((one) => JSON.stringify(one)).join(", ")}}`,
        ),
      );
    }
  }
  return errors;
}

/** Finalizers without a domain are for the system alone; kinds of others may have any. */
const standardFinalizers = new Set(["kubernetes", "orphan", "foregroundDeletion"]);
const problemless = (finalizer: string): boolean => isQualifiedName(finalizer).length === 0;

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

function validateOwners(owners: NonNullable<KubeObject["metadata"]["ownerReferences"]>): FieldError[] {
  const errors: FieldError[] = [];
  let controllers = 0;
  for (const owner of owners) {
    if (!owner.apiVersion) errors.push(invalid("metadata.ownerReferences.apiVersion", "", "version must not be empty"));
    for (const field of ["kind", "name", "uid"] as const) {
      if (!owner[field]) errors.push(invalid(`metadata.ownerReferences.${field}`, "", "must not be empty"));
    }
    if (owner.controller) controllers++;
  }
  if (controllers > 1) {
    errors.push(
      invalid(
        "metadata.ownerReferences",
        owners,
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
