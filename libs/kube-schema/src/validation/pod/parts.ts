import { isDnsLabel, isDnsSubdomain, isPortName, isPortNumber, type NameRule, parseIp } from "@tiphys/kube-values";
import { type FieldError, invalid, notSupported, required } from "../../field-error.js";

export const nonNegative = "must be greater than or equal to 0";
export const fileModeProblem = "must be a number between 0 and 0777 (octal), both inclusive";
export const inRange = (from: number, to: number): string => `must be between ${from} and ${to}, inclusive`;
const largestInt32 = 2147483647;

/** Where a walk over a pod collects what is wrong. */
export class Found {
  readonly errors: FieldError[] = [];

  add(...errors: FieldError[]): void {
    this.errors.push(...errors);
  }

  /** Every problem of a name. */
  named(rule: NameRule, value: string, path: string): void {
    for (const problem of rule(value)) this.add(invalid(path, value, problem));
  }

  needed(value: unknown, path: string, detail?: string): boolean {
    if (value !== undefined && value !== null && value !== "") return true;
    this.add(required(path, detail));
    return false;
  }

  /** A value that has to be there and be one of some. */
  choice(value: string | undefined, choices: readonly string[], path: string): void {
    if (this.needed(value, path) && !choices.includes(value!)) this.add(notSupported(path, value, choices));
  }

  /** A value that may be absent, or one of some. */
  option(value: string | undefined, choices: readonly string[], path: string): void {
    if (value !== undefined && !choices.includes(value)) this.add(notSupported(path, value, choices));
  }

  counts(object: Readonly<Record<string, unknown>>, fields: readonly string[], path: string): void {
    for (const field of fields) {
      if ((object[field] as number) < 0) this.add(invalid(`${path}.${field}`, object[field], nonNegative));
    }
  }

  port(port: unknown, path: string): void {
    const isName = typeof port === "string";
    for (const problem of isName ? isPortName(port) : isPortNumber(port)) this.add(invalid(path, port ?? 0, problem));
  }

  fileMode(mode: number | undefined, path: string): void {
    if (mode !== undefined && (mode < 0 || mode > 0o777)) this.add(invalid(path, mode, fileModeProblem));
  }

  address(text: string, path: string): void {
    if (parseIp(text) === undefined) {
      this.add(invalid(path, text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"));
    }
  }

  /** `..` leads out of where a path begins. */
  noBacksteps(path: string, at: string): void {
    if (path.split("/").includes("..")) this.add(invalid(at, path, "must not contain '..'"));
  }

  descending(path: string, at: string): void {
    if (path.startsWith("/")) this.add(invalid(at, path, "must be a relative path"));
    this.noBacksteps(path, at);
  }

  /** Names that begin with two dots are used for the data behind links. */
  unreserved(path: string, at: string): void {
    this.descending(path, at);
    if (path.startsWith("..") && !path.startsWith("../")) this.add(invalid(at, path, "must not start with '..'"));
  }

  userOrGroup(id: number | undefined, path: string): void {
    if (id !== undefined && (id < 0 || id > largestInt32)) this.add(invalid(path, id, inRange(0, largestInt32)));
  }
}

export { isDnsLabel, isDnsSubdomain };
