import { dynType, sameType, type Type } from "./types.js";

const nullable = new Set(["opaque", "struct", "duration", "timestamp", "null"]);

/** What type variables stand for so far. */
export class Mapping {
  constructor(private readonly found: Map<string, Type> = new Map()) {}

  copy(): Mapping {
    return new Mapping(new Map(this.found));
  }

  /** The type with its variables replaced; with `dyn`, the unknown ones too. */
  substitute(type: Type, dyn: boolean): Type {
    if (type.kind === "param") {
      const known = this.found.get(type.name);
      if (known !== undefined) return this.substitute(known, dyn);
      return dyn ? dynType : type;
    }
    if (type.params.length === 0) return type;
    return { ...type, params: type.params.map((param) => this.substitute(param, dyn)) };
  }

  /** Whether a value of the one type may stand where the other is wanted; learns what variables are. */
  assign(a: Type, b: Type): boolean {
    if (b.kind === "param") {
      const { valid, known } = this.bind(a, b);
      if (valid || known) return valid;
    }
    if (a.kind === "param") return this.bind(b, a).valid;
    if (a.kind === "dyn" || a.kind === "error" || b.kind === "dyn" || b.kind === "error") return true;
    if (a.kind === "null") return nullable.has(b.kind);
    if (b.kind === "null") return nullable.has(a.kind);
    if (a.kind !== b.kind) return false;
    if (a.kind === "type") return true;
    return a.name === b.name && this.assignAll(a.params, b.params);
  }

  assignAll(a: readonly Type[], b: readonly Type[]): boolean {
    return a.length === b.length && a.every((type, at) => this.assign(type, b[at]!));
  }

  private bind(type: Type, variable: Type): { valid: boolean; known: boolean } {
    if (sameType(type, variable)) return { valid: true, known: true };
    const before = this.found.get(variable.name);
    if (before !== undefined) {
      if (sameType(type, before)) return { valid: true, known: true };
      if (!this.assign(type, before)) return { valid: false, known: true };
      const general = mostGeneral(type, before);
      if (!this.mentions(general, variable)) this.found.set(variable.name, general);
      return { valid: true, known: true };
    }
    if (this.mentions(type, variable)) return { valid: false, known: false };
    this.found.set(variable.name, type);
    return { valid: true, known: false };
  }

  private mentions(type: Type, variable: Type): boolean {
    if (sameType(type, variable)) return true;
    if (type.kind === "param") {
      const known = this.found.get(type.name);
      return known !== undefined && this.mentions(known, variable);
    }
    return type.params.some((param) => this.mentions(param, variable));
  }
}

function isLessSpecific(a: Type, b: Type): boolean {
  if (a.kind === "dyn" || a.kind === "param") return true;
  if (b.kind === "dyn" || b.kind === "param" || a.kind !== b.kind) return false;
  if (a.kind === "type") return true;
  if (a.params.length === 0) return sameType(a, b);
  return (
    a.name === b.name &&
    a.params.length === b.params.length &&
    a.params.every((param, at) => isLessSpecific(param, b.params[at]!))
  );
}

export const mostGeneral = (a: Type, b: Type): Type => (isLessSpecific(a, b) ? a : b);
