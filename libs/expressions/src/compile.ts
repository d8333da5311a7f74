import { UnimplementedError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import { RE2JS } from "re2js";
import type { Node } from "./ast.js";
import { type Builtin, builtins, unimplementedBuiltins } from "./builtins.js";
import { ExpressionError } from "./errors.js";
import { memberOfObject } from "./members.js";
import { parse } from "./parser.js";
import { type PredicateCall, predicateBuiltins } from "./predicates.js";
import { Duration, equal, isMap, typeName } from "./values.js";

export type Env = Readonly<Record<string, unknown>>;
/** A function that expressions may call; `charge` takes fuel for work that grows with the input. */
export type ExpressionFunction = (...args: unknown[]) => unknown;

export interface CompileOptions {
  /** Functions beside the builtins; they win over builtins of the same name. */
  readonly functions?: Readonly<Record<string, ExpressionFunction>>;
  /** The time that `now()` gives; without it `now()` is refused. */
  readonly now?: () => Date;
  /** False: a name that the environment lacks is an error; default true: it is nil. */
  readonly allowUndefined?: boolean;
  /** Steps of one run; default {@link limits.expressionFuel}. */
  readonly fuel?: number;
}

/** A compiled expression: pure, deterministic apart from `now()`, and ended by its fuel. */
export interface CompiledExpression {
  (env: Env, fuel?: number): unknown;
  readonly source: string;
  /** Top-level names it reads from the environment. */
  readonly names: readonly string[];
}

/** State of one run. */
export interface Run {
  readonly env: Env;
  fuel: number;
  readonly charge: (cost: number) => void;
  item: unknown;
  index: number;
  acc: unknown;
  locals: Record<string, unknown> | undefined;
}

type Closure = (run: Run) => unknown;

/** Signals that `?.` met nil: the rest of the access chain is nil. */
const CUT = Symbol("nil");

/** Compiles expr-lang source to closures. Throws {@link ExpressionError} for a fault in the text. */
export function compileExpression(source: string, options: CompileOptions = {}): CompiledExpression {
  const names = new Set<string>();
  const functions = options.functions ?? {};
  const own = (name: string) => Object.hasOwn(functions, name);
  const isBuiltin = (name: string) =>
    !own(name) && (Object.hasOwn(builtins, name) || unimplementedBuiltins.has(name) || (name === "now" && !own("now")));
  const tree = parse(source, isBuiltin);
  const closure = new Compiler(source, options, names).compile(tree, new Set());
  const run = (env: Env, fuel = options.fuel ?? limits.expressionFuel) => {
    const state: Run = {
      env,
      fuel,
      charge(cost) {
        state.fuel -= cost;
        if (state.fuel < 0) throw new ExpressionError("takes too many steps", source, 0);
      },
      item: null,
      index: 0,
      acc: null,
      locals: undefined,
    };
    return closure(state) ?? null;
  };
  return Object.assign(run, { source, names: [...names] });
}

class Compiler {
  constructor(
    private readonly source: string,
    private readonly options: CompileOptions,
    private readonly names: Set<string>,
  ) {}

  compile(node: Node, locals: ReadonlySet<string>): Closure {
    const closure = this.closure(node, locals);
    return (run) => {
      run.charge(1);
      return closure(run);
    };
  }

  private fail(problem: string, node: Node): never {
    throw new ExpressionError(problem, this.source, node.at);
  }

  private closure(node: Node, locals: ReadonlySet<string>): Closure {
    switch (node.type) {
      case "literal":
        return () => node.value;
      case "name":
        return this.nameOf(node, locals);
      case "pointer":
        if (node.name === "index") return (run) => run.index;
        return node.name === "acc" ? (run) => run.acc : (run) => run.item;
      case "unary":
        return this.unary(node, locals);
      case "binary":
        return this.binary(node, locals);
      case "conditional": {
        const [test, yes, no] = [node.test, node.yes, node.no].map((part) => this.compile(part, locals)) as [
          Closure,
          Closure,
          Closure,
        ];
        return (run) => (this.boolean(test(run), node.test) ? yes(run) : no(run));
      }
      case "member":
        return this.member(node, locals);
      case "chain": {
        const body = this.compile(node.body, locals);
        return (run) => {
          try {
            return body(run);
          } catch (thrown) {
            if (thrown === CUT) return null;
            throw thrown;
          }
        };
      }
      case "slice":
        return this.slice(node, locals);
      case "call":
        return this.call(node, locals);
      case "builtin":
        return this.builtin(node, locals);
      case "predicate":
        return this.fail("a predicate has no place here", node);
      case "array": {
        const items = node.items.map((item) => this.compile(item, locals));
        return (run) => items.map((item) => item(run) ?? null);
      }
      case "map": {
        const entries = node.entries.map(
          ([key, value]) => [this.compile(key, locals), this.compile(value, locals)] as const,
        );
        return (run) => {
          const map: Record<string, unknown> = {};
          for (const [key, value] of entries) define(map, String(key(run)), value(run) ?? null);
          return map;
        };
      }
      case "let": {
        const value = this.compile(node.value, locals);
        const body = this.compile(node.body, new Set([...locals, node.name]));
        return (run) => {
          const outer = run.locals;
          run.locals = { ...outer, [node.name]: value(run) };
          try {
            return body(run);
          } finally {
            run.locals = outer;
          }
        };
      }
    }
  }

  private nameOf(node: Node & { type: "name" }, locals: ReadonlySet<string>): Closure {
    const { name } = node;
    if (locals.has(name)) return (run) => run.locals?.[name];
    if (name === "$env") return (run) => run.env;
    this.names.add(name);
    return (run) => {
      if (Object.hasOwn(run.env, name)) return run.env[name];
      if (this.options.allowUndefined === false) this.fail(`unknown name ${name}`, node);
      return null;
    };
  }

  private unary(node: Node & { type: "unary" }, locals: ReadonlySet<string>): Closure {
    const operand = this.compile(node.operand, locals);
    if (node.op === "!") return (run) => !this.boolean(operand(run), node.operand);
    const sign = node.op === "-" ? -1 : 1;
    return (run) => {
      const value = operand(run);
      if (value instanceof Duration) return new Duration(sign * value.nanoseconds);
      if (typeof value !== "number") this.fail(`operator ${node.op} does not work on ${typeName(value)}`, node);
      return sign * value;
    };
  }

  private boolean(value: unknown, node: Node): boolean {
    if (typeof value !== "boolean") this.fail(`expected bool, but got ${typeName(value)}`, node);
    return value;
  }

  private binary(node: Node & { type: "binary" }, locals: ReadonlySet<string>): Closure {
    const left = this.compile(node.left, locals);
    const right = this.compile(node.right, locals);
    switch (node.op) {
      case "and":
      case "&&":
        return (run) => this.boolean(left(run), node.left) && this.boolean(right(run), node.right);
      case "or":
      case "||":
        return (run) => this.boolean(left(run), node.left) || this.boolean(right(run), node.right);
      case "??":
        return (run) => {
          const value = left(run);
          return value === null || value === undefined ? right(run) : value;
        };
      case "matches":
        return this.matches(node, left, right);
    }
    const apply = operators[node.op];
    if (!apply) return this.fail(`unknown operator "${node.op}"`, node);
    return (run) => {
      const a = left(run) ?? null;
      const b = right(run) ?? null;
      const result = apply(a, b, run);
      if (result === undefined) this.fail(`invalid operation: ${typeName(a)} ${node.op} ${typeName(b)}`, node);
      return result;
    };
  }

  private matches(node: Node & { type: "binary" }, left: Closure, right: Closure): Closure {
    const fixed = node.right.type === "literal" ? this.regexp(node.right.value, node) : undefined;
    return (run) => {
      const pattern = fixed ?? this.regexp(right(run), node);
      const text = left(run);
      if (text === null || text === undefined) return false;
      if (typeof text !== "string") this.fail(`invalid operation: ${typeName(text)} matches string`, node);
      run.charge(text.length / 16);
      return pattern.matcher(text).find();
    };
  }

  private regexp(pattern: unknown, node: Node): RE2JS {
    if (typeof pattern !== "string") this.fail(`a pattern must be a string, not ${typeName(pattern)}`, node);
    try {
      return RE2JS.compile(pattern);
    } catch (cause) {
      throw new ExpressionError(`bad pattern: ${(cause as Error).message}`, this.source, node.at, { cause });
    }
  }

  private member(node: Node & { type: "member" }, locals: ReadonlySet<string>): Closure {
    const object = this.compile(node.object, locals);
    const key = this.compile(node.key, locals);
    return (run) => {
      const target = object(run);
      if (target === null || target === undefined) {
        if (node.optional) throw CUT;
        this.fail(`cannot fetch ${String(key(run))} from nil`, node);
      }
      const name = key(run);
      if (Array.isArray(target) || typeof target === "string") {
        if (typeof name !== "number" || !Number.isInteger(name)) {
          this.fail(`cannot fetch ${String(name)} from ${typeName(target)}`, node);
        }
        const index = name < 0 ? target.length + name : name;
        if (index < 0 || index >= target.length) {
          this.fail(`index out of range: ${name} (array length is ${target.length})`, node);
        }
        return target[index];
      }
      if (isMap(target)) return Object.hasOwn(target, String(name)) ? target[String(name)] : null;
      const found = memberOfObject(target, String(name));
      if (found === undefined) this.fail(`cannot fetch ${String(name)} from ${typeName(target)}`, node);
      return found;
    };
  }

  private slice(node: Node & { type: "slice" }, locals: ReadonlySet<string>): Closure {
    const object = this.compile(node.object, locals);
    const from = node.from ? this.compile(node.from, locals) : () => 0;
    const to = node.to ? this.compile(node.to, locals) : undefined;
    return (run) => {
      const target = object(run);
      if (!Array.isArray(target) && typeof target !== "string") this.fail(`cannot slice ${typeName(target)}`, node);
      const [start, end] = [from(run), to ? to(run) : target.length];
      if (typeof start !== "number" || typeof end !== "number") this.fail("slice bounds must be numbers", node);
      run.charge(target.length / 16);
      return target.slice(start, end);
    };
  }

  private call(node: Node & { type: "call" }, locals: ReadonlySet<string>): Closure {
    const args = node.args.map((arg) => this.compile(arg, locals));
    const { callee } = node;
    const given = callee.type === "name" ? this.options.functions?.[callee.name] : undefined;
    const target = given ? () => given : this.compile(callee, locals);
    const shown = callee.type === "name" ? callee.name : this.source.slice(callee.at, node.at);
    return (run) => {
      const called = target(run);
      if (typeof called !== "function") this.fail(`${shown || "this"} is not a function`, node);
      run.charge(4);
      return this.guarded(node, () => called(...args.map((arg) => arg(run) ?? null)));
    };
  }

  private builtin(node: Node & { type: "builtin" }, locals: ReadonlySet<string>): Closure {
    if (Object.hasOwn(predicateBuiltins, node.name)) return this.predicate(node, locals);
    const { now } = this.options;
    if (node.name === "now") {
      if (!now) return this.fail("now() has no place here: the result must not depend on the time", node);
      return () => now();
    }
    if (unimplementedBuiltins.has(node.name)) throw new UnimplementedError(`expression builtin ${node.name}`);
    const builtin = builtins[node.name] as Builtin;
    const args = node.args.map((arg) => this.compile(arg, locals));
    return (run) =>
      this.guarded(node, () =>
        builtin(
          args.map((arg) => arg(run) ?? null),
          run,
        ),
      );
  }

  private predicate(node: Node & { type: "builtin" }, locals: ReadonlySet<string>): Closure {
    const [input, test, ...rest] = node.args;
    if (!input) return this.fail(`${node.name}() needs an array`, node);
    const array = this.compile(input, locals);
    const body = test ? this.compile(test.type === "predicate" ? test.body : test, locals) : undefined;
    const more = rest.map((arg) => this.compile(arg, locals));
    const builtin = predicateBuiltins[node.name] as PredicateCall;
    return (run) => {
      const value = array(run);
      const items = isMap(value) ? Object.values(value) : value;
      if (!Array.isArray(items)) this.fail(`${node.name}() needs an array, not ${typeName(items)}`, node);
      const each = body
        ? (item: unknown, index: number) => {
            const outer = { item: run.item, index: run.index };
            run.item = item;
            run.index = index;
            try {
              return body(run) ?? null;
            } finally {
              run.item = outer.item;
              run.index = outer.index;
            }
          }
        : undefined;
      return this.guarded(node, () =>
        builtin(
          items,
          each,
          more.map((arg) => arg(run)),
          run,
        ),
      );
    };
  }

  /** Gives faults of builtins and functions the position of their call. */
  private guarded(node: Node, work: () => unknown): unknown {
    try {
      return work();
    } catch (thrown) {
      if (thrown === CUT || thrown instanceof ExpressionError || thrown instanceof UnimplementedError) throw thrown;
      throw new ExpressionError((thrown as Error).message, this.source, node.at, { cause: thrown });
    }
  }
}

function define(map: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(map, key, { value, enumerable: true, writable: true, configurable: true });
}

/** Binary operators; undefined means that the operand types do not fit. */
const operators: Readonly<Record<string, (a: unknown, b: unknown, run: Run) => unknown>> = {
  "==": (a, b) => equal(a, b),
  "!=": (a, b) => !equal(a, b),
  "<": (a, b) => ordered(a, b, (order) => order < 0),
  ">": (a, b) => ordered(a, b, (order) => order > 0),
  "<=": (a, b) => ordered(a, b, (order) => order <= 0),
  ">=": (a, b) => ordered(a, b, (order) => order >= 0),
  "+": (a, b, run) => {
    if (typeof a === "number" && typeof b === "number") return a + b;
    if (typeof a === "string" && typeof b === "string") {
      run.charge((a.length + b.length) / 16);
      return a + b;
    }
    if (a instanceof Date && b instanceof Duration) return new Date(a.getTime() + b.milliseconds);
    if (a instanceof Duration && b instanceof Date) return new Date(b.getTime() + a.milliseconds);
    if (a instanceof Duration && b instanceof Duration) return new Duration(a.nanoseconds + b.nanoseconds);
    return undefined;
  },
  "-": (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    if (a instanceof Date && b instanceof Date) return new Duration((a.getTime() - b.getTime()) * 1e6);
    if (a instanceof Date && b instanceof Duration) return new Date(a.getTime() - b.milliseconds);
    if (a instanceof Duration && b instanceof Duration) return new Duration(a.nanoseconds - b.nanoseconds);
    return undefined;
  },
  "*": (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a * b;
    if (a instanceof Duration && typeof b === "number") return new Duration(a.nanoseconds * b);
    if (typeof a === "number" && b instanceof Duration) return new Duration(a * b.nanoseconds);
    return undefined;
  },
  "/": (a, b) => numbers(a, b, (x, y) => x / y),
  "%": (a, b) => numbers(a, b, (x, y) => (y === 0 ? undefined : x % y)),
  "**": (a, b) => numbers(a, b, (x, y) => x ** y),
  "^": (a, b) => numbers(a, b, (x, y) => x ** y),
  "..": (a, b, run) =>
    numbers(a, b, (from, to) => {
      const length = Math.max(0, to - from + 1);
      run.charge(length);
      return Array.from({ length }, (_, index) => from + index);
    }),
  contains: (a, b, run) => texts(a, b, run, (x, y) => x.includes(y)),
  startsWith: (a, b, run) => texts(a, b, run, (x, y) => x.startsWith(y)),
  endsWith: (a, b, run) => texts(a, b, run, (x, y) => x.endsWith(y)),
  in: (a, b, run) => {
    if (b === null) return false;
    if (isMap(b)) return typeof a === "string" && Object.hasOwn(b, a);
    if (!Array.isArray(b)) return undefined;
    run.charge(b.length);
    return b.some((item) => equal(a, item));
  },
};

const numbers = (a: unknown, b: unknown, apply: (x: number, y: number) => unknown) =>
  typeof a === "number" && typeof b === "number" ? apply(a, b) : undefined;

function texts(a: unknown, b: unknown, run: Run, apply: (x: string, y: string) => boolean): boolean | undefined {
  if (a === null || b === null) return false;
  if (typeof a !== "string" || typeof b !== "string") return undefined;
  run.charge((a.length + b.length) / 16);
  return apply(a, b);
}

function ordered(a: unknown, b: unknown, decide: (order: number) => boolean): boolean | undefined {
  if (typeof a === "number" && typeof b === "number")
    return Number.isNaN(a) || Number.isNaN(b) ? false : decide(a - b || (a === b ? 0 : a < b ? -1 : 1));
  if (typeof a === "string" && typeof b === "string") return decide(a < b ? -1 : a > b ? 1 : 0);
  if (a instanceof Date && b instanceof Date) return decide(a.getTime() - b.getTime());
  if (a instanceof Duration && b instanceof Duration) return decide(a.nanoseconds - b.nanoseconds);
  return undefined;
}
