import type { CallExpr, Expr, LoopExpr, SelectExpr } from "./ast.js";
import { qualifiedName } from "./ast.js";
import { functions, type Overload } from "./declarations.js";
import type { Problem } from "./errors.js";
import { Mapping, mostGeneral } from "./inference.js";
import {
  boolType,
  bytesType,
  doubleType,
  durationType,
  dynType,
  errorType,
  intType,
  isOptional,
  listType,
  mapType,
  nullType,
  opaqueType,
  optionalType,
  paramType,
  sameType,
  stringType,
  type Type,
  timestampType,
  typeText,
  typeType,
  uintType,
} from "./types.js";

/** What the checker found out, by expression id. */
export interface Checked {
  readonly expr: Expr;
  readonly types: ReadonlyMap<number, Type>;
  /** Candidate overloads of each call. */
  readonly overloads: ReadonlyMap<number, readonly string[]>;
  /** Variables by their full names, and calls of functions such as `sets.contains`, whose target is no value. */
  readonly names: ReadonlyMap<number, string>;
  readonly problems: readonly Problem[];
}

/** What names mean. */
export interface Scope {
  readonly variables: ReadonlyMap<string, Type>;
  /** Fields of a struct by its name; undefined when there is no such struct. */
  readonly fieldsOf: (struct: string) => ReadonlyMap<string, Type> | undefined;
}

const typeNames: ReadonlyMap<string, Type> = new Map([
  ["bool", typeType(boolType)],
  ["bytes", typeType(bytesType)],
  ["double", typeType(doubleType)],
  ["duration", typeType(durationType)],
  ["google.protobuf.Duration", typeType(durationType)],
  ["google.protobuf.Timestamp", typeType(timestampType)],
  ["dyn", typeType(dynType)],
  ["int", typeType(intType)],
  ["list", typeType(listType(dynType))],
  ["map", typeType(mapType(dynType, dynType))],
  ["null_type", typeType(nullType)],
  ["string", typeType(stringType)],
  ["timestamp", typeType(timestampType)],
  ["type", typeType(opaqueType("type"))],
  ["uint", typeType(uintType)],
  ["optional_type", typeType(optionalType(dynType))],
  ["net.IP", typeType(opaqueType("net.IP"))],
  ["net.CIDR", typeType(opaqueType("net.CIDR"))],
]);

/** The type that a name such as `int` stands for. */
export const namedType = (name: string): Type | undefined => typeNames.get(name)?.params[0];

export function check(expr: Expr, scope: Scope): Checked {
  const checker = new Checker(scope);
  checker.check(expr);
  const types = new Map<number, Type>();
  for (const [id, type] of checker.types) types.set(id, checker.mapping.substitute(type, true));
  return { expr, types, overloads: checker.overloads, names: checker.names, problems: checker.problems };
}

class Checker {
  readonly types = new Map<number, Type>();
  readonly overloads = new Map<number, readonly string[]>();
  readonly names = new Map<number, string>();
  readonly problems: Problem[] = [];
  mapping = new Mapping();
  private readonly locals: (readonly [string, Type])[] = [];
  private variables = 0;

  constructor(private readonly scope: Scope) {}

  check(expr: Expr): Type {
    const type = this.typeOf(expr);
    this.types.set(expr.id, type);
    return type;
  }

  private problem(at: number, message: string): void {
    this.problems.push({ offset: at, message });
  }

  private lookup(name: string): Type | undefined {
    for (let at = this.locals.length - 1; at >= 0; at--) if (this.locals[at]![0] === name) return this.locals[at]![1];
    return this.scope.variables.get(name) ?? typeNames.get(name);
  }

  private typeOf(expr: Expr): Type {
    switch (expr.is) {
      case "literal":
        return literalType(expr.value);
      case "ident": {
        const found = this.lookup(expr.name);
        if (found !== undefined) return found;
        this.problem(expr.at, `undeclared reference to '${expr.name}' (in container '')`);
        return errorType;
      }
      case "select":
        return this.select(expr);
      case "call":
        return this.call(expr);
      case "list": {
        let element: Type | undefined;
        for (const [at, item] of expr.elements.entries()) {
          element = this.join(element, this.unwrapped(item, expr.optional.has(at)));
        }
        return listType(element ?? this.newVariable());
      }
      case "map": {
        let key: Type | undefined;
        let value: Type | undefined;
        for (const entry of expr.entries) {
          key = this.join(key, this.check(entry.key));
          value = this.join(value, this.unwrapped(entry.value, entry.optional));
        }
        return mapType(key ?? this.newVariable(), value ?? this.newVariable());
      }
      case "struct":
        this.problem(expr.at, `undeclared reference to '${expr.type}' (in container '')`);
        for (const field of expr.fields) this.check(field.value);
        return errorType;
      case "loop":
        return this.loop(expr);
      case "bind": {
        const init = this.check(expr.init);
        this.locals.push([expr.variable, init]);
        const result = this.check(expr.result);
        this.locals.pop();
        return result;
      }
    }
  }

  private unwrapped(item: Expr, optional: boolean): Type {
    const type = this.check(item);
    if (!optional) return type;
    const actual = this.mapping.substitute(type, false);
    if (isOptional(actual)) return actual.params[0]!;
    if (actual.kind !== "dyn") {
      this.problem(item.at, `expected type '${typeText(optionalType(actual))}' but found '${typeText(actual)}'`);
    }
    return actual;
  }

  private newVariable(): Type {
    return paramType(`_var${this.variables++}`);
  }

  private assignable(a: Type, b: Type): boolean {
    const tried = this.mapping.copy();
    if (!tried.assign(a, b)) return false;
    this.mapping = tried;
    return true;
  }

  private join(previous: Type | undefined, current: Type): Type {
    if (previous === undefined) return current;
    if (this.assignable(previous, current)) return mostGeneral(previous, current);
    return dynType;
  }

  private shown(type: Type): string {
    return typeText(this.mapping.substitute(type, false));
  }

  private select(expr: SelectExpr): Type {
    const name = qualifiedName(expr);
    if (name !== undefined && this.scope.variables.has(name)) {
      this.names.set(expr.id, name);
      return this.scope.variables.get(name)!;
    }
    if (name !== undefined && typeNames.has(name)) {
      this.names.set(expr.id, name);
      return typeNames.get(name)!;
    }
    const type = this.field(expr, expr.operand, expr.field, false);
    return expr.test ? boolType : this.mapping.substitute(type, false);
  }

  private field(expr: Expr, operand: Expr, field: string, optional: boolean): Type {
    const operandType = this.mapping.substitute(this.check(operand), false);
    const wrapped = isOptional(operandType);
    const target = wrapped ? operandType.params[0]! : operandType;
    let result: Type = errorType;
    if (target.kind === "map") result = target.params[1]!;
    else if (target.kind === "struct") {
      const fields = this.scope.fieldsOf(target.name);
      const found = fields?.get(field) ?? fields?.get(`__${field}__`);
      if (found === undefined) this.problem(expr.at, `undefined field '${field}'`);
      else result = found;
    } else if (target.kind === "param") {
      this.assignable(dynType, target);
      result = dynType;
    } else {
      if (target.kind !== "dyn" && target.kind !== "error") {
        this.problem(expr.at, `type '${typeText(target)}' does not support field selection`);
      }
      result = dynType;
    }
    return wrapped || optional ? optionalType(result) : result;
  }

  private call(expr: CallExpr): Type {
    if (expr.fn === "_?._") {
      const field = expr.args[1]!;
      this.types.set(field.id, stringType);
      const type = this.field(expr, expr.args[0]!, field.is === "literal" ? String(field.value) : "", true);
      this.overloads.set(expr.id, ["select_optional_field"]);
      return this.mapping.substitute(type, false);
    }
    for (const arg of expr.args) this.check(arg);
    if (expr.target === undefined) {
      const known = functions().get(expr.fn);
      if (known !== undefined) return this.resolve(expr, expr.fn, known, undefined);
      this.problem(expr.at, `undeclared reference to '${expr.fn}' (in container '')`);
      return errorType;
    }
    const prefix = qualifiedName(expr.target);
    if (prefix !== undefined) {
      const name = `${prefix}.${expr.fn}`;
      const known = functions().get(name);
      if (known !== undefined) {
        this.names.set(expr.id, name);
        return this.resolve(expr, name, known, undefined);
      }
    }
    this.check(expr.target);
    const known = functions().get(expr.fn);
    if (known !== undefined) return this.resolve(expr, expr.fn, known, expr.target);
    this.problem(expr.at, `undeclared reference to '${expr.fn}' (in container '')`);
    return errorType;
  }

  private resolve(expr: CallExpr, fn: string, known: readonly Overload[], target: Expr | undefined): Type {
    const given = (target === undefined ? expr.args : [target, ...expr.args]).map((arg) => this.types.get(arg.id)!);
    if (fn === "_&&_" || fn === "_||_") {
      let ok = true;
      for (const [at, type] of given.entries()) {
        if (this.assignable(type, boolType)) continue;
        this.problem(expr.args[at]!.at, `expected type 'bool' but found '${this.shown(type)}'`);
        ok = false;
      }
      this.overloads.set(expr.id, [known[0]!.id]);
      return ok ? boolType : errorType;
    }
    let result: Type | undefined;
    const matching: string[] = [];
    for (const overload of known) {
      if (overload.member !== (target !== undefined) || overload.args.length !== given.length) continue;
      const fresh = new Map(overload.params.map((name) => [name, this.newVariable()] as const));
      const args = overload.args.map((type) => rename(type, fresh));
      const tried = this.mapping.copy();
      if (!tried.assignAll(given, args)) continue;
      this.mapping = tried;
      matching.push(overload.id);
      const found = this.mapping.substitute(rename(overload.result, fresh), false);
      if (result === undefined) result = found;
      else if (result.kind !== "dyn" && !sameType(result, found)) result = dynType;
    }
    if (result === undefined) {
      const [first = "", ...rest] = given.map((type) => typeText(this.mapping.substitute(type, true)));
      const signature = target === undefined ? `(${[first, ...rest].join(", ")})` : `${first}.(${rest.join(", ")})`;
      this.problem(expr.at, `found no matching overload for '${fn}' applied to '${signature}'`);
      return errorType;
    }
    this.overloads.set(expr.id, matching);
    return result;
  }

  private loop(expr: LoopExpr): Type {
    const range = this.mapping.substitute(this.check(expr.range), false);
    const accumulator = this.check(expr.init);
    let first: Type = dynType;
    let second: Type = dynType;
    if (range.kind === "list") {
      first = expr.variable2 === undefined ? range.params[0]! : intType;
      second = range.params[0]!;
    } else if (range.kind === "map") [first, second] = [range.params[0]!, range.params[1]!];
    else if (range.kind === "dyn" || range.kind === "error" || range.kind === "param") this.assignable(dynType, range);
    else {
      this.problem(
        expr.range.at,
        `expression of type '${typeText(range)}' cannot be range of a comprehension (must be list, map, or dynamic)`,
      );
      first = errorType;
      second = errorType;
    }
    const before = this.locals.length;
    this.locals.push([expr.accumulator, accumulator], [expr.variable, first]);
    if (expr.variable2 !== undefined) this.locals.push([expr.variable2, second]);
    this.check(expr.condition);
    this.assert(expr.condition, boolType);
    this.check(expr.step);
    this.assert(expr.step, accumulator);
    this.locals.length = before + 1;
    const result = this.check(expr.result);
    this.locals.length = before;
    return this.mapping.substitute(result, false);
  }

  private assert(expr: Expr, wanted: Type): void {
    const actual = this.types.get(expr.id)!;
    if (this.assignable(wanted, actual)) return;
    this.problem(expr.at, `expected type '${typeText(wanted)}' but found '${this.shown(actual)}'`);
  }
}

function literalType(value: unknown): Type {
  switch (typeof value) {
    case "bigint":
      return intType;
    case "number":
      return doubleType;
    case "string":
      return stringType;
    case "boolean":
      return boolType;
  }
  if (value === null) return nullType;
  return value instanceof Uint8Array ? bytesType : uintType;
}

function rename(type: Type, to: ReadonlyMap<string, Type>): Type {
  if (type.kind === "param") return to.get(type.name) ?? type;
  if (type.params.length === 0) return type;
  return { ...type, params: type.params.map((param) => rename(param, to)) };
}
