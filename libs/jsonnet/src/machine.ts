import { limits } from "@tiphys/limits";
import { JsonnetRuntimeError } from "./errors.js";
import { add } from "./operators.js";
import { Env, force, type JFunction, type NamedSlot, type Slot, TailCall, type Value } from "./values.js";

export interface MachineOptions {
  /** Calls and values under way at the same time; default 500, as in the originals. */
  readonly maxStack?: number;
  /** Calls and values altogether. */
  readonly maxSteps?: number;
  /** Characters of texts and elements of arrays that the standard library makes, altogether. */
  readonly maxAllocation?: number;
  /** Gets the texts of std.trace. */
  readonly trace?: (text: string) => void;
  readonly extVar: (name: string) => Value | undefined;
  readonly native: (name: string) => JFunction | undefined;
}

/** One evaluation: what it may use, and how much of it is left. */
export class Machine {
  private depth = 0;
  private steps = 0;
  private allocated = 0;
  private readonly maxStack: number;
  private readonly maxSteps: number;
  private readonly maxAllocation: number;
  readonly add = (left: Value, right: Value): Value => add(this, left, right);

  constructor(readonly options: MachineOptions) {
    this.maxStack = options.maxStack ?? 500;
    this.maxSteps = options.maxSteps ?? limits.jsonnetSteps;
    this.maxAllocation = options.maxAllocation ?? limits.jsonnetAllocation;
  }

  /** Called when a value or a call begins. */
  enter(): void {
    if (++this.depth > this.maxStack) throw new JsonnetRuntimeError("max stack frames exceeded.");
    if (++this.steps > this.maxSteps) {
      throw new JsonnetRuntimeError(`the program was stopped after ${this.maxSteps} evaluations`);
    }
  }

  leave(): void {
    this.depth--;
  }

  /** Counts work of the standard library that is not a call: characters, elements, turns of a loop. */
  charge(units: number): void {
    this.allocated += units;
    if (this.allocated > this.maxAllocation) {
      throw new JsonnetRuntimeError(
        `the program was stopped: its texts and arrays are larger than ${this.maxAllocation} characters and elements together`,
      );
    }
  }

  call(target: JFunction, args: readonly Slot[], named: readonly NamedSlot[] = [], strict = false): Value {
    this.enter();
    const slots = this.arguments(target, args, named);
    if (strict) for (const slot of slots) force(slot);
    let result = target.run(this, slots);
    while (result instanceof TailCall) {
      if (++this.steps > this.maxSteps) {
        throw new JsonnetRuntimeError(`the program was stopped after ${this.maxSteps} evaluations`);
      }
      const next = this.arguments(result.target, result.args, result.named);
      for (const slot of next) force(slot);
      result = result.target.run(this, next);
    }
    this.leave();
    return result;
  }

  /** One slot per parameter, in their order. */
  private arguments(target: JFunction, args: readonly Slot[], named: readonly NamedSlot[]): Slot[] {
    const { params } = target;
    if (args.length === params.length && named.length === 0) return args as Slot[];
    const slots = args.slice() as (Slot | undefined)[];
    if (args.length > params.length) {
      throw new JsonnetRuntimeError(
        `too many args for ${target.name || "the function"}: has ${params.length} parameter(s), got ${args.length}`,
      );
    }
    for (const { name, slot } of named) {
      const at = params.findIndex((param) => param.name === name);
      if (at < 0) throw new JsonnetRuntimeError(`function has no parameter ${name}`);
      if (slots[at] !== undefined) throw new JsonnetRuntimeError(`argument ${name} already provided`);
      slots[at] = slot;
    }
    for (let at = 0; at < params.length; at++) {
      const param = params[at];
      if (slots[at] === undefined && param && !param.default) {
        throw new JsonnetRuntimeError(`missing argument: ${param.name} of ${target.name || "the function"}`);
      }
    }
    // Defaults may speak of other parameters, so they are made in the environment of the call.
    if (slots.length < params.length || slots.includes(undefined)) {
      const env = new Env(this, slots as Slot[], target.env, target.env?.self, target.env?.layer ?? 0);
      for (let at = 0; at < params.length; at++) {
        if (slots[at] === undefined) slots[at] = params[at]?.default?.(env) as Slot;
      }
    }
    return slots as Slot[];
  }
}
