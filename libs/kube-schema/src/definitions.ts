import { definitionsJson } from "./generated/definitions.js";
import type { Schema } from "./schema.js";

/** The generated form of a node; a text is a node with nothing but that type, or `#name` of a definition. */
export type Compact = string | CompactNode;
export interface CompactNode {
  /** type */ t?: string;
  /** reference */ r?: string;
  /** properties */ p?: Record<string, Compact>;
  /** items */ i?: Compact;
  /** map values */ a?: Compact;
  /** required */ q?: string[];
  /** enum */ e?: unknown[];
  /** default */ d?: unknown;
  /** list type */ lt?: "a" | "s" | "m";
  /** list keys */ lk?: string[];
  /** map type */ mt?: "a" | "g";
  /** patch strategy */ ps?: string;
  /** patch merge key */ pk?: string;
  /** members that are written although they are zero */ kz?: string[];
  /** scalar members that keep a zero which was given */ kp?: string[];
  /** scalar members that keep a zero which was given, and are null otherwise */ kn?: string[];
}

let parsed: Record<string, CompactNode> | undefined;
const nodes = new Map<string, Schema>();

export function compactDefinitions(): Readonly<Record<string, CompactNode>> {
  parsed ??= JSON.parse(definitionsJson) as Record<string, CompactNode>;
  return parsed;
}

/** The schema of a builtin definition such as `io.k8s.api.apps.v1.Deployment`. Read from the generated data on first use. */
export function definition(name: string): Schema {
  let node = nodes.get(name);
  if (node === undefined) {
    const compact = compactDefinitions()[name];
    if (compact === undefined) throw new Error(`there is no builtin definition ${name}`);
    node = new DefinitionNode(compact, name);
    nodes.set(name, node);
  }
  return node;
}

type Leaf = Pick<Schema, "type" | "format" | "quantity" | "intOrString" | "mapType">;
const leaves: Readonly<Record<string, Leaf>> = {
  s: { type: "string" },
  b: { type: "boolean" },
  n: { type: "number" },
  i: { type: "integer", format: "int32" },
  l: { type: "integer", format: "int64" },
  y: { type: "string", format: "byte" },
  t: { type: "string", format: "date-time" },
  m: { type: "string", format: "micro-time" },
  q: { quantity: true },
  x: { intOrString: true },
  o: { type: "object" },
  // What is in there is nobody's business but the client's: it is owned as a whole.
  r: { mapType: "atomic" },
  f: {},
  "*": {},
};
const plain = new Map<string, Schema>(Object.entries(leaves).map(([key, leaf]) => [key, Object.freeze({ ...leaf })]));

function nodeOf(compact: Compact): Schema {
  if (typeof compact === "string") {
    return compact[0] === "#" ? definition(compact.slice(1)) : plain.get(compact)!;
  }
  if (compact.r !== undefined) return new DefinitionNode(compactDefinitions()[compact.r]!, compact.r, compact);
  return new DefinitionNode(compact);
}

const listTypes = { a: "atomic", s: "set", m: "map" } as const;

/** A node whose members are built when first asked for: definitions may contain themselves. */
class DefinitionNode implements Schema {
  readonly type: Schema["type"];
  readonly format: string | undefined;
  readonly quantity: boolean | undefined;
  readonly intOrString: boolean | undefined;
  readonly required: readonly string[] | undefined;
  readonly enum: readonly unknown[] | undefined;
  readonly default: unknown;
  readonly listType: Schema["listType"];
  readonly listKeys: readonly string[] | undefined;
  readonly mapType: Schema["mapType"];
  readonly patchStrategy: string | undefined;
  readonly patchMergeKey: string | undefined;
  readonly definition: string | undefined;
  readonly zeroShown: readonly string[] | undefined;
  readonly zeroKept: readonly string[] | undefined;
  readonly nullShown: readonly string[] | undefined;
  readonly #compact: CompactNode;
  #properties: Readonly<Record<string, Schema>> | undefined;
  #items: Schema | undefined;
  #additional: Schema | undefined;
  #zero: Readonly<Record<string, unknown>> | undefined;

  constructor(compact: CompactNode, name?: string, use: CompactNode = compact) {
    const leaf = compact.t === undefined ? undefined : leaves[compact.t]!;
    this.#compact = compact;
    this.definition = name;
    this.zeroShown = compact.kz;
    this.zeroKept = compact.kn ? [...(compact.kp ?? []), ...compact.kn] : compact.kp;
    this.nullShown = compact.kn;
    this.type = compact.p || compact.a ? "object" : compact.i ? "array" : leaf?.type;
    this.format = leaf?.format;
    this.quantity = leaf?.quantity;
    this.intOrString = leaf?.intOrString;
    this.required = compact.q;
    this.enum = compact.e;
    this.default = use.d;
    this.listType = use.lt && listTypes[use.lt];
    this.listKeys = use.lk;
    this.mapType = (use.mt ?? compact.mt) === "a" ? "atomic" : leaf?.mapType;
    this.patchStrategy = use.ps;
    this.patchMergeKey = use.pk;
  }

  get properties(): Readonly<Record<string, Schema>> | undefined {
    if (this.#properties === undefined && this.#compact.p !== undefined) {
      const properties: Record<string, Schema> = {};
      for (const [name, compact] of Object.entries(this.#compact.p)) properties[name] = nodeOf(compact);
      this.#properties = properties;
    }
    return this.#properties;
  }

  get items(): Schema | undefined {
    if (this.#items === undefined && this.#compact.i !== undefined) this.#items = nodeOf(this.#compact.i);
    return this.#items;
  }

  get additional(): Schema | undefined {
    if (this.#additional === undefined && this.#compact.a !== undefined) this.#additional = nodeOf(this.#compact.a);
    return this.#additional;
  }

  get zero(): Readonly<Record<string, unknown>> | undefined {
    if (this.type !== "object" || this.properties === undefined) return undefined;
    this.#zero ??= zeroOf(this, this.properties);
    return this.#zero;
  }
}

/** What a struct has although nobody set it: structs inside it, and members that are always written. */
function zeroOf(schema: Schema, properties: Readonly<Record<string, Schema>>): Record<string, unknown> {
  const zero: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(properties)) if (isStruct(member)) zero[name] = member.zero ?? {};
  for (const name of schema.zeroShown ?? []) zero[name] ??= zeroValue(properties[name]);
  return zero;
}

/** The value of a member that nobody set and that is written all the same. */
export function zeroValue(schema: Schema | undefined): unknown {
  if (schema === undefined || schema.format === "date-time" || schema.format === "micro-time") return null;
  if (schema.type === "string") return schema.format === "byte" ? null : "";
  if (schema.type === "integer" || schema.type === "number") return 0;
  return schema.type === "boolean" ? false : null;
}

/** A member that is a struct by value in the API server: it is there even when nothing in it is set. */
export const isStruct = (schema: Schema): boolean =>
  schema.type === "object" && schema.default !== undefined && schema.properties !== undefined;
