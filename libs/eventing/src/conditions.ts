import { InvalidArgumentError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";

/** True when the dependencies that have an event satisfy the trigger's conditions. */
export interface Conditions {
  (arrived: ReadonlySet<string>): boolean;
  /** Dependencies that the conditions name. */
  readonly names: readonly string[];
}

/** Compiles `a && (b || c)`; without a text all of `dependencies` are needed. */
export function compileConditions(text: string | undefined, dependencies: readonly string[]): Conditions {
  if (!text?.trim()) {
    return Object.assign((arrived: ReadonlySet<string>) => dependencies.every((name) => arrived.has(name)), {
      names: [...dependencies],
    });
  }
  if (text.length > limits.expressionBytes)
    throw new InvalidArgumentError("conditions", `is longer than ${limits.expressionBytes} characters`);
  const tokens = text.match(/&&|\|\||[()]|[^\s()&|]+|\S/g) ?? [];
  const names = new Set<string>();
  let at = 0;
  let depth = 0;
  const fail = (problem: string) => new InvalidArgumentError("conditions", `"${text}": ${problem}`);

  type Test = (arrived: ReadonlySet<string>) => boolean;
  const any = (): Test => {
    const parts = [all()];
    while (tokens[at] === "||") {
      at++;
      parts.push(all());
    }
    return (arrived) => parts.some((part) => part(arrived));
  };
  const all = (): Test => {
    const parts = [one()];
    while (tokens[at] === "&&") {
      at++;
      parts.push(one());
    }
    return (arrived) => parts.every((part) => part(arrived));
  };
  const one = (): Test => {
    const token = tokens[at++];
    if (token === undefined) throw fail("ends too early");
    if (token === "(") {
      if (++depth > limits.documentDepth) throw fail(`is nested deeper than ${limits.documentDepth} levels`);
      const inner = any();
      depth--;
      if (tokens[at++] !== ")") throw fail("a parenthesis is not closed");
      return inner;
    }
    if (!dependencies.includes(token)) throw fail(`${token} is not a dependency of the sensor`);
    names.add(token);
    return (arrived) => arrived.has(token);
  };
  const test = any();
  if (at < tokens.length) throw fail(`${tokens[at]} is not expected`);
  return Object.assign(test, { names: [...names] });
}
