import { InvalidArgumentError, LimitExceededError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";

/** Gives every alias its own copy, as JSON would have it; refuses cycles and expansions beyond the limit. */
export function expandAliases(value: unknown, place: string): unknown {
  const sizes = new Map<object, number>();
  const open = new Set<object>();
  let aliased = 0;

  // Sizes first, each shared node measured once: a bomb is refused before anything of it is expanded.
  const measure = (node: unknown, depth: number): number => {
    if (node === null || typeof node !== "object") return 1;
    if (open.has(node)) throw new InvalidArgumentError("", `${place}: an alias contains itself`);
    if (depth > limits.documentDepth) {
      throw new LimitExceededError(`${place}: nested deeper than ${limits.documentDepth} levels through aliases`);
    }
    const known = sizes.get(node);
    if (known !== undefined) {
      aliased += known;
      if (aliased > limits.yamlAliasedNodes) {
        throw new LimitExceededError(
          `${place}: aliases expand to more than ${limits.yamlAliasedNodes} nodes: write the values out`,
        );
      }
      return known;
    }
    open.add(node);
    let size = 1;
    for (const member of Object.values(node)) size += measure(member, depth + 1);
    open.delete(node);
    sizes.set(node, size);
    return size;
  };
  measure(value, 1);
  if (aliased === 0) return value;

  const copy = (node: unknown, depth: number): unknown => {
    if (node === null || typeof node !== "object") return node;
    if (depth > limits.documentDepth) {
      throw new LimitExceededError(`${place}: nested deeper than ${limits.documentDepth} levels through aliases`);
    }
    if (Array.isArray(node)) return node.map((item) => copy(item, depth + 1));
    return Object.fromEntries(Object.entries(node).map(([key, member]) => [key, copy(member, depth + 1)]));
  };
  return copy(value, 1);
}
