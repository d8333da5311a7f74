import { JsonnetRuntimeError } from "./errors.js";
import type { Machine } from "./machine.js";

/** A value of the language. Arrays hold slots, so an element is computed when it is looked at. */
export type Value = null | boolean | number | string | JArray | JObject | JFunction;
export type Slot = Value | Thunk;
export type JArray = readonly Slot[];

/** Compiled code: gives a value in an environment. */
export type Code = (env: Env) => Value;
/** Compiled code of an argument, element or local: gives a value that may still be to compute. */
export type LazyCode = (env: Env) => Slot;

/** Values of variables; `slots` are addressed by number, which the compiler knows. */
export class Env {
  constructor(
    readonly machine: Machine,
    readonly slots: Slot[],
    readonly up: Env | undefined,
    readonly self: JObject | undefined,
    /** Layer of `self` that the code belongs to; super starts below it. */
    readonly layer: number,
  ) {}
}

const COMPUTING = Symbol("computing");

/** A value that is computed when it is first asked for, and once. */
export class Thunk {
  private code: Code | undefined;
  private env: Env | undefined;
  private value: Value | typeof COMPUTING = null;

  constructor(code: Code, env: Env) {
    this.code = code;
    this.env = env;
  }

  force(): Value {
    if (this.code === undefined) return this.value as Value;
    const { code, env } = this;
    if (this.value === COMPUTING) throw new JsonnetRuntimeError("infinite recursion: a value depends on itself");
    this.value = COMPUTING;
    const { machine } = env as Env;
    machine.enter();
    const value = code(env as Env);
    machine.leave();
    this.code = undefined;
    this.env = undefined;
    this.value = value;
    return value;
  }
}

export const force = (slot: Slot): Value => (slot instanceof Thunk ? slot.force() : slot);

/** A thunk over a function of ours. */
export const later = (machine: Machine, compute: () => Value): Thunk =>
  new Thunk(compute, new Env(machine, [], undefined, undefined, 0));

export interface ParamOf {
  readonly name: string;
  /** Absent: the parameter is required. */
  readonly default?: LazyCode;
}

/** What a tail call that drops its frame leaves to its caller. */
export class TailCall {
  constructor(
    readonly target: JFunction,
    readonly args: readonly Slot[],
    readonly named: readonly NamedSlot[],
  ) {}
}

export interface NamedSlot {
  readonly name: string;
  readonly slot: Slot;
}

export class JFunction {
  constructor(
    readonly params: readonly ParamOf[],
    readonly name: string,
    /** Runs with one slot per parameter; `undefined` stands for a default that is still to be filled in. */
    readonly run: (machine: Machine, slots: Slot[]) => Value | TailCall,
    /** Environment of the defaults; builtins have none. */
    readonly env?: Env,
  ) {}
}

export interface FieldOf {
  readonly visibility: ":" | "::" | ":::";
  readonly plus: boolean;
  /** Code of the body, or, when absent, `slot` is the value. */
  readonly code?: Code;
  readonly slot?: Slot;
  /** Where the body's free variables are, when not in the layer's own. */
  readonly env?: Env;
}

/** What one object literal contributes to an object. */
export interface Layer {
  readonly fields: ReadonlyMap<string, FieldOf>;
  readonly env?: Env;
  /** Fills the environment of the literal's bodies: its locals, and `$` where it is outermost. */
  readonly bind?: (env: Env) => void;
  readonly asserts?: readonly Code[];
}

interface Place {
  readonly layer: number;
  readonly hidden: boolean;
}

/** An object: layers of literals, base first, and the values of its fields as far as they were computed. */
export class JObject {
  private readonly values = new Map<string, Value | typeof COMPUTING>();
  private readonly envs: (Env | undefined)[] = [];
  private index: Map<string, Place> | undefined;
  private checked: boolean;

  constructor(readonly layers: readonly Layer[]) {
    this.checked = !layers.some((layer) => layer.asserts);
  }

  private places(): Map<string, Place> {
    if (this.index) return this.index;
    const index = new Map<string, Place>();
    for (let layer = 0; layer < this.layers.length; layer++) {
      for (const [name, { visibility }] of (this.layers[layer] as Layer).fields) {
        const hidden = visibility === ":" ? (index.get(name)?.hidden ?? false) : visibility === "::";
        index.set(name, { layer, hidden });
      }
    }
    this.index = index;
    return index;
  }

  has(name: string, hidden: boolean): boolean {
    const place = this.places().get(name);
    return place !== undefined && (hidden || !place.hidden);
  }

  /** Names of fields by the order of their code points. */
  names(hidden: boolean): string[] {
    const names: string[] = [];
    for (const [name, place] of this.places()) if (hidden || !place.hidden) names.push(name);
    return names.sort(compareText);
  }

  /** The value of a field, or undefined where the object has none of that name. */
  get(name: string): Value | undefined {
    const known = this.values.get(name);
    if (known !== undefined && known !== COMPUTING) return known;
    this.check();
    if (known === COMPUTING) throw new JsonnetRuntimeError(`infinite recursion: field ${name} depends on itself`);
    const place = this.places().get(name);
    if (!place) return undefined;
    this.values.set(name, COMPUTING);
    const value = this.evaluate(name, place.layer);
    this.values.set(name, value);
    return value;
  }

  /** A field that has not been computed yet stays so. */
  slot(machine: Machine, name: string): Slot {
    const known = this.values.get(name);
    if (known !== undefined && known !== COMPUTING) return known;
    return later(machine, () => this.get(name) as Value);
  }

  /** The value of a field as the layers below `layer` have it. */
  getBelow(name: string, layer: number): Value | undefined {
    for (let below = layer - 1; below >= 0; below--) {
      if ((this.layers[below] as Layer).fields.has(name)) return this.evaluate(name, below);
    }
    return undefined;
  }

  hasBelow(name: string, layer: number): boolean {
    return this.layers.slice(0, layer).some(({ fields }) => fields.has(name));
  }

  private evaluate(name: string, layer: number): Value {
    const { fields } = this.layers[layer] as Layer;
    const field = fields.get(name) as FieldOf;
    if (!field.code) return force(field.slot as Slot);
    const env = this.envOf(layer, field.env);
    env.machine.enter();
    let value = field.code(env);
    if (field.plus) {
      const base = this.getBelow(name, layer);
      if (base !== undefined) value = env.machine.add(base, value);
    }
    env.machine.leave();
    return value;
  }

  private envOf(layer: number, own: Env | undefined): Env {
    const known = own ? undefined : this.envs[layer];
    if (known) return known;
    const { env: outer, bind } = this.layers[layer] as Layer;
    const up = (own ?? outer) as Env;
    const env = new Env(up.machine, [], up, this, layer);
    if (!own) this.envs[layer] = env;
    bind?.(env);
    return env;
  }

  /** Runs the assertions of all layers once; while they run, they see the object as checked. */
  check(): void {
    if (this.checked) return;
    this.checked = true;
    for (let layer = 0; layer < this.layers.length; layer++) {
      for (const assert of (this.layers[layer] as Layer).asserts ?? []) assert(this.envOf(layer, undefined));
    }
  }
}

/** An object of given values, all visible. */
export function objectOf(entries: Iterable<readonly [string, Slot]>): JObject {
  const fields = new Map<string, FieldOf>();
  for (const [name, slot] of entries) fields.set(name, { visibility: ":", plus: false, slot });
  return new JObject([{ fields }]);
}

export function typeOf(value: Value): string {
  if (value === null) return "null";
  if (typeof value !== "object") return typeof value;
  return Array.isArray(value) ? "array" : value instanceof JObject ? "object" : "function";
}

const SURROGATE = /[\uD800-\uDFFF]/;
/** True when every character is one unit, so that positions in the text are positions of characters. */
export const isPlain = (text: string): boolean => !SURROGATE.test(text);

/** Order of texts by code points. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  if (isPlain(a) && isPlain(b)) return a < b ? -1 : 1;
  const left = [...a];
  const right = [...b];
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    const difference = (left[at]?.codePointAt(0) ?? 0) - (right[at]?.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
