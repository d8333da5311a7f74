import { InvalidArgumentError } from "@tiphys/errors";

/** metav1.LabelSelector. */
export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

type Labels = Readonly<Record<string, string>> | undefined;
type Test = (labels: Labels) => boolean;

const value = (labels: Labels, key: string): string | undefined =>
  labels && Object.hasOwn(labels, key) ? labels[key] : undefined;

/** True when `labels` satisfy the selector object. An empty selector selects everything, an absent one nothing. */
export function matchesSelector(selector: LabelSelector | undefined, labels: Labels): boolean {
  if (!selector) return false;
  for (const [key, wanted] of Object.entries(selector.matchLabels ?? {}))
    if (value(labels, key) !== wanted) return false;
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const found = value(labels, key);
    if (operator === "In" && !(found !== undefined && values.includes(found))) return false;
    if (operator === "NotIn" && found !== undefined && values.includes(found)) return false;
    if (operator === "Exists" && found === undefined) return false;
    if (operator === "DoesNotExist" && found !== undefined) return false;
  }
  return true;
}

const requirement =
  /^\s*(?:(!)\s*([^\s!=,()]+)|([^\s!=,()]+)\s+(in|notin)\s*\(([^()]*)\)|([^\s!=,()]+)\s*(==|=|!=)\s*([^\s!=,()]*)|([^\s!=,()]+))\s*(?:,|$)/;

/** Parses the text form (`app=web,tier in (a, b),!old`) into a test. */
export function parseLabelSelector(text: string): Test {
  const tests: Test[] = [];
  let rest = text;
  while (rest.trim() !== "") {
    const match = requirement.exec(rest);
    if (!match) throw new InvalidArgumentError("labelSelector", `cannot read "${text}"`);
    rest = rest.slice(match[0].length);
    const [, not, absent, setKey, setOperator, setValues, key, operator, wanted, present] = match;
    if (not) tests.push((labels) => value(labels, absent as string) === undefined);
    else if (setKey !== undefined) {
      const values = new Set((setValues as string).split(",").map((item) => item.trim()));
      const wantedIn = setOperator === "in";
      tests.push((labels) => {
        const found = value(labels, setKey);
        return found === undefined ? !wantedIn : values.has(found) === wantedIn;
      });
    } else if (key !== undefined) {
      tests.push((labels) => (value(labels, key) === wanted) !== (operator === "!="));
    } else tests.push((labels) => value(labels, present as string) !== undefined);
  }
  return (labels) => tests.every((test) => test(labels));
}

/** The text form of a selector object, for list and watch calls. */
export function selectorText(selector: LabelSelector): string {
  const parts = Object.entries(selector.matchLabels ?? {}).map(([key, wanted]) => `${key}=${wanted}`);
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    if (operator === "In") parts.push(`${key} in (${values.join(",")})`);
    else if (operator === "NotIn") parts.push(`${key} notin (${values.join(",")})`);
    else parts.push(operator === "Exists" ? key : `!${key}`);
  }
  return parts.join(",");
}
