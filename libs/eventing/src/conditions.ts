import { InvalidArgumentError } from "@tiphys/errors";

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
  const tokens = text.match(/&&|\|\||[()]|[^\s()&|]+|\S/g) ?? [];
  const names = new Set<string>();
  let at = 0;
  const fail = (problem: string) => new InvalidArgumentError("conditions", `"${text}": ${problem}`);

  type Test = (arrived: ReadonlySet<string>) => boolean;
  const any = (): Test => {
    let left = all();
    while (tokens[at] === "||") {
      at++;
      const [before, right] = [left, all()];
      left = (arrived) => before(arrived) || right(arrived);
    }
    return left;
  };
  const all = (): Test => {
    let left = one();
    while (tokens[at] === "&&") {
      at++;
      const [before, right] = [left, one()];
      left = (arrived) => before(arrived) && right(arrived);
    }
    return left;
  };
  const one = (): Test => {
    const token = tokens[at++];
    if (token === undefined) throw fail("ends too early");
    if (token === "(") {
      const inner = any();
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
