import { InvalidArgumentError } from "@tiphys/errors";
import type { Node } from "./ast.js";
import { compile } from "./compile.js";
import { JsonnetRuntimeError } from "./errors.js";
import { Machine } from "./machine.js";
import { jsonText, numberText, toData, writeJson } from "./manifest.js";
import { parse } from "./parser.js";
import { standardFor } from "./std/index.js";
import { Env, force, JFunction, later, type Slot, type Value } from "./values.js";

export interface Imported {
  /** The file's own path: relative imports in it start there, and equal paths are one file. */
  readonly path: string;
  readonly data: Uint8Array;
}

/** Text of an external variable or top-level argument: taken as it is, or run as a program. */
export type Outside = { readonly text: string } | { readonly code: string };

export interface EvaluateOptions {
  /** Name of the program in messages and for relative imports. */
  readonly file: string;
  readonly text: string;
  /** Finds a file that `from` imports, or gives undefined; looking through library paths is its business. */
  readonly importer?: (from: string, path: string) => Imported | undefined;
  readonly extVars?: Readonly<Record<string, Outside>>;
  /** Arguments of the function that the program gives; without them it is called with its defaults. */
  readonly topLevelArguments?: Readonly<Record<string, Outside>>;
  readonly maxStack?: number;
  readonly maxSteps?: number;
  readonly maxAllocation?: number;
  /** Gets the texts of std.trace. */
  readonly trace?: (text: string) => void;
  /** Parsed programs by path and text, kept between evaluations where the caller keeps the map. */
  readonly parsed?: Map<string, Node>;
}

/** Runs a program and gives its value as plain data. Errors are JsonnetSyntaxError and JsonnetRuntimeError. */
export function evaluate(options: EvaluateOptions): unknown {
  return run(options, toData);
}

/** Runs a program and gives its value as the `jsonnet` program prints it. */
export function evaluateToJson(options: EvaluateOptions): string {
  const form = {
    indent: "   ",
    newline: "\n",
    colon: ": ",
    empty: () => " ",
    number: numberText,
    text: jsonText,
  };
  return `${run(options, (machine, value) => writeJson(machine, value, form))}\n`;
}

function run<T>(options: EvaluateOptions, give: (machine: Machine, value: Value) => T): T {
  const evaluation = new Evaluation(options);
  try {
    return give(evaluation.machine, evaluation.result());
  } catch (error) {
    if (error instanceof RangeError && /call stack/i.test(error.message)) {
      throw new JsonnetRuntimeError("max stack frames exceeded.");
    }
    throw error;
  }
}

class Evaluation {
  readonly machine: Machine;
  private readonly files = new Map<string, Slot>();
  private readonly outside = new Map<string, Slot>();

  constructor(private readonly options: EvaluateOptions) {
    const { maxStack, maxSteps, maxAllocation, trace } = options;
    this.machine = new Machine({
      ...(maxStack === undefined ? {} : { maxStack }),
      ...(maxSteps === undefined ? {} : { maxSteps }),
      ...(maxAllocation === undefined ? {} : { maxAllocation }),
      ...(trace ? { trace } : {}),
      extVar: (name) => {
        const given = options.extVars && Object.hasOwn(options.extVars, name) ? options.extVars[name] : undefined;
        if (!given) return undefined;
        const known = this.outside.get(name) ?? this.fromOutside(`<extvar:${name}>`, given);
        this.outside.set(name, known);
        return force(known);
      },
      native: () => undefined,
    });
  }

  result(): Value {
    const { file, text, topLevelArguments = {} } = this.options;
    const value = this.program(file, text);
    if (!(value instanceof JFunction)) return value;
    const named = Object.entries(topLevelArguments).map(([name, given]) => ({
      name,
      slot: this.fromOutside(`<top-level-arg:${name}>`, given),
    }));
    return this.machine.call(value, [], named);
  }

  private fromOutside(file: string, given: Outside): Slot {
    return "text" in given ? given.text : later(this.machine, () => this.program(file, given.code));
  }

  private program(file: string, text: string): Value {
    const std = standardFor(file);
    const code = compile(this.parsed(file, text), {
      file,
      std,
      load: (from, path, kind) => this.load(from, path, kind),
    });
    return code(new Env(this.machine, [std], undefined, undefined, 0));
  }

  private parsed(file: string, text: string): Node {
    const key = `${file}\0${text}`;
    const known = this.options.parsed?.get(key);
    if (known) return known;
    const node = parse(file, text);
    this.options.parsed?.set(key, node);
    return node;
  }

  private load(from: string, path: string, kind: "import" | "importstr" | "importbin"): Slot {
    const found = this.options.importer?.(from, path);
    if (!found)
      throw new JsonnetRuntimeError(`couldn't open import "${path}": no match locally or in the library paths`);
    const key = `${kind}\0${found.path}`;
    const known = this.files.get(key);
    if (known !== undefined) return known;
    const loaded = this.value(found, kind);
    this.files.set(key, loaded);
    return loaded;
  }

  private value({ path, data }: Imported, kind: "import" | "importstr" | "importbin"): Slot {
    if (kind === "importbin") {
      this.machine.charge(data.length);
      return [...data];
    }
    const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("utf8");
    if (kind === "importstr") return text;
    return later(this.machine, () => this.program(path, text));
  }
}

/** Plain data as the text of a program, for arguments that come as JSON. */
export function dataAsCode(data: unknown): Outside {
  const code = JSON.stringify(data);
  if (code === undefined) throw new InvalidArgumentError("", "only JSON data can be given to a program");
  return { code };
}
