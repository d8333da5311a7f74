import type { Assertion, Bind, CompClause, Field, Node, Param } from "./ast.js";
import { JsonnetRuntimeError, JsonnetSyntaxError, type Place } from "./errors.js";
import { operations, toText, unaryOperations } from "./operators.js";
import { sliceOf } from "./slices.js";
import {
  type Code,
  Env,
  type FieldOf,
  force,
  JFunction,
  JObject,
  type Layer,
  type LazyCode,
  type ParamOf,
  type Slot,
  TailCall,
  Thunk,
  typeOf,
  type Value,
} from "./values.js";

/** Names that are known at a place of the program, each with its slot; scopes are as nested as environments are. */
interface Scope {
  readonly names: Map<string, number>;
  readonly up: Scope | undefined;
}

/** What the program's surroundings give to it. */
export interface Surroundings {
  readonly file: string;
  /** The slot of `std`, the only name that is known from the start. */
  readonly std: JObject;
  readonly load: (from: string, path: string, kind: "import" | "importstr" | "importbin") => Slot;
}

/** Compiles a program; names are resolved here, so an unknown one is found without running. */
export function compile(node: Node, surroundings: Surroundings): Code {
  return new Compiler(surroundings).code(node, { names: new Map([["std", 0]]), up: undefined });
}

/** Adds the place to an error that passes it. */
function located(error: unknown, place: Place): unknown {
  return error instanceof JsonnetRuntimeError ? error.at(place) : error;
}

function placed(place: Place, code: Code): Code {
  return (env) => {
    try {
      return code(env);
    } catch (error) {
      throw located(error, place);
    }
  };
}

const isConstant = (node: Node): boolean => node.type === "literal";

class Compiler {
  constructor(private readonly surroundings: Surroundings) {}

  /** Code for a value that is needed now. `tail`: the value is what a function gives back. */
  code(node: Node, scope: Scope, tail = false): Code {
    switch (node.type) {
      case "literal": {
        const { value } = node;
        return () => value;
      }
      case "self":
        return (env) => env.self as JObject;
      case "dollar":
        return this.variable("$", scope, node.place);
      case "variable":
        return this.variable(node.name, scope, node.place);
      case "array": {
        const items = node.items.map((item) => this.lazy(item, scope));
        return (env) => items.map((item) => item(env));
      }
      case "arrayComp":
        return this.arrayComprehension(node, scope);
      case "object":
        return this.object(node, scope);
      case "objectComp":
        return this.objectComprehension(node, scope);
      case "index":
        return this.index(node, scope);
      case "slice": {
        const parts = [node.target, node.from, node.to, node.step].map((part) => part && this.code(part, scope));
        return placed(node.place, (env) => {
          const [target, from, to, step] = parts.map((part) => (part ? part(env) : null));
          return sliceOf(env.machine, target as Value, from as Value, to as Value, step as Value);
        });
      }
      case "superIndex": {
        const key = this.code(node.key, scope);
        return placed(node.place, (env) => {
          const name = key(env);
          if (typeof name !== "string")
            throw new JsonnetRuntimeError(`field name must be a string, got ${typeOf(name)}`);
          const value = (env.self as JObject).getBelow(name, env.layer);
          if (value === undefined) throw new JsonnetRuntimeError(`field does not exist: ${name}`);
          return value;
        });
      }
      case "inSuper": {
        const key = this.code(node.key, scope);
        return placed(node.place, (env) => {
          const name = key(env);
          if (typeof name !== "string")
            throw new JsonnetRuntimeError(`field name must be a string, got ${typeOf(name)}`);
          return (env.self as JObject).hasBelow(name, env.layer);
        });
      }
      case "apply":
        return this.apply(node, scope, tail);
      case "binary":
        return this.binary(node, scope);
      case "unary": {
        const operand = this.code(node.operand, scope);
        const operation = unaryOperations[node.op];
        return placed(node.place, (env) => operation(operand(env)));
      }
      case "local":
        return this.local(node.binds, node.body, scope, tail);
      case "function": {
        const made = this.functionOf(node.params, node.body, scope, "");
        return made;
      }
      case "if": {
        const condition = this.code(node.condition, scope);
        const then = this.code(node.then, scope, tail);
        const otherwise = node.else ? this.code(node.else, scope, tail) : () => null;
        const { place } = node.condition;
        return (env) => {
          const decided = condition(env);
          if (decided === true) return then(env);
          if (decided === false) return otherwise(env);
          throw new JsonnetRuntimeError(`condition must be boolean, got ${typeOf(decided)}`).at(place);
        };
      }
      case "assert": {
        const check = this.assertion(node.assertion, scope);
        const body = this.code(node.body, scope, tail);
        return (env) => {
          check(env);
          return body(env);
        };
      }
      case "error": {
        const message = this.code(node.message, scope);
        return placed(node.place, (env) => {
          throw new JsonnetRuntimeError(toText(env.machine, message(env)));
        });
      }
      case "import": {
        const { kind, path, place } = node;
        const { file, load } = this.surroundings;
        let loaded: Slot | undefined;
        return placed(place, () => {
          loaded ??= load(file, path, kind);
          return force(loaded);
        });
      }
    }
  }

  /** Code for a value that may wait: constants and variables need no thunk of their own. */
  lazy(node: Node, scope: Scope): LazyCode {
    if (isConstant(node) || node.type === "function") return this.code(node, scope);
    if (node.type === "variable") return this.slot(node.name, scope, node.place);
    const code = this.code(node, scope);
    return (env) => new Thunk(code, env);
  }

  private slot(name: string, scope: Scope, place: Place): LazyCode {
    let depth = 0;
    for (let at: Scope | undefined = scope; at; at = at.up, depth++) {
      const slot = at.names.get(name);
      if (slot === undefined) continue;
      if (depth === 0) return (env) => env.slots[slot] as Slot;
      if (depth === 1) return (env) => (env.up as Env).slots[slot] as Slot;
      const hops = depth;
      return (env) => {
        let from = env;
        for (let hop = 0; hop < hops; hop++) from = from.up as Env;
        return from.slots[slot] as Slot;
      };
    }
    throw new JsonnetSyntaxError(place, `unknown variable: ${name}`);
  }

  private variable(name: string, scope: Scope, place: Place): Code {
    const slot = this.slot(name, scope, place);
    return (env) => {
      const found = slot(env);
      return found instanceof Thunk ? found.force() : found;
    };
  }

  private local(binds: readonly Bind[], body: Node, scope: Scope, tail: boolean): Code {
    const inner: Scope = { names: new Map(binds.map(({ name }, at) => [name, at])), up: scope };
    const bodies = binds.map((bind) => this.named(bind, inner));
    const code = this.code(body, inner, tail);
    return (env) => {
      const slots: Slot[] = [];
      const local = new Env(env.machine, slots, env, env.self, env.layer);
      // A variable may be bound to one that is bound after it, so each becomes a thunk unless it is there already.
      for (let at = 0; at < bodies.length; at++) slots[at] = (bodies[at] as LazyCode)(local);
      return code(local);
    };
  }

  /** Like `lazy`, but a function is told its name, and a variable is not looked up before all are bound. */
  private named({ name, body }: Pick<Bind, "name" | "body">, scope: Scope): LazyCode {
    if (body.type === "function") return this.functionOf(body.params, body.body, scope, name);
    if (body.type !== "variable") return this.lazy(body, scope);
    const code = this.code(body, scope);
    return (env) => new Thunk(code, env);
  }

  private functionOf(params: readonly Param[], body: Node, scope: Scope, name: string): Code {
    const inner: Scope = { names: new Map(params.map((param, at) => [param.name, at])), up: scope };
    const formal: ParamOf[] = params.map((param) => {
      if (!param.default) return { name: param.name };
      const code = this.code(param.default, inner);
      return { name: param.name, default: (env) => new Thunk(code, env) };
    });
    const code = this.code(body, inner, true) as (env: Env) => Value | TailCall;
    return (env) =>
      new JFunction(formal, name, (machine, slots) => code(new Env(machine, slots, env, env.self, env.layer)), env);
  }

  private apply(node: Node & { type: "apply" }, scope: Scope, tail: boolean): Code {
    const { place, tailstrict } = node;
    const target = this.code(node.target, scope);
    const positional = node.positional.map((arg) => this.lazy(arg, scope));
    const named = node.named.map(({ name, value }) => ({ name, code: this.lazy(value, scope) }));
    const count = positional.length;
    const prepare = (env: Env) => {
      const called = target(env);
      if (!(called instanceof JFunction)) {
        throw new JsonnetRuntimeError(`only functions can be called, got ${typeOf(called)}`);
      }
      const slots: Slot[] = new Array(count);
      for (let at = 0; at < count; at++) slots[at] = (positional[at] as LazyCode)(env);
      const others = named.length === 0 ? NONE : named.map(({ name, code }) => ({ name, slot: code(env) }));
      return { called, slots, others };
    };
    if (tailstrict && tail) {
      return placed(place, (env) => {
        const { called, slots, others } = prepare(env);
        return new TailCall(called, slots, others) as unknown as Value;
      });
    }
    return (env) => {
      try {
        const { called, slots, others } = prepare(env);
        return env.machine.call(called, slots, others, tailstrict);
      } catch (error) {
        throw located(error, place);
      }
    };
  }

  private binary(node: Node & { type: "binary" }, scope: Scope): Code {
    const { op, place } = node;
    const left = this.code(node.left, scope);
    const right = this.code(node.right, scope);
    if (op === "&&" || op === "||") {
      const decided = op === "||";
      const side = (value: Value): boolean => {
        if (typeof value === "boolean") return value;
        throw new JsonnetRuntimeError(`binary operator ${op} requires booleans, got ${typeOf(value)}`);
      };
      return placed(place, (env) => (side(left(env)) === decided ? decided : side(right(env))));
    }
    const operation = operations[op];
    return (env) => {
      try {
        return operation(env.machine, left(env), right(env));
      } catch (error) {
        throw located(error, place);
      }
    };
  }

  private index(node: Node & { type: "index" }, scope: Scope): Code {
    const { place, target, key } = node;
    if (
      target.type === "variable" &&
      target.name === "std" &&
      key.type === "literal" &&
      key.value === "thisFile" &&
      this.isRoot("std", scope)
    ) {
      const { file } = this.surroundings;
      return () => file;
    }
    const from = this.code(target, scope);
    const by = this.code(key, scope);
    return (env) => {
      try {
        return indexOf(from(env), by(env));
      } catch (error) {
        throw located(error, place);
      }
    };
  }

  /** True when a name means what it means at the start of the program. */
  private isRoot(name: string, scope: Scope): boolean {
    for (let at: Scope | undefined = scope; at; at = at.up) if (at.names.has(name)) return at.up === undefined;
    return false;
  }

  private assertion({ condition, message, place }: Assertion, scope: Scope): (env: Env) => null {
    const holds = this.code(condition, scope);
    const text = message && this.code(message, scope);
    return (env) => {
      try {
        const decided = holds(env);
        if (decided === true) return null;
        if (decided !== false) throw new JsonnetRuntimeError(`assertion must be boolean, got ${typeOf(decided)}`);
        throw new JsonnetRuntimeError(text ? toText(env.machine, text(env)) : "Object assertion failed.");
      } catch (error) {
        throw located(error, place);
      }
    };
  }

  /** The scope of an object's bodies: its locals, and `$` when no object is around it. */
  private inside(scope: Scope, locals: readonly Bind[]): { inner: Scope; bind?: (env: Env) => void } {
    const names = new Map(locals.map(({ name }, at) => [name, at]));
    const inner: Scope = { names, up: scope };
    const outermost = !this.knows("$", scope);
    if (outermost) names.set("$", locals.length);
    const bodies = locals.map((bind) => this.named(bind, inner));
    if (!outermost && bodies.length === 0) return { inner };
    return {
      inner,
      bind: (env) => {
        if (outermost) env.slots[bodies.length] = env.self as JObject;
        for (let at = 0; at < bodies.length; at++) env.slots[at] = (bodies[at] as LazyCode)(env);
      },
    };
  }

  private knows(name: string, scope: Scope): boolean {
    for (let at: Scope | undefined = scope; at; at = at.up) if (at.names.has(name)) return true;
    return false;
  }

  private field({ visibility, plus, body }: Field, name: string, scope: Scope): FieldOf {
    if (body.type === "literal") {
      return plus ? { visibility, plus, code: this.code(body, scope) } : { visibility, plus, slot: body.value };
    }
    const code =
      body.type === "function" ? this.functionOf(body.params, body.body, scope, name) : this.code(body, scope);
    return { visibility, plus, code };
  }

  private object(node: Node & { type: "object" }, scope: Scope): Code {
    const { inner, bind } = this.inside(scope, node.locals);
    const asserts = node.asserts.map((one) => this.assertion(one, inner));
    const rest = { ...(bind ? { bind } : {}), ...(asserts.length > 0 ? { asserts } : {}) };
    const fixed = node.fields.every(({ name }) => name.type === "literal" && typeof name.value === "string");
    const fields = node.fields.map((field) => ({
      name: this.code(field.name, scope),
      place: field.place,
      made: this.field(field, field.name.type === "literal" ? String(field.name.value) : "", inner),
    }));
    const texts = new Set(node.fields.map(({ name }) => (name as { value?: unknown }).value));
    if (fixed && texts.size === fields.length) {
      const known = new Map(
        node.fields.map(({ name }, at) => [(name as { value: string }).value, fields[at]?.made as FieldOf]),
      );
      return (env) => new JObject([{ fields: known, env, ...rest }]);
    }
    return (env) => {
      const named = new Map<string, FieldOf>();
      for (const { name, place, made } of fields) addField(named, name(env), made, place);
      return new JObject([{ fields: named, env, ...rest }]);
    };
  }

  private objectComprehension(node: Node & { type: "objectComp" }, scope: Scope): Code {
    const { field, locals, clauses } = node;
    const { walk, inner: turn } = this.clauses(clauses, scope);
    const { inner, bind } = this.inside(turn, locals);
    const name = this.code(field.name, turn);
    const made = this.field(field, "", inner);
    return (env) => {
      const fields = new Map<string, FieldOf>();
      walk(env, (each) => addField(fields, name(each), made.code ? { ...made, env: each } : made, field.place));
      const layer: Layer = { fields, env, ...(bind ? { bind } : {}) };
      return new JObject([layer]);
    };
  }

  private arrayComprehension(node: Node & { type: "arrayComp" }, scope: Scope): Code {
    const { walk, inner } = this.clauses(node.clauses, scope);
    const item = this.lazy(node.item, inner);
    return (env) => {
      const items: Slot[] = [];
      walk(env, (each) => items.push(item(each)));
      env.machine.charge(items.length);
      return items;
    };
  }

  /** Runs through all turns of `for` and `if` clauses, each in an environment of its own. */
  private clauses(clauses: readonly CompClause[], scope: Scope) {
    type Walk = (env: Env, visit: (env: Env) => void) => void;
    const steps: ((rest: Walk) => Walk)[] = [];
    let inner = scope;
    for (const clause of clauses) {
      if (clause.type === "if") {
        const condition = this.code(clause.condition, inner);
        steps.push((rest) => (env, visit) => {
          const decided = condition(env);
          if (typeof decided !== "boolean") {
            throw new JsonnetRuntimeError(`condition must be boolean, got ${typeOf(decided)}`).at(clause.place);
          }
          if (decided) rest(env, visit);
        });
        continue;
      }
      const array = this.code(clause.array, inner);
      inner = { names: new Map([[clause.name, 0]]), up: inner };
      steps.push((rest) => (env, visit) => {
        const items = array(env);
        if (!Array.isArray(items)) {
          throw new JsonnetRuntimeError(`in comprehension, can only iterate over array, got ${typeOf(items)}`).at(
            clause.place,
          );
        }
        env.machine.charge(items.length);
        for (const item of items) rest(new Env(env.machine, [item], env, env.self, env.layer), visit);
      });
    }
    const walk = steps.reduceRight<Walk>(
      (rest, step) => step(rest),
      (env, visit) => visit(env),
    );
    return { walk, inner };
  }
}

const NONE: readonly { name: string; slot: Slot }[] = [];

/** A field whose name is null is left out. */
function addField(fields: Map<string, FieldOf>, name: Value, field: FieldOf, place: Place): void {
  if (name === null) return;
  if (typeof name !== "string") {
    throw new JsonnetRuntimeError(`field name must be string, got: ${typeOf(name)}`).at(place);
  }
  if (fields.has(name)) throw new JsonnetRuntimeError(`duplicate field name: "${name}"`).at(place);
  fields.set(name, field);
}

/** `target[key]` of objects, arrays and texts. */
export function indexOf(target: Value, key: Value): Value {
  if (target instanceof JObject) {
    if (typeof key !== "string") throw new JsonnetRuntimeError(`object index must be string, got ${typeOf(key)}`);
    const value = target.get(key);
    if (value === undefined) throw new JsonnetRuntimeError(`field does not exist: ${key}`);
    return value;
  }
  const isText = typeof target === "string";
  if (!isText && !Array.isArray(target)) {
    throw new JsonnetRuntimeError(`can only index objects, strings, and arrays, got ${typeOf(target)}`);
  }
  if (typeof key !== "number")
    throw new JsonnetRuntimeError(`${isText ? "string" : "array"} index must be number, got ${typeOf(key)}`);
  if (!Number.isInteger(key))
    throw new JsonnetRuntimeError(`${isText ? "string" : "array"} index was not integer: ${key}`);
  const items = isText ? [...target] : target;
  const found = items[key];
  if (key < 0 || found === undefined) {
    throw new JsonnetRuntimeError(`index ${key} out of bounds, not within [0, ${items.length})`);
  }
  return isText ? (found as string) : force(found);
}
