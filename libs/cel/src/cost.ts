import type { CallExpr, Expr, LoopExpr } from "./ast.js";
import { ACCUMULATOR } from "./ast.js";
import type { Checked } from "./checker.js";
import type { Declared } from "./schema.js";
import type { Type } from "./types.js";
import { codePoints } from "./values.js";

/** Least and most of something; Infinity is "no limit known". */
export interface Range {
  readonly min: number;
  readonly max: number;
}

const range = (min: number, max: number = min): Range => ({ min, max });
const add = (a: Range, b: Range): Range => ({ min: a.min + b.min, max: a.max + b.max });
const times = (a: Range, b: Range): Range => ({ min: product(a.min, b.min), max: product(a.max, b.max) });
const product = (a: number, b: number): number => (a === 0 || b === 0 ? 0 : a * b);
const scaled = ({ min, max }: Range, factor: number): Range => ({
  min: Math.ceil(min * factor),
  max: Math.ceil(max * factor),
});
const union = (a: Range, b: Range): Range => ({ min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) });
const unknown = range(0, Number.POSITIVE_INFINITY);

const PER_CHARACTER = 0.1;
const PER_PATTERN_CHARACTER = 0.25;
const ONE = range(1);

/** Size of the keys and values of a list or map that an expression makes. */
interface EntrySize {
  readonly container: "list" | "map";
  readonly key: Range;
  readonly value: Range;
}

interface Local {
  readonly path: readonly string[] | undefined;
  readonly size: Range | undefined;
  readonly entry: EntrySize | undefined;
}

/** What an expression may cost at run time, in the API server's units. `roots` says how large variables can be. */
export function estimateCost(checked: Checked, roots: ReadonlyMap<string, Declared>): Range {
  return new Estimator(checked, roots).cost(checked.expr);
}

class Estimator {
  private readonly paths = new Map<number, readonly string[] | undefined>();
  private readonly sizes = new Map<number, Range>();
  private readonly entries = new Map<number, EntrySize>();
  private readonly locals = new Map<string, Local[]>();

  constructor(
    private readonly checked: Checked,
    private readonly roots: ReadonlyMap<string, Declared>,
  ) {}

  cost(expr: Expr): Range {
    switch (expr.is) {
      case "literal":
        return range(0);
      case "ident": {
        this.paths.set(expr.id, this.local(expr.name)?.path ?? [expr.name]);
        return ONE;
      }
      case "select": {
        if (this.checked.names.has(expr.id)) return ONE;
        const operand = this.cost(expr.operand);
        if (expr.test) return operand;
        const { kind } = this.typeOf(expr.operand);
        this.paths.set(expr.id, this.extended(expr.operand, expr.field));
        return kind === "map" || kind === "struct" || kind === "param" ? add(operand, ONE) : operand;
      }
      case "call":
        return this.call(expr);
      case "list": {
        let sum = range(10);
        let item: Range = range(expr.elements.length === 0 ? 0 : Number.POSITIVE_INFINITY, 0);
        for (const element of expr.elements) {
          sum = add(sum, this.cost(element));
          item = union(item, this.sizeOrUnknown(element));
        }
        this.entries.set(expr.id, { container: "list", key: ONE, value: item });
        return sum;
      }
      case "map": {
        let sum = range(30);
        const start = range(expr.entries.length === 0 ? 0 : Number.POSITIVE_INFINITY, 0);
        let [key, value] = [start, start];
        for (const entry of expr.entries) {
          sum = add(sum, add(this.cost(entry.key), this.cost(entry.value)));
          key = union(key, this.sizeOrUnknown(entry.key));
          value = union(value, this.sizeOrUnknown(entry.value));
        }
        this.entries.set(expr.id, { container: "map", key, value });
        return sum;
      }
      case "struct":
        return range(40);
      case "loop":
        return this.loop(expr);
      case "bind": {
        // The list that a bind's loop runs over is empty, and made all the same.
        const sum = add(range(10), this.cost(expr.init));
        this.push(expr.variable, {
          path: this.pathOf(expr.init),
          size: this.sizeOf(expr.init),
          entry: this.entryOf(expr.init),
        });
        const result = this.cost(expr.result);
        this.pop(expr.variable);
        this.copySizes(expr, expr.result);
        return add(sum, result);
      }
    }
  }

  private typeOf(expr: Expr): Type {
    return this.checked.types.get(expr.id)!;
  }

  private local(name: string): Local | undefined {
    return this.locals.get(name)?.at(-1);
  }

  private push(name: string, local: Local): void {
    const stack = this.locals.get(name);
    if (stack) stack.push(local);
    else this.locals.set(name, [local]);
  }

  private pop(name: string): void {
    this.locals.get(name)!.pop();
  }

  private pathOf(expr: Expr): readonly string[] | undefined {
    const path = (expr.is === "ident" && this.local(expr.name)?.path) || this.paths.get(expr.id);
    return path?.[0] === ACCUMULATOR ? undefined : path;
  }

  private extended(expr: Expr, step: string): readonly string[] {
    return [...(this.pathOf(expr) ?? []), step];
  }

  /** Size by the schema of what a path leads to. */
  private declaredSize(path: readonly string[] | undefined): Range | undefined {
    if (path === undefined || path.length === 0) return undefined;
    // As the API server does, what hangs on no variable is looked up in the first one.
    let node = this.roots.get(path[0]!) ?? this.roots.values().next().value;
    if (node === undefined) return undefined;
    for (const step of path.slice(1)) {
      if (step === "@keys") return node?.key && range(0, node.key.maxElements);
      node = step === "@items" || step === "@values" ? node?.element : node?.fields?.get(step);
      if (node === undefined) return undefined;
    }
    return range(0, node.maxElements);
  }

  private sizeOf(expr: Expr): Range | undefined {
    const known = this.sizes.get(expr.id);
    if (known !== undefined) return known;
    if (expr.is === "literal") {
      const { value } = expr;
      if (typeof value === "string") return range(codePoints(value));
      return range(value instanceof Uint8Array ? value.length : 1);
    }
    if (expr.is === "list") return range(expr.elements.length);
    if (expr.is === "map") return range(expr.entries.length);
    const declared = this.declaredSize(this.pathOf(expr));
    if (declared !== undefined) {
      this.sizes.set(expr.id, declared);
      return declared;
    }
    if (isScalar(this.typeOf(expr))) return ONE;
    return expr.is === "ident" ? this.local(expr.name)?.size : undefined;
  }

  private sizeOrUnknown(expr: Expr): Range {
    return this.sizeOf(expr) ?? unknown;
  }

  private entryOf(expr: Expr): EntrySize | undefined {
    return this.entries.get(expr.id) ?? (expr.is === "ident" ? this.local(expr.name)?.entry : undefined);
  }

  private copySizes(to: Expr, from: Expr): void {
    const size = this.sizeOf(from);
    if (size !== undefined) this.sizes.set(to.id, size);
    const entry = this.entryOf(from);
    if (entry !== undefined) this.entries.set(to.id, entry);
  }

  private loop(expr: LoopExpr): Range {
    let sum = add(this.cost(expr.range), this.cost(expr.init));
    this.push(expr.accumulator, {
      path: this.pathOf(expr.init),
      size: this.sizeOf(expr.init),
      entry: this.entryOf(expr.init),
    });
    const entry = this.entryOf(expr.range);
    const isList = (entry?.container ?? this.typeOf(expr.range).kind) === "list";
    const key = { path: this.extended(expr.range, isList ? "@indices" : "@keys"), size: entry?.key, entry: undefined };
    const value = {
      path: this.extended(expr.range, isList ? "@items" : "@values"),
      size: entry?.value,
      entry: undefined,
    };
    if (expr.variable2 === undefined) this.push(expr.variable, isList ? value : key);
    else {
      this.push(expr.variable, key);
      this.push(expr.variable2, value);
    }
    const each = add(this.cost(expr.condition), this.cost(expr.step));
    this.pop(expr.variable);
    if (expr.variable2 !== undefined) this.pop(expr.variable2);
    sum = add(sum, this.cost(expr.result));
    this.pop(expr.accumulator);
    const count = this.sizeOrUnknown(expr.range);
    sum = add(sum, times(count, each));
    if (expr.init.is === "literal") {
      const size = this.sizeOf(expr.init);
      if (size !== undefined) this.sizes.set(expr.id, size);
    } else {
      this.sizes.set(expr.id, count);
      const step = this.entryOf(expr.step);
      if (step !== undefined) this.entries.set(expr.id, step);
    }
    return sum;
  }

  private call(expr: CallExpr): Range {
    if (expr.fn === "dyn" && expr.args.length === 1) {
      const cost = add(ONE, this.cost(expr.args[0]!));
      this.copySizes(expr, expr.args[0]!);
      return cost;
    }
    const name = this.checked.names.get(expr.id);
    const target = name === undefined ? expr.target : undefined;
    const costs = expr.args.map((arg) => this.cost(arg));
    const overloads = this.checked.overloads.get(expr.id) ?? [];
    if (overloads.length === 0) return range(0);
    let sum = target === undefined ? range(0) : this.cost(target);
    let cost = range(Number.POSITIVE_INFINITY, 0);
    let size: Range | undefined;
    for (const overload of overloads) {
      const found = this.functionCost(expr, name ?? expr.fn, overload, target, costs);
      cost = union(cost, found.cost);
      if (found.size !== undefined) size = size === undefined ? found.size : union(size, found.size);
      if (overload === "index_list" || overload === "index_map") {
        size = this.entryOf(expr.args[0]!)?.value;
        this.paths.set(expr.id, this.extended(expr.args[0]!, overload === "index_list" ? "@items" : "@values"));
      }
      size ??= this.sizeOf(expr);
    }
    if (size !== undefined) this.sizes.set(expr.id, size);
    sum = add(sum, cost);
    return sum;
  }

  private functionCost(
    expr: CallExpr,
    fn: string,
    overload: string,
    target: Expr | undefined,
    costs: readonly Range[],
  ): { cost: Range; size?: Range | undefined } {
    const all = costs.reduce(add, range(0));
    const library = this.libraryCost(expr, fn, overload, target);
    if (library !== undefined) return { cost: add(library.cost, all), size: library.size };
    const { args } = expr;
    const size = (at: number): Range => this.sizeOrUnknown(args[at]!);
    const plus = (cost: Range, result?: Range) => ({ cost: add(cost, all), size: result });
    switch (overload) {
      case "string_format":
        if (target) return plus(scaled(this.sizeOrUnknown(target), PER_CHARACTER));
        break;
      case "string_to_bytes":
        return plus(scaled(size(0), PER_CHARACTER), range(size(0).min, size(0).max * 4));
      case "bytes_to_string":
        return plus(scaled(size(0), PER_CHARACTER), range(Math.floor(size(0).min / 4), size(0).max));
      case "strings_quote":
        return plus(scaled(size(0), PER_CHARACTER), range(size(0).min + 2, size(0).max * 2 + 2));
      case "starts_with_string":
      case "ends_with_string":
        return plus(scaled(size(0), PER_CHARACTER));
      case "in_list":
        return plus(size(1));
      case "matches_string":
        if (target) {
          const text = scaled(add(this.sizeOrUnknown(target), ONE), PER_CHARACTER);
          return plus(times(text, scaled(size(0), PER_PATTERN_CHARACTER)));
        }
        break;
      case "contains_string":
        if (target)
          return plus(times(scaled(this.sizeOrUnknown(target), PER_CHARACTER), scaled(size(0), PER_CHARACTER)));
        break;
      case "logical_or":
      case "logical_and":
        return { cost: range(costs[0]!.min, costs[0]!.max + costs[1]!.max) };
      case "conditional": {
        const [a, b] = [this.entryOf(args[1]!), this.entryOf(args[2]!)];
        if (a && b)
          this.entries.set(expr.id, {
            container: a.container,
            key: union(a.key, b.key),
            value: union(a.value, b.value),
          });
        return { cost: add(costs[0]!, union(costs[1]!, costs[2]!)), size: union(size(1), size(2)) };
      }
      case "add_string":
      case "add_bytes":
      case "add_list": {
        const result = add(size(0), size(1));
        const [a, b] = [this.entryOf(args[0]!), this.entryOf(args[1]!)];
        if (a && b)
          this.entries.set(expr.id, {
            container: a.container,
            key: union(a.key, b.key),
            value: union(a.value, b.value),
          });
        return plus(overload === "add_list" ? ONE : scaled(result, PER_CHARACTER), result);
      }
    }
    if (comparisons.test(overload)) {
      const most = Math.min(size(0).max, size(1).max);
      return plus(scaled(range(most > 0 ? 1 : 0, most), PER_CHARACTER));
    }
    return plus(ONE);
  }

  /** Functions whose costs the Kubernetes environment sets. */
  private libraryCost(
    { args }: CallExpr,
    fn: string,
    overload: string,
    target: Expr | undefined,
  ): { cost: Range; size?: Range | undefined } | undefined {
    const size = (expr: Expr): Range => this.sizeOrUnknown(expr);
    if (constant.has(fn)) return { cost: ONE };
    switch (fn) {
      case "isSorted":
      case "sum":
      case "max":
      case "min":
      case "indexOf":
      case "lastIndexOf": {
        if (!target) return undefined;
        const [element] = this.typeOf(target).params;
        if (element === undefined) return { cost: scaled(size(target), PER_CHARACTER) };
        let each = ONE;
        if (element.kind === "string" || element.kind === "bytes") {
          each = add(each, scaled(this.declaredSize(this.extended(target, "@items")) ?? unknown, PER_CHARACTER));
        }
        return { cost: times(size(target), each) };
      }
      case "url":
        return { cost: scaled(size(args[0]!), PER_CHARACTER), size: size(args[0]!) };
      case "lowerAscii":
      case "upperAscii":
      case "substring":
      case "trim":
        return target && { cost: scaled(size(target), PER_CHARACTER), size: size(target) };
      case "replace":
        return target && args.length >= 2 ? this.replaceCost(size(target), size(args[0]!), size(args[1]!)) : undefined;
      case "split": {
        if (!target) return undefined;
        const limit = args[1];
        const most =
          limit?.is === "literal" && typeof limit.value === "bigint" ? Number(limit.value) : size(target).max;
        const shown = most < 0 ? Number.POSITIVE_INFINITY : most;
        return { cost: scaled(size(target), 2 * PER_CHARACTER), size: range(0, shown) };
      }
      case "join": {
        if (!target) return undefined;
        const list = size(target);
        const element =
          this.typeOf(target).params.length > 0
            ? (this.declaredSize(this.extended(target, "@items")) ?? unknown)
            : range(0);
        let result = times(list, element);
        if (args.length > 0) {
          result = add(result, times(size(args[0]!), range(Math.max(0, list.min - 1), Math.max(0, list.max - 1))));
        }
        return { cost: scaled(result, PER_CHARACTER), size: result };
      }
      case "find":
      case "findAll": {
        if (!target || args.length === 0) return undefined;
        const text = scaled(add(size(target), ONE), PER_CHARACTER);
        return { cost: times(text, scaled(size(args[0]!), PER_PATTERN_CHARACTER)), size: range(0, size(target).max) };
      }
      case "ip":
        return overload === "cidr_ip" ? { cost: ONE } : { cost: scaled(size(args[0]!), PER_CHARACTER) };
      case "cidr":
      case "isIP":
      case "isCIDR":
      case "quantity":
      case "isQuantity":
      case "semver":
      case "isSemver":
        return args.length > 0 ? { cost: scaled(size(args[0]!), PER_CHARACTER) } : undefined;
      case "ip.isCanonical":
        return { cost: scaled(size(args[0]!), 2 * PER_CHARACTER) };
      case "containsIP": {
        const cost = scaled(range(8, 32), PER_CHARACTER);
        return {
          cost: overload === "cidr_contains_ip_string" ? add(cost, scaled(size(args[0]!), PER_CHARACTER)) : cost,
        };
      }
      case "containsCIDR": {
        const cost = add(add(scaled(range(8, 32), PER_CHARACTER), scaled(range(4, 16), PER_CHARACTER)), ONE);
        return {
          cost: overload === "cidr_contains_cidr_string" ? add(cost, scaled(size(args[0]!), PER_CHARACTER)) : cost,
        };
      }
      case "validate":
        return { cost: scaled(scaled(size(args[0]!), PER_CHARACTER), 128 * PER_PATTERN_CHARACTER) };
      case "_==_": {
        const name = this.typeOf(args[0]!).name;
        if (name !== this.typeOf(args[1]!).name) return undefined;
        if (equalAtOnce.has(name)) return { cost: ONE };
        if (name === "kubernetes.NamedFormat") return { cost: scaled(range(1, 64), PER_CHARACTER) };
        return undefined;
      }
    }
    return undefined;
  }

  private replaceCost(text: Range, from: Range, to: Range): { cost: Range; size: Range } {
    const count = { min: 0, max: 0 };
    const kept = { min: 0, max: 0 };
    if (from.min === 0) [count.max, kept.max] = [text.max + 1, text.max];
    else if (to.max <= from.min) [count.max, kept.max] = [0, text.max];
    else count.max = Math.ceil(text.max / from.min);
    if (from.max === 0) [count.min, kept.min] = [text.min + 1, text.min];
    else if (from.max <= to.min) [count.min, kept.min] = [0, text.min];
    else count.min = Math.ceil(text.min / from.max);
    return { cost: scaled(text, 2 * PER_CHARACTER), size: add(times(count, to), kept) };
  }
}

const comparisons = /^(?:less|greater)(?:_equals)?_(?:string|bytes)$|^equals$|^not_equals$/;
const equalAtOnce = new Set(["net.IP", "net.CIDR", "kubernetes.Quantity", "kubernetes.Semver"]);

/** Functions of constant cost. */
export const constant = new Set(
  "masked prefixLength family isUnspecified isLoopback isLinkLocalMulticast isLinkLocalUnicast isGlobalUnicast format.named sign asInteger isInteger asApproximateFloat isGreaterThan isLessThan compareTo add sub major minor patch getScheme getHostname getHost getPort getEscapedPath getQuery name path group resource".split(
    " ",
  ),
);

function isScalar(type: Type): boolean {
  switch (type.kind) {
    case "bool":
    case "double":
    case "duration":
    case "int":
    case "timestamp":
    case "uint":
      return true;
    case "opaque":
      return type.name === "optional_type" && isScalar(type.params[0]!);
    default:
      return false;
  }
}
