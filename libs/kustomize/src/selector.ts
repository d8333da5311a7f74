import { RE2JS } from "re2js";
import { textOf } from "./data.js";
import { fail } from "./errors.js";
import { effectiveNamespace } from "./ids.js";
import type { Resource } from "./resource.js";

/** Which resources a patch is for: regular expressions over whole words, and selectors of labels and annotations. */
export interface Selector {
  readonly group?: string;
  readonly version?: string;
  readonly kind?: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly annotationSelector?: string;
}

export function pattern(text: string): RE2JS {
  try {
    return RE2JS.compile(text);
  } catch (error) {
    return fail(
      `${JSON.stringify(text)} is not a regular expression: ${error instanceof Error ? error.message : error}`,
    );
  }
}

const matcher = (text: string | undefined): ((word: string) => boolean) => {
  if (!text) return () => true;
  const compiled = pattern(`^(?:${text})$`);
  return (word) => compiled.matcher(word).find();
};

export function select(resources: readonly Resource[], selector: Selector): Resource[] {
  const [group, version, kind, name, namespace] = [
    matcher(selector.group),
    matcher(selector.version),
    matcher(selector.kind),
    matcher(selector.name),
    matcher(selector.namespace),
  ];
  const labels = labelSelector(selector.labelSelector ?? "");
  const annotations = labelSelector(selector.annotationSelector ?? "");
  // A namespace that is none is called by a word of the original's own.
  const space = (id: ReturnType<Resource["id"]>): string =>
    effectiveNamespace(id).replace("\0cluster", "_non_namespaceable_");
  return resources.filter((resource) => {
    const ids = [resource.originalId(), resource.id()];
    const { group: itsGroup, version: itsVersion, kind: itsKind } = resource.id();
    return (
      ids.some((id) => namespace(space(id))) &&
      ids.some((id) => name(id.name)) &&
      group(itsGroup) &&
      version(itsVersion) &&
      kind(itsKind) &&
      labels(resource.labels) &&
      annotations(resource.annotations)
    );
  });
}

const REQUIREMENT =
  /^\s*(?:(!)\s*([^\s!=,()]+)|([^\s!=,()]+)\s*(?:(==|=|!=)\s*([^\s,()]*)|\s(in|notin)\s*\(([^()]*)\))?)\s*(?:,|$)/;

/** A selector in the words of kubectl: `a=b,c!=d,e in (f,g),h,!i`. */
export function labelSelector(text: string): (labels: Readonly<Record<string, unknown>>) => boolean {
  const tests: ((labels: Readonly<Record<string, unknown>>) => boolean)[] = [];
  let rest = text;
  while (rest.trim() !== "") {
    const [whole, not, absent, key, operator, value, set, values] = REQUIREMENT.exec(rest) ?? [];
    if (whole === undefined) return fail(`unable to parse selector ${JSON.stringify(text)}`);
    rest = rest.slice(whole.length);
    const name = (not ? absent : key) as string;
    const of = (labels: Readonly<Record<string, unknown>>): string | undefined =>
      Object.hasOwn(labels, name) ? textOf(labels[name]) : undefined;
    if (not) tests.push((labels) => of(labels) === undefined);
    else if (set) {
      const allowed = new Set((values as string).split(",").map((one) => one.trim()));
      tests.push((labels) => {
        const found = of(labels);
        return set === "in" ? found !== undefined && allowed.has(found) : found === undefined || !allowed.has(found);
      });
    } else if (operator === "!=") tests.push((labels) => of(labels) !== value);
    else if (operator) tests.push((labels) => of(labels) === value);
    else tests.push((labels) => of(labels) !== undefined);
  }
  return (labels) => tests.every((test) => test(labels));
}
