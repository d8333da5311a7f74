import { goEscaped } from "@tiphys/canonical-json";
import { InvalidArgumentError, LimitExceededError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import { type Branch, type Node, plainFloat, type Store } from "../tree.js";

const TOKEN = /[ \t\r\n]*(?:([{}[\],:])|("(?:[^"\\]|\\.)*")|(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)|(true|false|null))/y;

/** JSON with its members in order, which `JSON.parse` loses for names that are numbers. */
export const jsonStore: Store = {
  metadata: "nested",
  parse(text) {
    const reader = new Reader(text);
    const node = reader.value(0);
    reader.end();
    if (node.kind !== "map") throw new InvalidArgumentError("", "SOPS reads JSON objects only");
    return [node.entries];
  },
  emit: (branches) => branches.map((branch) => `${emit({ kind: "map", entries: branch }, "")}\n`).join(""),
};

class Reader {
  #at = 0;
  readonly #text: string;
  constructor(text: string) {
    this.#text = text;
  }

  #next(): RegExpExecArray {
    TOKEN.lastIndex = this.#at;
    const token = TOKEN.exec(this.#text);
    if (!token) throw new InvalidArgumentError("", `the JSON is not valid at character ${this.#at}`);
    this.#at = TOKEN.lastIndex;
    return token;
  }

  /** Takes the sign `wanted` if it comes next. */
  #sign(wanted: string): boolean {
    const before = this.#at;
    if (this.#next()[1] === wanted) return true;
    this.#at = before;
    return false;
  }

  value(depth: number): Node {
    if (depth > limits.documentDepth) throw new LimitExceededError("nested too deep");
    const [, sign, text, number, word] = this.#next();
    if (text !== undefined) return { kind: "leaf", leaf: { type: "str", text: this.#string(text) } };
    if (number !== undefined) return { kind: "leaf", leaf: numberLeaf(number) };
    if (word === "null") return { kind: "leaf", leaf: { type: "null", text: "" } };
    if (word !== undefined) return { kind: "leaf", leaf: { type: "bool", text: word === "true" ? "True" : "False" } };
    if (sign === "[") {
      const items: Node[] = [];
      if (!this.#sign("]")) {
        do items.push(this.value(depth + 1));
        while (this.#comma("]"));
      }
      return { kind: "list", items };
    }
    if (sign !== "{") throw new InvalidArgumentError("", `the JSON is not valid at character ${this.#at}`);
    const entries: (readonly [string, Node])[] = [];
    if (!this.#sign("}")) {
      do {
        const key = this.#next()[2];
        if (key === undefined || !this.#sign(":")) {
          throw new InvalidArgumentError("", `the JSON is not valid at character ${this.#at}`);
        }
        entries.push([this.#string(key), this.value(depth + 1)]);
      } while (this.#comma("}"));
    }
    return { kind: "map", entries };
  }

  /** True after a comma, false at the closing sign. */
  #comma(closing: string): boolean {
    const sign = this.#next()[1];
    if (sign === ",") return true;
    if (sign === closing) return false;
    throw new InvalidArgumentError("", `the JSON is not valid at character ${this.#at}`);
  }

  #string(token: string): string {
    try {
      return JSON.parse(token) as string;
    } catch (error) {
      throw new InvalidArgumentError("", `the JSON is not valid at character ${this.#at}`, { cause: error });
    }
  }

  end(): void {
    if (this.#text.slice(this.#at).trim() !== "") {
      throw new InvalidArgumentError("", `the JSON goes on after its end, at character ${this.#at}`);
    }
  }
}

function numberLeaf(text: string): { type: "int" | "float"; text: string } {
  if (/^-?\d+$/.test(text)) {
    const exact = BigInt(text);
    if (exact >= -(2n ** 63n) && exact < 2n ** 63n) return { type: "int", text: String(exact) };
  }
  return { type: "float", text: plainFloat(Number(text)) };
}

function emit(node: Node, indent: string): string {
  const inner = `${indent}\t`;
  if (node.kind === "map") {
    if (node.entries.length === 0) return "{}";
    const members = node.entries.map(([key, value]) => `${inner}${quoted(key)}: ${emit(value, inner)}`);
    return `{\n${members.join(",\n")}\n${indent}}`;
  }
  if (node.kind === "list") {
    if (node.items.length === 0) return "[]";
    return `[\n${node.items.map((item) => inner + emit(item, inner)).join(",\n")}\n${indent}]`;
  }
  const { type, text } = node.leaf;
  if (type === "null") return "null";
  if (type === "bool") return text.toLowerCase();
  if (type === "float") return String(Number(text));
  return type === "int" ? text : quoted(text);
}

const quoted = (text: string): string => goEscaped(JSON.stringify(text));

/** The content of a binary file, which SOPS keeps as the member `data` of an object. */
export const binaryStore: Store = {
  metadata: "nested",
  parse: jsonStore.parse,
  emit(branches: readonly Branch[]) {
    const data = branches[0]?.find(([key]) => key === "data")?.[1];
    if (data?.kind !== "leaf" || data.leaf.type !== "str") {
      throw new InvalidArgumentError("data", "of the encrypted binary file is missing");
    }
    return data.leaf.text;
  },
};
