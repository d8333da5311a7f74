import { defaultFields } from "./default-fields.js";
import type { FieldConfig } from "./field-specs.js";
import { mergeConfigs } from "./field-specs.js";
import { ResourceList } from "./resource-list.js";
import { mergeVars, type Var } from "./transformers/vars.js";

/** What a kustomization has gathered: resources, the fields its transformers work on, and its vars. */
export class Accumulator {
  readonly list = new ResourceList();
  fields: FieldConfig = defaultFields;
  vars: readonly Var[] = [];

  addFields(more: Partial<FieldConfig>): void {
    this.fields = mergeConfigs(this.fields, more);
  }

  addVars(more: readonly Var[]): void {
    this.vars = mergeVars(this.vars, more);
  }

  merge(other: Accumulator): void {
    this.list.appendAll(other.list.items);
    if (other.fields !== defaultFields) this.addFields(other.fields);
    this.addVars(other.vars);
  }
}
