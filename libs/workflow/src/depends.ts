import { limits } from "@tiphys/limits";
import type { DagTask } from "@tiphys/resources";

const RESULTS = [
  "Succeeded",
  "Failed",
  "Errored",
  "Skipped",
  "Omitted",
  "Daemoned",
  "AnySucceeded",
  "AllFailed",
] as const;
export type DependsResult = (typeof RESULTS)[number];

export type DependsNode =
  | { readonly type: "task"; readonly task: string; readonly result?: DependsResult }
  | { readonly type: "not"; readonly operand: DependsNode }
  | { readonly type: "and" | "or"; readonly left: DependsNode; readonly right: DependsNode };

/** A `depends` text that is not of its grammar. */
export class DependsError extends Error {}

const cache = new Map<string, DependsNode>();

/** Parses `a && (b.Failed || !c)`. */
export function parseDepends(source: string): DependsNode {
  const known = cache.get(source);
  if (known) return known;
  const tokens = source.match(/&&|\|\||[!()]|[A-Za-z0-9_-]+(?:\.[A-Za-z]+)?|\S/g) ?? [];
  let at = 0;
  let depth = 0;
  const fail = (): never => {
    throw new DependsError(`depends "${source}" is not valid at "${tokens[at] ?? "its end"}"`);
  };
  const or = (): DependsNode => {
    let left = and();
    while (tokens[at] === "||") {
      at++;
      left = { type: "or", left, right: and() };
    }
    return left;
  };
  const and = (): DependsNode => {
    let left = not();
    while (tokens[at] === "&&") {
      at++;
      left = { type: "and", left, right: not() };
    }
    return left;
  };
  const not = (): DependsNode => {
    if (++depth > limits.documentDepth * 10) fail();
    const token = tokens[at];
    if (token === "!") {
      at++;
      return { type: "not", operand: not() };
    }
    if (token === "(") {
      at++;
      const inner = or();
      if (tokens[at] !== ")") fail();
      at++;
      return inner;
    }
    if (!token || !/^[A-Za-z0-9_]/.test(token)) return fail();
    at++;
    const [task, result] = token.split(".") as [string, string | undefined];
    if (result !== undefined && !RESULTS.includes(result as DependsResult)) {
      throw new DependsError(`depends "${source}": task result '${result}' for task '${task}' is invalid`);
    }
    return { type: "task", task, ...(result ? { result: result as DependsResult } : {}) };
  };
  const tree = or();
  if (at < tokens.length) fail();
  if (cache.size > 2000) cache.clear();
  cache.set(source, tree);
  return tree;
}

/** The condition of a task: `depends`, or its `dependencies` all done; undefined when it waits for none. */
export function conditionOf(task: DagTask): DependsNode | undefined {
  if (task.depends) return parseDepends(task.depends);
  return (task.dependencies ?? []).reduce<DependsNode | undefined>((left, name) => {
    const right: DependsNode = { type: "task", task: name };
    return left ? { type: "and", left, right } : right;
  }, undefined);
}

/** The tasks that a condition names, in order, each once. */
export function dependencyNames(node: DependsNode | undefined, names: string[] = []): string[] {
  if (!node) return names;
  if (node.type === "task") {
    if (!names.includes(node.task)) names.push(node.task);
  } else if (node.type === "not") dependencyNames(node.operand, names);
  else {
    dependencyNames(node.left, names);
    dependencyNames(node.right, names);
  }
  return names;
}

/** Decides a condition once all of its tasks are done. */
export function holds(
  node: DependsNode,
  outcome: (task: string, result: DependsResult | undefined) => boolean,
): boolean {
  switch (node.type) {
    case "task":
      return outcome(node.task, node.result);
    case "not":
      return !holds(node.operand, outcome);
    case "and":
      return holds(node.left, outcome) && holds(node.right, outcome);
    case "or":
      return holds(node.left, outcome) || holds(node.right, outcome);
  }
}
