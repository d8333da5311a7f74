import {
  CelBudgetError,
  compile,
  type Declared,
  declare,
  Optional,
  optionalType,
  type Program,
  type Type,
  toValue,
} from "@tiphys/cel";
import { duplicate, type FieldError, forbidden, invalid, required } from "../field-error.js";
import { memberSchema, type Schema, type ValidationRule } from "../schema.js";
import { type Correlation, KeyedItems } from "./correlation.js";
import { fieldPathOf } from "./field-path.js";

/** Fuel of one rule, and of all rules of one object: the API server's. */
const ruleFuel = 1_000_000;
const objectFuel = 10_000_000;
/** Longest message that an expression may make. */
const messageBytes = 5 * 1024;

/** A rule as a program; `problem` when it is none. */
export interface CompiledRule {
  readonly rule: ValidationRule;
  readonly program?: Program;
  readonly problem?: string;
  readonly usesOldSelf: boolean;
  readonly message?: Program;
  readonly messageProblem?: string;
  /** Path below the rule's own that errors are told at. */
  readonly fieldPath: string;
}

/** The rules of a schema, at the places they hold for. Only branches with rules are there. */
export interface RuleNode {
  readonly schema: Schema;
  readonly isResource: boolean;
  readonly rules: readonly CompiledRule[];
  readonly properties: ReadonlyMap<string, RuleNode>;
  readonly items?: RuleNode;
  readonly additional?: RuleNode;
}

/** Compiles the rules of a schema; undefined when it has none. */
export function compileRules(schema: Schema, isResource: boolean): RuleNode | undefined {
  if (!hasRules(schema)) return undefined;
  const declared = schema.validations && declare(schema, isResource, "selfType");
  const rules = declared === undefined ? [] : schema.validations!.map((rule) => compileRule(rule, schema, declared));
  const properties = new Map<string, RuleNode>();
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const child = compileRules(property, property.embedded === true);
    if (child) properties.set(name, child);
  }
  const items = schema.items && compileRules(schema.items, schema.items.embedded === true);
  const additional = schema.additional && compileRules(schema.additional, schema.additional.embedded === true);
  if (rules.length === 0 && properties.size === 0 && !items && !additional) return undefined;
  return { schema, isResource, rules, properties, ...(items ? { items } : {}), ...(additional ? { additional } : {}) };
}

/** Compiles one rule for values of `declared`. */
export function compileRule(rule: ValidationRule, schema: Schema, declared: Declared): CompiledRule {
  if (rule.rule.trim() === "") return { rule, usesOldSelf: false, fieldPath: "" };
  const oldType: Type = rule.optionalOldSelf ? optionalType(declared.type) : declared.type;
  const environment = {
    variables: new Map([
      ["self", declared.type],
      ["oldSelf", oldType],
    ]),
    declared: new Map([
      ["self", declared],
      ["oldSelf", declared],
    ]),
  };
  const compiled = compile(rule.rule, environment);
  if (compiled.program === undefined) {
    const what = compiled.instantiation ? "program instantiation failed" : "compilation failed";
    return { rule, usesOldSelf: false, fieldPath: "", problem: `${what}: ${compiled.text}` };
  }
  const { program } = compiled;
  if (program.type.kind !== "bool") {
    return { rule, usesOldSelf: false, fieldPath: "", problem: "cel expression must evaluate to a bool" };
  }
  const out: { -readonly [Key in keyof CompiledRule]: CompiledRule[Key] } = {
    rule,
    program,
    usesOldSelf: program.uses.has("oldSelf"),
    fieldPath: "",
  };
  if (rule.messageExpression) {
    const message = compile(rule.messageExpression, environment);
    if (message.program === undefined) {
      const what = message.instantiation ? "instantiation" : "compilation";
      out.messageProblem = `messageExpression ${what} failed: ${message.text}`;
    } else if (message.program.type.kind !== "string")
      out.messageProblem = "messageExpression must evaluate to a string";
    else out.message = message.program;
    if (out.messageProblem !== undefined) return out;
  }
  if (rule.fieldPath) out.fieldPath = fieldPathOf(rule.fieldPath, schema).path ?? "";
  return out;
}

const known = new WeakMap<Schema, boolean>();
export function hasRules(schema: Schema): boolean {
  let answer = known.get(schema);
  if (answer === undefined) {
    answer =
      schema.validations !== undefined ||
      Object.values(schema.properties ?? {}).some(hasRules) ||
      (schema.items !== undefined && hasRules(schema.items)) ||
      (schema.additional !== undefined && hasRules(schema.additional));
    known.set(schema, answer);
  }
  return answer;
}

interface Run {
  readonly errors: FieldError[];
  readonly warnings: string[];
  fuel: number;
}

/** Where a value is compared with what it was: for rules that only new things have to keep. */
interface Ratchet {
  readonly current: Correlation | undefined;
  readonly parent: Correlation | undefined;
}

type Members = Record<string, unknown>;
const isObject = (value: unknown): value is Members =>
  value !== null && typeof value === "object" && !Array.isArray(value);

/** Runs all rules on an object, or on its change from `old`. */
export function runRules(
  node: RuleNode,
  value: unknown,
  old: unknown,
  correlation: Correlation | undefined,
  path = "",
): { errors: FieldError[]; warnings: readonly string[] } {
  const run: Run = { errors: [], warnings: [], fuel: objectFuel };
  runNode(node, value, old, { current: correlation, parent: undefined }, path, run);
  return run;
}

function below(ratchet: Ratchet, step: string | number): Ratchet {
  const { current, parent } = ratchet;
  if (current === undefined) return ratchet;
  if (parent === undefined && (step === "apiVersion" || step === "kind"))
    return { current: undefined, parent: undefined };
  return { current: typeof step === "string" ? current.key(step) : current.index(step), parent: current };
}

/** False when the fuel is used up: nothing more is run. */
function runNode(node: RuleNode, value: unknown, old: unknown, ratchet: Ratchet, path: string, run: Run): boolean {
  if (value === null || value === undefined) return true;
  if (!runExpressions(node, value, old ?? undefined, ratchet, path, run)) return false;
  if (Array.isArray(value)) {
    const { items } = node;
    if (items === undefined) return true;
    const { listType, listKeys = [] } = node.schema;
    const before = Array.isArray(old) && listType === "map" ? new KeyedItems(old, listKeys) : undefined;
    return value.every((item, at) =>
      runNode(items, item, before?.get(item), below(ratchet, at), `${path}[${at}]`, run),
    );
  }
  if (!isObject(value)) return true;
  const before = isObject(old) ? old : undefined;
  for (const key of Object.keys(value)) {
    const property = node.properties.get(key);
    const child = property ?? (memberSchema(node.schema, key) === node.schema.additional ? node.additional : undefined);
    if (child === undefined) continue;
    const here = property ? (path === "" ? key : `${path}.${key}`) : `${path}[${key}]`;
    if (!runNode(child, value[key], before?.[key], below(ratchet, key), here, run)) return false;
  }
  return true;
}

const outOfFuel = "validation failed due to running out of cost budget, no further validation rules will be run";
const shownRule = ({ message, rule }: ValidationRule): string => (message ? message.trim() : rule.trim());

function runExpressions(
  node: RuleNode,
  value: unknown,
  old: unknown,
  ratchet: Ratchet,
  path: string,
  run: Run,
): boolean {
  if (node.rules.length === 0) return true;
  const { schema, isResource } = node;
  const refuse = (problem: string) =>
    run.errors.push(invalid(path === "" ? "<nil>" : path, schema.type ?? "", problem));
  if (run.fuel <= 0) {
    refuse(outOfFuel);
    return false;
  }
  const self = toValue(value, schema, isResource);
  const before = old === undefined ? undefined : toValue(old, schema, isResource);
  for (const compiled of node.rules) {
    const { rule, program, usesOldSelf } = compiled;
    if (compiled.problem !== undefined) {
      refuse(`rule compile error: ${compiled.problem}`);
      continue;
    }
    if (program === undefined) continue;
    if (usesOldSelf && old === undefined && !rule.optionalOldSelf) continue;
    const oldSelf = rule.optionalOldSelf ? (before === undefined ? Optional.none : new Optional(before)) : before;
    const outcome = program.evaluate({ self, oldSelf }, ruleFuel);
    if (outcome.cost > run.fuel) {
      refuse(outOfFuel);
      return false;
    }
    run.fuel -= outcome.cost;
    if ("error" in outcome) {
      const { message } = outcome.error;
      if (outcome.error instanceof CelBudgetError) {
        refuse(
          `'${message}': no further validation rules will be run due to call cost exceeds limit for rule: ${shownRule(rule)}`,
        );
        return false;
      }
      if (message.startsWith("no such overload")) {
        refuse(
          `'${message}': call arguments did not match a supported operator, function or macro signature for rule: ${shownRule(rule)}`,
        );
      } else refuse(`${message} evaluating rule: ${shownRule(rule)}`);
      continue;
    }
    if (outcome.value === true) continue;
    const message = messageOf(compiled, self, oldSelf, run);
    const at =
      compiled.fieldPath === ""
        ? path
        : path === ""
          ? compiled.fieldPath.replace(/^\./, "")
          : joined(path, compiled.fieldPath);
    const add = (error: FieldError) => {
      if (!usesOldSelf && isUnchanged(ratchet)) run.warnings.push(`${error.field}: ${error.message}`);
      else run.errors.push(error);
    };
    if (message.fatal !== undefined) {
      add(invalid(at === "" ? "<nil>" : at, schema.type ?? "", message.fatal));
      return false;
    }
    add(failure(rule, at === "" ? "<nil>" : at, value, schema.type, message.text));
  }
  return true;
}

const joined = (path: string, more: string): string =>
  more.startsWith("[") ? `${path}${more}` : `${path}.${more.replace(/^\./, "")}`;

const isUnchanged = ({ current, parent }: Ratchet): boolean =>
  current !== undefined ? current.unchanged : (parent?.unchanged ?? false);

function messageOf(
  { rule, message }: CompiledRule,
  self: ReturnType<typeof toValue>,
  oldSelf: ReturnType<typeof toValue> | undefined,
  run: Run,
): { text: string; fatal?: string } {
  const text = rule.message ? rule.message.trim() : `failed rule: ${shownRule(rule)}`;
  if (message === undefined) return { text };
  const outcome = message.evaluate({ self, oldSelf }, ruleFuel);
  if (outcome.cost > run.fuel) {
    return {
      text,
      fatal:
        "messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run",
    };
  }
  if ("error" in outcome) {
    if (outcome.error instanceof CelBudgetError) {
      return {
        text,
        fatal: `no further validation rules will be run due to call cost exceeds limit for messageExpression: ${JSON.stringify(rule.messageExpression)}`,
      };
    }
    run.fuel -= outcome.cost;
    return { text };
  }
  run.fuel -= outcome.cost;
  const made = typeof outcome.value === "string" ? outcome.value.trim() : "";
  return { text: made === "" || made.includes("\n") || Buffer.byteLength(made) > messageBytes ? text : made };
}

/** Structs and lists are not shown in messages: they may be large. */
function failure(
  rule: ValidationRule,
  at: string,
  value: unknown,
  type: string | undefined,
  detail: string,
): FieldError {
  const omitted = type === "object" || type === "array";
  switch (rule.reason) {
    case "FieldValueForbidden":
      return forbidden(at, detail);
    case "FieldValueRequired":
      return required(at, detail);
    case "FieldValueDuplicate":
      return omitted ? { field: at, reason: "FieldValueDuplicate", message: "Duplicate value" } : duplicate(at, value);
    default:
      if (!omitted) return invalid(at, value, detail);
      return { field: at, reason: "FieldValueInvalid", message: `Invalid value: ${detail}` };
  }
}
