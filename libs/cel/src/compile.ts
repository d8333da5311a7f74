import { type Checked, check } from "./checker.js";
import { estimateCost } from "./cost.js";
import { CelRuntimeError, formatProblems, type Problem } from "./errors.js";
import { literalProblems, walk } from "./literals.js";
import { Meter } from "./meter.js";
import { parse } from "./parser.js";
import { compileSteps, type Step } from "./program.js";
import type { Declared } from "./schema.js";
import type { Type } from "./types.js";
import type { Value } from "./values.js";

/** The variables of an expression. */
export interface Environment {
  readonly variables: ReadonlyMap<string, Type>;
  /** Schemas behind variables: fields of their structs, and sizes for estimates. */
  readonly declared?: ReadonlyMap<string, Declared>;
  /** Fields of structs that no schema is behind. */
  readonly structs?: ReadonlyMap<string, ReadonlyMap<string, Type>>;
}

/** How a run ended, and what it cost in either case. */
export type Outcome =
  | { readonly value: Value; readonly cost: number }
  | { readonly error: CelRuntimeError; readonly cost: number };

/** An expression that may be run. It has no state: runs may overlap. */
export interface Program {
  readonly type: Type;
  /** Variables that the expression names. */
  readonly uses: ReadonlySet<string>;
  /** Runs until the end or until `fuel` is used up. */
  evaluate(bindings: Readonly<Record<string, Value | undefined>>, fuel: number): Outcome;
  /** Most that a run can cost. */
  estimate(): { readonly min: number; readonly max: number };
}

export type Compiled =
  | { readonly program: Program; readonly problems: readonly [] }
  | {
      readonly program?: undefined;
      readonly problems: readonly Problem[];
      /** The problems as the API server's compiler shows them. */
      readonly text: string;
      /** The expression is well-formed and typed, and has a constant that cannot be converted. */
      readonly instantiation?: true;
    };

/** Reads and checks a source. */
export function compile(source: string, environment: Environment): Compiled {
  const refused = (problems: readonly Problem[]): Compiled => ({ problems, text: formatProblems(source, problems) });
  const parsed = parse(source);
  if (parsed.expr === undefined) return refused(parsed.problems);
  const { expr } = parsed;
  const structs = structTable(environment);
  const checked = check(expr, { variables: environment.variables, fieldsOf: (name) => structs.get(name) });
  if (checked.problems.length > 0) return refused(checked.problems);
  const literals = literalProblems(checked);
  if (literals.length > 0) return refused(literals);
  const program = new CheckedProgram(checked, environment);
  const failure = program.prepare();
  if (failure !== undefined) return { problems: [{ offset: 0, message: failure }], text: failure, instantiation: true };
  return { program, problems: [] };
}

class CheckedProgram implements Program {
  readonly type: Type;
  readonly uses: ReadonlySet<string>;
  private steps: Step | undefined;

  constructor(
    private readonly checked: Checked,
    private readonly environment: Environment,
  ) {
    this.type = checked.types.get(checked.expr.id)!;
    const uses = new Set<string>();
    walk(checked.expr, (expr) => {
      if (expr.is === "ident") uses.add(expr.name);
    });
    for (const name of checked.names.values()) uses.add(name);
    this.uses = uses;
  }

  /** Conversions of constants are tried at once: why one cannot be done. */
  prepare(): string | undefined {
    let failure: string | undefined;
    walk(this.checked.expr, (expr) => {
      if (failure !== undefined || expr.is !== "call" || expr.target !== undefined || !conversions.has(expr.fn)) return;
      if (expr.args[0]?.is !== "literal") return;
      const outcome = run(compileSteps({ ...this.checked, expr }), {}, 1000);
      if ("error" in outcome) failure = outcome.error.message;
    });
    return failure;
  }

  evaluate(bindings: Readonly<Record<string, Value | undefined>>, fuel: number): Outcome {
    this.steps ??= compileSteps(this.checked);
    return run(this.steps, bindings, fuel);
  }

  estimate(): { min: number; max: number } {
    return estimateCost(this.checked, this.environment.declared ?? new Map());
  }
}

function run(steps: Step, bindings: Readonly<Record<string, Value | undefined>>, fuel: number): Outcome {
  const meter = new Meter(fuel);
  try {
    const value = steps({ bindings, locals: [], meter });
    return { value, cost: meter.cost };
  } catch (error) {
    if (error instanceof CelRuntimeError) return { error, cost: meter.cost };
    // Deep recursion of JavaScript itself: data nested beyond what the stack holds.
    if (error instanceof RangeError) return { error: new CelRuntimeError(error.message), cost: meter.cost };
    throw error;
  }
}

const conversions = new Set([
  "bool",
  "bytes",
  "double",
  "duration",
  "dyn",
  "int",
  "string",
  "timestamp",
  "type",
  "uint",
]);

const tables = new WeakMap<Declared, ReadonlyMap<string, ReadonlyMap<string, Type>>>();

function structTable({ declared, structs }: Environment): ReadonlyMap<string, ReadonlyMap<string, Type>> {
  const all = new Map(structs);
  for (const root of new Set(declared?.values() ?? [])) {
    let known = tables.get(root);
    if (known === undefined) {
      const found = new Map<string, ReadonlyMap<string, Type>>();
      collect(root, found);
      tables.set(root, found);
      known = found;
    }
    for (const [name, fields] of known) all.set(name, fields);
  }
  return all;
}

function collect(declared: Declared, into: Map<string, ReadonlyMap<string, Type>>): void {
  if (declared.element !== undefined) collect(declared.element, into);
  if (declared.fields === undefined) return;
  into.set(declared.type.name, new Map([...declared.fields].map(([name, field]) => [name, field.type])));
  for (const field of declared.fields.values()) collect(field, into);
}
