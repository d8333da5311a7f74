import { createHash, timingSafeEqual } from "node:crypto";

const MASK = "[secret]";
const inspect = Symbol.for("nodejs.util.inspect.custom");

/** A value that can be used but not shown: printing, logging, JSON and inspection all give `[secret]`. */
export class Secret {
  readonly #value: string;
  constructor(value: string) {
    this.#value = value;
  }
  /** The value itself, at the one place that needs it. */
  reveal(): string {
    return this.#value;
  }
  /** Constant-time comparison; lengths do not leak because digests are compared. */
  equals(other: string | Secret): boolean {
    const digest = (text: string) => createHash("sha256").update(text).digest();
    return timingSafeEqual(digest(this.#value), digest(other instanceof Secret ? other.reveal() : other));
  }
  toString(): string {
    return MASK;
  }
  toJSON(): string {
    return MASK;
  }
  [inspect](): string {
    return MASK;
  }
}
