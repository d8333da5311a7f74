import { type Data, has, isMap, overwrite, put, share } from "../data.js";
import { fail } from "../errors.js";
import type { FieldConfig, FieldSpec } from "../field-specs.js";
import { mergeSpecs, visitField } from "../field-specs.js";
import type { Resource } from "../resource.js";

export interface LabelRule {
  readonly pairs?: Readonly<Record<string, string>>;
  readonly includeSelectors?: boolean;
  readonly includeTemplates?: boolean;
  readonly fields?: readonly FieldSpec[];
}

/** Sets labels or annotations at all places that the specs mean. */
export function setEntries(
  resources: readonly Resource[],
  entries: Readonly<Record<string, string>>,
  specs: readonly FieldSpec[],
): void {
  const sorted = Object.entries(entries).sort(([a], [b]) => (a < b ? -1 : 1));
  for (const { object } of resources) {
    for (const [key, value] of sorted) {
      const made: { map: Data; key: string }[] = [];
      for (const spec of specs) {
        visitField(object, spec, "map", ({ value: map }) => {
          if (!isMap(map)) return fail("expected a map");
          if (has(map, key)) return overwrite(map, key, value);
          put(map, key, value);
          made.push({ map, key });
        });
      }
      share(made);
    }
  }
}

/** The places of a rule of `labels`. */
export function placesOf(rule: LabelRule, config: FieldConfig): FieldSpec[] {
  const own = mergeSpecs(rule.fields ?? [], config.labels);
  if (rule.includeSelectors) return mergeSpecs(own, config.commonLabels);
  const templates = rule.includeTemplates ? mergeSpecs(own, config.templateLabels) : own;
  return mergeSpecs(templates, [{ path: "metadata/labels", create: true }]);
}
