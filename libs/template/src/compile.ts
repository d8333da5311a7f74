import { validate } from "./arguments.js";
import type {
  BranchNode,
  CommandNode,
  ListNode,
  Node,
  NumberNode,
  PipeNode,
  TemplateNode,
  VariableNode,
} from "./ast.js";
import { show } from "./ast.js";
import { ExecError, OutOfFuelError } from "./errors.js";
import { fieldOf, methodOf } from "./fields.js";
import { formatValue } from "./fmt.js";
import type { Tree } from "./parser.js";
import { iterate } from "./range.js";
import {
  type CompiledTemplate,
  type Eval,
  type Exec,
  type FunctionTable,
  type GoFunction,
  type State,
  TEMPLATE_WEIGHT,
} from "./state.js";
import { quote } from "./strconv.js";
import { GoFunc, GoInt, GoStruct, type GoValue, int, isTrue, type ParamType, paramTypeName, typeOf } from "./values.js";

/** Compiles a definition to closures that can run any number of times. */
export function compile(tree: Tree, functions: FunctionTable): CompiledTemplate {
  let run: Exec | undefined;
  return {
    name: tree.name,
    slots: tree.slots,
    run(state, vars, dot) {
      run ??= new Compiler(functions).list(tree.root);
      return run(state, vars, dot);
    },
  };
}

const isConstant = (node: Node) => node.type === "bool" || node.type === "number" || node.type === "string";

class Compiler {
  constructor(private readonly functions: FunctionTable) {}

  list(list: ListNode): Exec {
    const parts = list.nodes.map((node) => this.node(node));
    if (parts.length === 0) return () => 0;
    if (parts.length === 1) return parts[0]!;
    return (state, vars, dot) => {
      for (let i = 0; i < parts.length; i++) {
        const signal = parts[i]!(state, vars, dot);
        if (signal !== 0) return signal;
      }
      return 0;
    };
  }

  private node(node: Node): Exec {
    switch (node.type) {
      case "text": {
        const { text } = node;
        return (state) => {
          state.write(text);
          return 0;
        };
      }
      case "action": {
        const value = this.pipe(node.pipe);
        if (node.pipe.decl.length > 0) {
          return (state, vars, dot) => {
            state.step();
            state.node = node;
            value(state, vars, dot);
            return 0;
          };
        }
        return (state, vars, dot) => {
          state.step();
          state.node = node;
          const result = value(state, vars, dot);
          state.node = node;
          state.write(typeof result === "string" ? result : printed(state, node, result));
          return 0;
        };
      }
      case "if":
      case "with":
        return this.branch(node);
      case "range":
        return this.range(node);
      case "template":
        return this.template(node);
      case "break":
        return () => 1;
      case "continue":
        return () => 2;
      case "list":
        return this.list(node);
      default:
        return (state) => state.fail(`unknown node: ${show(node)}`);
    }
  }

  private branch(node: BranchNode): Exec {
    const value = this.pipe(node.pipe);
    const then = this.list(node.list);
    const otherwise = node.elseList ? this.list(node.elseList) : undefined;
    const isWith = node.type === "with";
    return (state, vars, dot) => {
      state.step();
      state.node = node;
      const result = value(state, vars, dot);
      const chosen = isTrue(result) ? then : otherwise;
      if (!chosen) return 0;
      state.enter(1);
      const signal = chosen(state, vars, isWith && chosen === then ? result : dot);
      state.depth--;
      return signal;
    };
  }

  private range(node: BranchNode): Exec {
    const value = this.pipe(node.pipe, false);
    const body = this.list(node.list);
    const otherwise = node.elseList ? this.list(node.elseList) : undefined;
    const { decl, assign } = node.pipe;
    const first = decl[0];
    const second = decl[1];
    const check = (state: State, variable: VariableNode) => {
      if (variable.slot < 0) state.fail(`undefined variable: ${variable.ident[0]}`);
      return variable.slot;
    };
    return (state, vars, dot) => {
      state.step();
      state.node = node;
      const collection = value(state, vars, dot);
      if (!assign) for (const variable of decl) vars[variable.slot] = collection;
      else for (const variable of decl) vars[check(state, variable)] = collection;
      let signal: 0 | 1 | 2 = 0;
      state.enter(1);
      const ran = iterate(state, collection, decl.length, (key, element) => {
        state.step();
        if (second) {
          vars[first!.slot] = key;
          vars[second.slot] = element;
        } else if (first) vars[first.slot] = element;
        signal = body(state, vars, element);
        return signal === 1;
      });
      state.depth--;
      if (ran || !otherwise) return 0;
      return otherwise(state, vars, dot);
    };
  }

  private template(node: TemplateNode): Exec {
    const value = node.pipe ? this.pipe(node.pipe) : undefined;
    return (state, vars, dot) => {
      state.step();
      state.node = node;
      const template = state.set.find(node.name);
      if (!template) return state.fail(`template ${quote(node.name)} not defined`);
      const next = value ? value(state, vars, dot) : undefined;
      const inner = new Array<GoValue>(template.slots);
      inner[0] = next;
      const outer = state.template;
      state.template = template.name;
      state.enter(TEMPLATE_WEIGHT);
      template.run(state, inner, next);
      state.depth -= TEMPLATE_WEIGHT;
      state.template = outer;
      return 0;
    };
  }

  /** The value of a pipeline; `declare` also gives it to the pipeline's variables. */
  pipe(pipe: PipeNode, declare = true): Eval {
    let value = this.command(pipe.commands[0]!, undefined);
    const first = value;
    if (pipe.commands.length === 1) {
      value = (state, vars, dot) => {
        state.node = pipe;
        const result = first(state, vars, dot);
        return result === null ? undefined : result;
      };
    } else {
      let chain: Eval = (state, vars, dot) => {
        state.node = pipe;
        return first(state, vars, dot) ?? undefined;
      };
      for (const command of pipe.commands.slice(1)) {
        const before = chain;
        const stage = this.command(command, before);
        chain = (state, vars, dot) => stage(state, vars, dot) ?? undefined;
      }
      value = chain;
    }
    if (!declare || pipe.decl.length === 0) return value;
    const source = value;
    const slots = pipe.decl.map(({ slot, ident }) => ({ slot, name: ident[0] }));
    return (state, vars, dot) => {
      const result = source(state, vars, dot);
      for (const { slot, name } of slots) {
        if (slot < 0) state.fail(`undefined variable: ${name}`);
        vars[slot] = result;
      }
      return result;
    };
  }

  /** One stage of a pipeline; `final` computes the value of the stages before it, the last argument. */
  private command(command: CommandNode, final: Eval | undefined): Eval {
    const first = command.args[0]!;
    const rest = command.args.slice(1);
    switch (first.type) {
      case "field":
        return this.chain(first, () => undefined, first.ident, 0, rest, final, "dot");
      case "chain":
        return this.chainNode(first, rest, final);
      case "identifier":
        return this.call(first.name, command, first, rest, final);
      case "variable":
        return this.variable(first, rest, final);
      case "pipe": {
        const inner = this.pipe(first);
        return this.notAFunction(first, rest, final, inner);
      }
    }
    return this.notAFunction(first, rest, final, this.constant(first));
  }

  private notAFunction(first: Node, rest: readonly Node[], final: Eval | undefined, value: Eval): Eval {
    if (rest.length === 0 && !final) return value;
    return (state, vars, dot) => {
      final?.(state, vars, dot);
      if (first.type !== "pipe" && first.type !== "variable") state.node = first;
      return state.fail(`can't give argument to non-function ${show(first)}`);
    };
  }

  private constant(node: Node): Eval {
    switch (node.type) {
      case "bool":
      case "string": {
        const value = node.type === "bool" ? node.value : node.text;
        return (state) => {
          state.node = node;
          return value;
        };
      }
      case "dot":
        return (state, _vars, dot) => {
          state.node = node;
          return dot;
        };
      case "number": {
        const value = idealConstant(node);
        return (state) => {
          state.node = node;
          return value ?? state.fail(`${node.text} overflows int`);
        };
      }
      case "nil":
        return (state) => {
          state.node = node;
          return state.fail("nil is not a command");
        };
      default:
        return (state) => state.fail(`can't evaluate command ${quote(show(node))}`);
    }
  }

  private variable(node: VariableNode, rest: readonly Node[], final: Eval | undefined): Eval {
    const { slot } = node;
    if (node.ident.length === 1) {
      const value: Eval = (state, vars) => {
        state.node = node;
        return vars[slot];
      };
      return this.notAFunction(node, rest, final, value);
    }
    return this.chain(node, (_state, vars) => vars[slot], node.ident, 1, rest, final, "value");
  }

  private chainNode(node: Node & { type: "chain" }, rest: readonly Node[], final: Eval | undefined): Eval {
    if (node.node.type === "nil") {
      return (state) => {
        state.node = node;
        return state.fail(`indirection through explicit nil in ${show(node)}`);
      };
    }
    // An invalid value stays one: the fields of a parenthesized nil are nil, too.
    const inner = node.node;
    const receiver =
      inner.type === "pipe"
        ? this.pipe(inner)
        : inner.type === "identifier"
          ? this.call(inner.name, inner, inner, [], undefined)
          : this.argument("any", inner);
    return this.chain(node, receiver, node.field, 0, rest, final, "value");
  }

  /** `.a.b.c`, `$x.a.b`, `(…).a`: fields or methods, the last with arguments. */
  private chain(
    node: Node,
    receiver: Eval,
    ident: readonly string[],
    from: number,
    rest: readonly Node[],
    final: Eval | undefined,
    base: "dot" | "value",
  ): Eval {
    const last = ident.length - 1;
    const call = rest.length > 0 || final ? this.methodCall(ident[last]!, node, rest, final) : undefined;
    if (base === "dot" && !call && last === 0) {
      const name = ident[0]!;
      return (state, _vars, dot) => {
        state.node = node;
        return field(state, dot, name, node, false);
      };
    }
    return (state, vars, dot) => {
      // The stages before come first, as their value is there before this one is looked at.
      const piped = final?.(state, vars, dot);
      state.node = node;
      let value = base === "dot" ? dot : receiver(state, vars, dot);
      const end = call ? last : last + 1;
      for (let i = from; i < end; i++) value = field(state, value, ident[i]!, node, i > from);
      return call ? call(state, vars, dot, value, piped) : value;
    };
  }

  private methodCall(name: string, node: Node, rest: readonly Node[], final: Eval | undefined) {
    const compiled = new Map<readonly ParamType[], Prepared>();
    return (state: State, vars: GoValue[], dot: GoValue, receiver: GoValue, piped: GoValue): GoValue => {
      if (receiver === undefined) return undefined;
      const found = methodOf(receiver, name);
      if (!found) return fieldOf(state, receiver, name, true, false);
      const { method, bound } = found;
      let prepared = compiled.get(method.params);
      if (!prepared) {
        prepared = this.prepare(
          name,
          { params: method.params, variadic: method.variadic ?? false, call: () => null },
          rest,
          final !== undefined,
        );
        compiled.set(method.params, prepared);
      }
      const args = prepared(state, vars, dot, piped);
      return invoke(state, name, node, () =>
        (method.call as (...all: GoValue[]) => GoValue)(...(bound ? args : [receiver, ...args])),
      );
    };
  }

  private call(name: string, command: Node, at: Node, rest: readonly Node[], final: Eval | undefined): Eval {
    const fn = this.functions.get(name);
    if (!fn) {
      return (state) => {
        state.node = at;
        return state.fail(`${quote(name)} is not a defined function`);
      };
    }
    if (name === "and" || name === "or") return this.shortCircuit(name, at, rest, final);
    if (name === "call") return this.callValue(command, at, rest, final);
    const prepared = this.prepare(name, fn, rest, final !== undefined);
    const { call } = fn;
    return (state, vars, dot) => {
      const piped = final?.(state, vars, dot);
      state.node = at;
      const args = prepared(state, vars, dot, piped);
      try {
        return call(args, state);
      } catch (error) {
        return failed(state, name, command, error);
      }
    };
  }

  private shortCircuit(name: "and" | "or", at: Node, rest: readonly Node[], final: Eval | undefined): Eval {
    const args = rest.map((arg) => this.argument("value", arg));
    const stopAt = name === "or";
    return (state, vars, dot) => {
      const piped = final?.(state, vars, dot);
      state.node = at;
      if (args.length === 0 && !final) return state.fail(`wrong number of args for ${name}: want at least 1 got 0`);
      let value: GoValue;
      for (const arg of args) {
        value = arg(state, vars, dot);
        if (isTrue(value) === stopAt) return value;
      }
      return final ? piped : value;
    };
  }

  private callValue(command: Node, at: Node, rest: readonly Node[], final: Eval | undefined): Eval {
    const args = rest.map((arg) => this.argument("value", arg));
    const callee = rest[0] ? show(rest[0]) : "";
    return (state, vars, dot) => {
      const piped = final?.(state, vars, dot);
      state.node = at;
      if (args.length === 0 && !final) return state.fail("wrong number of args for call: want at least 1 got 0");
      const values = args.map((arg) => arg(state, vars, dot));
      if (final) values.push(piped);
      const [fn, ...given] = values;
      return invoke(state, "call", command, () => {
        if (fn === null || fn === undefined) throw new Error("call of nil");
        if (!(fn instanceof GoFunc)) throw new Error(`non-function ${callee} of type ${typeOf(fn)}`);
        const { params, variadic } = fn;
        if (variadic ? given.length < params.length - 1 : given.length !== params.length) {
          throw new Error(
            `wrong number of args for ${callee}: got ${given.length} want ${variadic ? `at least ${params.length - 1}` : params.length}`,
          );
        }
        return (fn.call as (...all: GoValue[]) => GoValue)(
          ...given.map((value, index) => prepareArg(value, params[Math.min(index, params.length - 1)]!, index)),
        );
      });
    };
  }

  /** Evaluates and checks the arguments of a function. */
  private prepare(name: string, fn: GoFunction, rest: readonly Node[], piped: boolean): Prepared {
    const { params, variadic = false } = fn;
    const given = rest.length + (piped ? 1 : 0);
    const fixed = variadic ? params.length - 1 : params.length;
    if (variadic ? given < fixed : given !== fixed) {
      const message = variadic
        ? `wrong number of args for ${name}: want at least ${fixed} got ${rest.length}`
        : `wrong number of args for ${name}: want ${fixed} got ${given}`;
      return (state) => state.fail(message);
    }
    const typeAt = (index: number): ParamType => params[Math.min(index, params.length - 1)]!;
    const args = rest.map((arg, index) => this.argument(typeAt(index), arg));
    if (!piped) {
      if (args.length === 0) return () => [];
      if (args.length === 1) {
        const only = args[0]!;
        return (state, vars, dot) => [only(state, vars, dot)];
      }
      return (state, vars, dot) => {
        const values = new Array<GoValue>(args.length);
        for (let i = 0; i < args.length; i++) values[i] = args[i]!(state, vars, dot);
        return values;
      };
    }
    const last = typeAt(given - 1);
    if (args.length === 0) return (state, _vars, _dot, value) => [validate(state, value, last, false)];
    return (state, vars, dot, value) => {
      const values = new Array<GoValue>(given);
      for (let i = 0; i < args.length; i++) values[i] = args[i]!(state, vars, dot);
      values[args.length] = validate(state, value, last, false);
      return values;
    };
  }

  /** One argument, checked against the parameter's type. */
  private argument(type: ParamType, node: Node): Eval {
    switch (node.type) {
      case "dot":
        return (state, _vars, dot) => {
          state.node = node;
          return validate(state, dot, type, false);
        };
      case "nil":
        return (state) => {
          state.node = node;
          if (type === "any" || type === "value" || type === "map" || type === "list") return null;
          return state.fail(`cannot assign nil to ${paramTypeName[type]}`);
        };
      case "field":
      case "chain":
      case "variable": {
        const value =
          node.type === "field"
            ? this.chain(node, () => undefined, node.ident, 0, [], undefined, "dot")
            : node.type === "chain"
              ? this.chainNode(node, [], undefined)
              : this.variable(node, [], undefined);
        if (type === "any" || type === "value") {
          return (state, vars, dot) => {
            state.node = node;
            return value(state, vars, dot) ?? null;
          };
        }
        return (state, vars, dot) => {
          state.node = node;
          return validate(state, value(state, vars, dot), type, true);
        };
      }
      case "pipe": {
        const value = this.pipe(node);
        return (state, vars, dot) => validate(state, value(state, vars, dot), type, false);
      }
      case "identifier": {
        const value = this.call(node.name, node, node, [], undefined);
        return (state, vars, dot) => validate(state, value(state, vars, dot), type, true);
      }
    }
    return this.constantArgument(type, node);
  }

  private constantArgument(type: ParamType, node: Node): Eval {
    const expected =
      (what: string): Eval =>
      (state) => {
        state.node = node;
        return state.fail(`expected ${what}; found ${show(node)}`);
      };
    const given =
      (value: GoValue): Eval =>
      (state) => {
        state.node = node;
        return value;
      };
    if (!isConstant(node))
      return (state) => state.fail(`can't handle ${show(node)} for arg of type ${paramTypeName[type]}`);
    switch (type) {
      case "bool":
        return node.type === "bool" ? given(node.value) : expected("bool");
      case "string":
        return node.type === "string" ? given(node.text) : expected("string");
      case "float64":
        return node.type === "number" && node.float !== undefined ? given(node.float) : expected("float");
      case "int":
        return node.type === "number" && node.int !== undefined ? given(Number(node.int)) : expected("integer");
      case "int64":
        return node.type === "number" && node.int !== undefined ? given(node.int) : expected("integer");
      case "uint32":
        return node.type === "number" && node.uint !== undefined
          ? given(Number(node.uint))
          : expected("unsigned integer");
      case "any":
      case "value":
        return this.constant(node);
      default:
        return (state) => {
          state.node = node;
          return state.fail(`can't handle ${show(node)} for arg of type ${paramTypeName[type]}`);
        };
    }
  }
}

type Prepared = (state: State, vars: GoValue[], dot: GoValue, piped: GoValue) => GoValue[];

function idealConstant(node: NumberNode): GoValue {
  const hex = /^0[xX]/.test(node.text) && !/[pP]/.test(node.text);
  if (node.float !== undefined && !hex && node.text[0] !== "'" && /[.eEpP]/.test(node.text)) return node.float;
  if (node.int === undefined) return undefined;
  return node.int >= 0n && node.int < 1024n ? int(Number(node.int)) : new GoInt(node.int);
}

/** A field or a method without arguments. */
function field(state: State, receiver: GoValue, name: string, node: Node, viaInterface: boolean): GoValue {
  if (receiver instanceof Map && receiver.constructor === Map) {
    const value = receiver.get(name);
    return value === undefined
      ? state.missingKey === "zero"
        ? null
        : fieldOf(state, receiver, name, false, viaInterface)
      : value;
  }
  if (receiver === undefined) {
    if (state.missingKey === "error") state.fail(`nil data; no entry for key ${quote(name)}`);
    return undefined;
  }
  const found = methodOf(receiver, name);
  if (!found) return fieldOf(state, receiver, name, false, viaInterface);
  const { method, bound } = found;
  if (method.params.length > (method.variadic ? 1 : 0)) {
    state.fail(`wrong number of args for ${name}: want ${method.params.length} got 0`);
  }
  return invoke(state, name, node, () => (method.call as (...all: GoValue[]) => GoValue)(...(bound ? [] : [receiver])));
}

function invoke(state: State, name: string, node: Node, call: () => GoValue): GoValue {
  try {
    return call();
  } catch (error) {
    return failed(state, name, node, error);
  }
}

function failed(state: State, name: string, node: Node, error: unknown): never {
  if (error instanceof OutOfFuelError) throw error;
  if (error instanceof RangeError && /call stack|Invalid (?:string|array) length/.test(error.message)) {
    state.stop(/call stack/.test(error.message) ? "templates call each other too deeply" : "a value is too large");
  }
  if (error instanceof TypeError || error instanceof ReferenceError) throw error;
  state.node = node;
  const text = error instanceof Error ? error.message : String(error);
  return state.fail(
    `error calling ${name}: ${text}`,
    error instanceof ExecError || error instanceof Error ? error : undefined,
  );
}

function prepareArg(value: GoValue, type: ParamType, index: number): GoValue {
  if (type === "any" || type === "value") return value ?? null;
  if (value === null || value === undefined) {
    if (type === "map" || type === "list") return null;
    throw new Error(`arg ${index}: value is nil; should be of type ${paramTypeName[type]}`);
  }
  if (type === "string" && typeof value === "string") return value;
  if (type === "bool" && typeof value === "boolean") return value;
  if (type === "float64" && typeof value === "number") return value;
  if (value instanceof GoInt && type === "int") return Number(value.v);
  if (value instanceof GoInt && type === "int64") return value.v;
  if (type === "map" && value instanceof Map) return value;
  if (type === "list" && Array.isArray(value)) return value;
  throw new Error(`arg ${index}: value has type ${typeOf(value)}; should be ${paramTypeName[type]}`);
}

function printed(state: State, node: Node, value: GoValue): string {
  if (value === undefined || value === null) return "<no value>";
  if (value instanceof GoFunc) return state.fail(`can't print ${show(node)} of type ${typeOf(value)}`);
  if (value instanceof GoStruct) {
    if (value.options.addressable) return value.options.addressable();
    if (value.options.pointer) {
      return value.options.text?.() ?? formatValue(new GoStruct(value.typeName, value.fields));
    }
  }
  return formatValue(value);
}
