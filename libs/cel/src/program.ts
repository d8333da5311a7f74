import type { CallExpr, Expr, Literal, LoopExpr } from "./ast.js";
import { ACCUMULATOR } from "./ast.js";
import type { Checked } from "./checker.js";
import { namedType } from "./checker.js";
import { CelBudgetError, fail } from "./errors.js";
import { kubernetes } from "./functions/kubernetes.js";
import { lists, optionalLookup } from "./functions/lists.js";
import { display, type Implementation, index, noOverload, standard } from "./functions/standard.js";
import { strings } from "./functions/strings.js";
import type { Meter } from "./meter.js";
import { callCost } from "./runtime-cost.js";
import { CelList, CelMap, Optional, TypeValue, typeName, Uint, type Value, ValueList, ValueMap } from "./values.js";

/** Where a run keeps its variables. */
interface Frame {
  readonly bindings: Readonly<Record<string, Value | undefined>>;
  readonly locals: Value[];
  readonly meter: Meter;
}
export type Step = (frame: Frame) => Value;

const implementations: Readonly<Record<string, Implementation>> = { ...standard, ...strings, ...lists, ...kubernetes };

/** A checked expression as closures. */
export function compileSteps(checked: Checked): Step {
  return new Compiler(checked).step(checked.expr);
}

class Compiler {
  private readonly slots: string[] = [];

  constructor(private readonly checked: Checked) {}

  step(expr: Expr): Step {
    switch (expr.is) {
      case "literal": {
        const value = literalValue(expr.value);
        return () => value;
      }
      case "ident":
        return this.variable(expr.name);
      case "select": {
        const name = this.checked.names.get(expr.id);
        if (name !== undefined) return this.variable(name);
        return expr.test
          ? this.hasField(this.step(expr.operand), expr.field)
          : this.field(this.step(expr.operand), expr.field);
      }
      case "call":
        return this.call(expr);
      case "list": {
        const elements = expr.elements.map((element) => this.step(element));
        const { optional } = expr;
        return (frame) => {
          frame.meter.spend(10);
          const items: Value[] = [];
          for (const [at, element] of elements.entries()) {
            const value = element(frame);
            if (!optional.has(at)) items.push(value);
            else if (!(value instanceof Optional))
              return fail(`cannot initialize optional list element from non-optional value ${display(value)}`);
            else if (value.value !== undefined) items.push(value.value);
          }
          return new ValueList(items);
        };
      }
      case "map": {
        const entries = expr.entries.map(({ key, value, optional }) => ({
          key: this.step(key),
          value: this.step(value),
          optional,
        }));
        return (frame) => {
          frame.meter.spend(30);
          const map = new ValueMap();
          for (const entry of entries) {
            const key = entry.key(frame);
            let value = entry.value(frame);
            if (entry.optional) {
              if (!(value instanceof Optional))
                return fail(
                  `cannot initialize optional entry '${display(key)}' from non-optional value ${display(value)}`,
                );
              if (value.value === undefined) continue;
              value = value.value;
            }
            map.set(key, value);
          }
          return map;
        };
      }
      case "struct":
        return () => fail(`unknown type: ${expr.type}`);
      case "loop":
        return this.loop(expr);
      case "bind": {
        const init = this.step(expr.init);
        const slot = this.slots.push(expr.variable) - 1;
        const result = this.step(expr.result);
        this.slots.pop();
        return (frame) => {
          frame.meter.spend(10);
          frame.locals[slot] = init(frame);
          return result(frame);
        };
      }
    }
  }

  private variable(name: string): Step {
    const slot = this.slots.lastIndexOf(name);
    if (slot >= 0) {
      return ({ locals, meter }) => {
        meter.spend(1);
        return locals[slot]!;
      };
    }
    const type = namedType(name);
    return ({ bindings, meter }) => {
      meter.spend(1);
      const value = bindings[name];
      if (value !== undefined) return value;
      return type === undefined ? fail(`no such attribute(s): ${name}`) : new TypeValue(type);
    };
  }

  private field(operand: Step, field: string): Step {
    return (frame) => {
      const value = operand(frame);
      frame.meter.spend(1);
      if (value instanceof Optional) return optionalLookup(value, field);
      if (!(value instanceof CelMap)) return noOverload();
      return value.get(field) ?? value.get(`__${field}__`) ?? fail(`no such key: ${field}`);
    };
  }

  private hasField(operand: Step, field: string): Step {
    return (frame) => {
      let value = operand(frame);
      if (value instanceof Optional) {
        if (value.value === undefined) return false;
        value = value.value;
      }
      if (!(value instanceof CelMap)) return noOverload();
      return value.get(field) !== undefined || value.get(`__${field}__`) !== undefined;
    };
  }

  private call(expr: CallExpr): Step {
    const name = this.checked.names.get(expr.id);
    const fn = name ?? expr.fn;
    const given = name === undefined && expr.target !== undefined ? [expr.target, ...expr.args] : expr.args;
    const args = given.map((arg) => this.step(arg));
    const [a, b, c] = args as [Step, Step, Step];
    switch (fn) {
      case "_&&_":
        return logical(a, b, false);
      case "_||_":
        return logical(a, b, true);
      case "_?_:_":
        return (frame) => {
          const condition = a(frame);
          if (typeof condition !== "boolean") return noOverload();
          return condition ? b(frame) : c(frame);
        };
      case "_[_]":
        return (frame) => {
          const container = a(frame);
          const key = b(frame);
          frame.meter.spend(1);
          return container instanceof Optional ? optionalLookup(container, key) : index(container, key);
        };
      case "_?._":
        return (frame) => {
          const container = a(frame);
          frame.meter.spend(1);
          return optionalLookup(container, b(frame));
        };
      case "or":
      case "orValue":
        return (frame) => {
          const optional = a(frame);
          if (!(optional instanceof Optional)) return noOverload(fn, optional);
          frame.meter.spend(1);
          if (optional.value === undefined) return b(frame);
          return fn === "or" ? optional : optional.value;
        };
    }
    const overloads = this.checked.overloads.get(expr.id) ?? [];
    const overload = overloads.length === 1 ? overloads[0] : undefined;
    const run = implementations[fn] ?? (() => fail(`no such function: ${fn}`));
    if (args.length === 1) {
      return (frame) => {
        const value = a(frame);
        const result = run(value);
        frame.meter.spend(callCost(fn, overload, [value], result));
        return result;
      };
    }
    return (frame) => {
      const values = args.map((arg) => arg(frame));
      const result = run(...values);
      frame.meter.spend(callCost(fn, overload, values, result));
      return result;
    };
  }

  private loop(expr: LoopExpr): Step {
    const range = this.step(expr.range);
    const before = this.slots.length;
    this.slots.push(ACCUMULATOR);
    const first = this.slots.push(expr.variable) - 1;
    const second = expr.variable2 === undefined ? -1 : this.slots.push(expr.variable2) - 1;
    const body = expr.body.map((part) => this.step(part));
    this.slots.length = before;
    const walk = (frame: Frame, visit: (frame: Frame) => boolean): void => {
      const container = range(frame);
      const { locals } = frame;
      if (container instanceof CelList) {
        for (let at = 0; at < container.size; at++) {
          if (second < 0) locals[first] = container.at(at);
          else {
            locals[first] = BigInt(at);
            locals[second] = container.at(at);
          }
          if (!visit(frame)) return;
        }
      } else if (container instanceof CelMap) {
        for (const key of container.keys()) {
          locals[first] = key;
          if (second >= 0) locals[second] = container.get(key)!;
          if (!visit(frame)) return;
        }
      } else fail(`unsupported comprehension range type: ${typeName(container)}`);
    };
    return loopStep(expr.macro, walk, body, first);
  }
}

type Walk = (frame: Frame, visit: (frame: Frame) => boolean) => void;

/** Runs a macro. What each turn costs is what the loop that the macro stands for would cost. */
function loopStep(macro: LoopExpr["macro"], walk: Walk, body: readonly Step[], variable: number): Step {
  const [first, second] = body as [Step, Step | undefined];
  const condition = (frame: Frame): boolean => {
    const value = first(frame);
    return typeof value === "boolean" ? value : noOverload();
  };
  switch (macro) {
    case "all":
    case "exists": {
      // One element can decide although another one failed.
      const decisive = macro === "exists";
      return (frame) => {
        let failure: unknown;
        let decided = false;
        walk(frame, () => {
          frame.meter.spend(macro === "all" ? 3 : 4);
          try {
            decided = condition(frame) === decisive;
          } catch (error) {
            if (error instanceof CelBudgetError) throw error;
            failure = error;
          }
          return !decided;
        });
        frame.meter.spend(1);
        if (decided) return decisive;
        if (failure !== undefined) throw failure;
        return !decisive;
      };
    }
    case "exists_one":
      return (frame) => {
        let count = 0;
        walk(frame, () => {
          frame.meter.spend(1);
          if (condition(frame)) {
            count++;
            frame.meter.spend(1);
          }
          return true;
        });
        frame.meter.spend(2);
        return count === 1;
      };
    case "filter":
      return (frame) => {
        const items: Value[] = [];
        frame.meter.spend(11);
        walk(frame, () => {
          const item = frame.locals[variable]!;
          frame.meter.spend(1);
          if (condition(frame)) {
            items.push(item);
            frame.meter.spend(12);
          }
          return true;
        });
        return new ValueList(items);
      };
    case "map":
    case "transformList":
      return (frame) => {
        const items: Value[] = [];
        frame.meter.spend(11);
        walk(frame, () => {
          frame.meter.spend(1);
          if (second !== undefined && !condition(frame)) return true;
          items.push((second ?? first)(frame));
          frame.meter.spend(11);
          return true;
        });
        return new ValueList(items);
      };
    case "transformMap":
    case "transformMapEntry":
      return (frame) => {
        const map = new ValueMap();
        frame.meter.spend(31);
        walk(frame, () => {
          const key = frame.locals[variable]!;
          frame.meter.spend(2);
          if (second !== undefined && !condition(frame)) return true;
          const value = (second ?? first)(frame);
          frame.meter.spend(1);
          const entries: [Value, Value][] =
            macro === "transformMap"
              ? [[key, value]]
              : value instanceof CelMap
                ? [...value.keys()].map((each) => [each, value.get(each)!])
                : noOverload();
          for (const [each, member] of entries) {
            if (!map.set(each, member)) return fail(`insert failed: key ${display(each)} already exists`);
          }
          return true;
        });
        return map;
      };
  }
}

/** `&&` and `||`: either side can decide, even when the other one fails. */
function logical(a: Step, b: Step, decisive: boolean): Step {
  return (frame) => {
    let failure: unknown;
    try {
      const left = a(frame);
      if (left === decisive) return decisive;
      if (typeof left !== "boolean") noOverload();
    } catch (error) {
      if (error instanceof CelBudgetError) throw error;
      failure = error;
    }
    const right = b(frame);
    if (right === decisive) return decisive;
    if (failure !== undefined) throw failure;
    return typeof right === "boolean" ? right : noOverload();
  };
}

function literalValue(value: Literal): Value {
  if (value !== null && typeof value === "object" && "uint" in value) return new Uint(value.uint);
  return value as Value;
}
