import type { Node } from "./ast.js";
import { locate, show } from "./ast.js";
import { ExecError, OutOfFuelError } from "./errors.js";
import { joinBytes } from "./go-string.js";
import { quote } from "./strconv.js";
import type { GoValue, ParamType } from "./values.js";

/** What an absent key of a map gives: nothing, the zero value of its type, or an error. */
export type MissingKey = "default" | "zero" | "error";

/** Limits of one execution. */
export interface Fuel {
  /** Actions, loop rounds and calls. */
  readonly steps: number;
  /** Characters of any one text, the output among them, and elements of any one list. */
  readonly size: number;
  /** Templates, branches and loops inside one another, as far as the stack holds them. */
  readonly depth?: number;
}

export const defaultFuel: Fuel = { steps: 20_000_000, size: 64 << 20 };

/** A function that templates can call. */
export interface GoFunction {
  readonly params: readonly ParamType[];
  /** The last parameter may come any number of times. */
  readonly variadic?: boolean;
  /** Gets the arguments, already of the parameters' types; throws what it has to say. */
  // biome-ignore lint/suspicious/noExplicitAny: the types of arguments are checked by `params` when a template runs
  readonly call: (args: any[], state: State) => GoValue;
}

export type FunctionTable = ReadonlyMap<string, GoFunction>;

/** Templates that know each other, by name; a set inside another sees the outer one's too. */
export interface TemplateSet {
  find(name: string): CompiledTemplate | undefined;
}

export interface CompiledTemplate {
  readonly name: string;
  readonly slots: number;
  readonly run: Exec;
}

/** 0 goes on, 1 is `break`, 2 is `continue`. */
export type Signal = 0 | 1 | 2;
export type Exec = (state: State, vars: GoValue[], dot: GoValue) => Signal;
export type Eval = (state: State, vars: GoValue[], dot: GoValue) => GoValue;

/** Depth of a run at most where its fuel names none, for a stack of Node's own size; a template counts {@link TEMPLATE_WEIGHT}, a branch or loop one. */
const MAX_DEPTH = 1600;
export const TEMPLATE_WEIGHT = 4;

/** One run of a template: its output, its place for errors, what is left of its fuel. */
export class State {
  out = "";
  /** Where the run is, for errors. */
  node: Node | undefined;
  template = "";
  depth = 0;
  readonly maxDepth: number;
  steps: number;
  readonly size: number;
  /** Whatever functions of the embedder keep for one run. */
  readonly context: Map<unknown, unknown> = new Map();

  constructor(
    public set: TemplateSet,
    readonly missingKey: MissingKey = "default",
    fuel: Fuel = defaultFuel,
  ) {
    this.steps = fuel.steps;
    this.size = fuel.size;
    this.maxDepth = fuel.depth ?? MAX_DEPTH;
  }

  fail(message: string, cause?: unknown): never {
    const place = this.node
      ? `${locate(this.node)}: executing ${quote(this.template)} at <${show(this.node)}>`
      : this.template;
    throw new ExecError(`template: ${place}: ${message}`, this.template, cause === undefined ? {} : { cause });
  }

  /** Takes `count` steps; ends the run when there are none left. */
  step(count = 1): void {
    this.steps -= count;
    if (this.steps < 0) this.stop("the template takes more steps than allowed: look for an endless loop or recursion");
  }

  write(text: string): void {
    this.out += text;
    if (this.out.length > this.size) this.stop(`the output is longer than ${this.size} characters`);
  }

  /** Goes deeper: into a template, a branch or a loop. The JavaScript stack is never filled, since V8 may end the process then. */
  enter(weight: number): void {
    this.depth += weight;
    if (this.depth > this.maxDepth) this.stop("templates call each other too deeply");
  }

  /** Refuses a text or list of that size before it is built. */
  checkSize(size: number): void {
    if (size > this.size) this.stop(`a value is larger than ${this.size}`);
  }

  stop(limit: string): never {
    throw new OutOfFuelError(limit, this.node ? locate(this.node) : this.template);
  }

  /** Runs a template of the set and gives its output. */
  execute(name: string, template: CompiledTemplate, dot: GoValue, set: TemplateSet = this.set): string {
    const { out, node, template: outer, set: outerSet } = this;
    this.out = "";
    this.template = name;
    this.set = set;
    this.step();
    this.enter(TEMPLATE_WEIGHT);
    const vars = new Array<GoValue>(template.slots);
    vars[0] = dot;
    try {
      template.run(this, vars, dot);
      return joinBytes(this.out);
    } finally {
      this.depth -= TEMPLATE_WEIGHT;
      this.out = out;
      this.node = node;
      this.template = outer;
      this.set = outerSet;
    }
  }
}
