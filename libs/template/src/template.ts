import { isEmpty } from "./ast.js";
import { builtins } from "./builtins.js";
import { compile } from "./compile.js";
import { OutOfFuelError } from "./errors.js";
import { parse, type Tree } from "./parser.js";
import {
  type CompiledTemplate,
  type Fuel,
  type FunctionTable,
  type GoFunction,
  type MissingKey,
  State,
  type TemplateSet,
} from "./state.js";
import { quote } from "./strconv.js";
import type { GoValue } from "./values.js";

export interface TemplatesOptions {
  /** Functions beside Go's own. */
  readonly functions?: Readonly<Record<string, GoFunction>>;
  readonly left?: string;
  readonly right?: string;
}

/** Parsed text: its definitions, ready to be added to any set of templates with the same functions. */
export type Parsed = ReadonlyMap<string, { readonly template: CompiledTemplate; readonly empty: boolean }>;

const tables = new WeakMap<Readonly<Record<string, GoFunction>>, FunctionTable>();

/** The functions by name, Go's own among them; made once for each set of functions. */
function tableOf(functions: Readonly<Record<string, GoFunction>>): FunctionTable {
  let table = tables.get(functions);
  if (!table) {
    table = new Map(Object.entries({ ...builtins, ...functions }));
    tables.set(functions, table);
  }
  return table;
}

/** Templates that know each other. */
export class Templates implements TemplateSet {
  private readonly known = new Map<string, { readonly template: CompiledTemplate; readonly empty: boolean }>();
  private readonly table: FunctionTable;

  constructor(
    private readonly options: TemplatesOptions = {},
    /** A set around this one, whose templates are known here too. */
    private readonly outer?: Templates,
  ) {
    this.table = outer?.table ?? tableOf(options.functions ?? {});
  }

  /** Parses a text under a name, without adding it. Throws a `ParseError`. */
  parse(name: string, text: string): Parsed {
    const { left, right } = this.options;
    const trees = parse(name, text, {
      isFunction: (word) => this.table.has(word),
      ...(left === undefined ? {} : { left }),
      ...(right === undefined ? {} : { right }),
    });
    return new Map(
      [...trees].map(([each, tree]: [string, Tree]) => [
        each,
        { template: compile(tree, this.table), empty: isEmpty(tree.root) },
      ]),
    );
  }

  /** Adds definitions; a later one replaces an earlier one of its name, unless it is empty. */
  add(parsed: Parsed): this {
    for (const [name, entry] of parsed) if (!entry.empty || !this.find(name)) this.known.set(name, entry);
    return this;
  }

  /** A set inside this one: what is added there is not seen here. */
  inner(): Templates {
    return new Templates(this.options, this);
  }

  find(name: string): CompiledTemplate | undefined {
    return this.known.get(name)?.template ?? this.outer?.find(name);
  }

  names(): string[] {
    return [...new Set([...(this.outer?.names() ?? []), ...this.known.keys()])];
  }
}

export interface ExecuteOptions {
  readonly missingKey?: MissingKey;
  readonly fuel?: Fuel;
}

/** Runs one template of a set. Throws an `ExecError`, or an `OutOfFuelError` when a limit is reached. */
export function execute(set: Templates, name: string, dot: GoValue, options: ExecuteOptions = {}): string {
  return executeIn(new State(set, options.missingKey, options.fuel), name, dot);
}

/** The same with a state of the caller's, so that several templates share its fuel and context. */
export function executeIn(state: State, name: string, dot: GoValue): string {
  const template = state.set.find(name);
  if (!template) throw new Error(`template: no template ${quote(name)}`);
  try {
    return state.execute(name, template, dot);
  } catch (error) {
    if (error instanceof RangeError && /call stack/.test(error.message)) {
      throw new OutOfFuelError("templates call each other too deeply", name);
    }
    throw error;
  }
}

/** Parses and runs one text. */
export function render(
  text: string,
  dot: GoValue,
  options: TemplatesOptions & ExecuteOptions & { readonly name?: string } = {},
): string {
  const { name = "template" } = options;
  const set = new Templates(options);
  set.add(set.parse(name, text));
  return execute(set, name, dot, options);
}
