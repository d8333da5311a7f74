import { deepEqual } from "@tiphys/canonical-json";
import { memberSchema, type Schema } from "../schema.js";

type Members = Record<string, unknown>;
const isObject = (value: unknown): value is Members =>
  value !== null && typeof value === "object" && !Array.isArray(value);

/** Items of a list with keys, found by the keys of another item. */
export class KeyedItems {
  private readonly found = new Map<string, unknown>();
  constructor(
    list: readonly unknown[],
    private readonly keys: readonly string[],
  ) {
    for (const item of list) {
      const id = this.idOf(item);
      if (id !== undefined) this.found.set(id, item);
    }
  }
  get(item: unknown): unknown {
    const id = this.idOf(item);
    return id === undefined ? undefined : this.found.get(id);
  }
  private idOf(item: unknown): string | undefined {
    return isObject(item) ? JSON.stringify(this.keys.map((key) => item[key] ?? null)) : undefined;
  }
}

/**
 * A value beside the one it was before, as far as it can be told which one that is. What has not changed may stay as it
 * is although a newer schema refuses it.
 */
export class Correlation {
  private readonly children = new Map<string | number, Correlation | undefined>();
  private items: KeyedItems | undefined;
  private same: boolean | undefined;

  constructor(
    readonly value: unknown,
    readonly old: unknown,
    private readonly schema: Schema,
  ) {}

  get unchanged(): boolean {
    this.same ??= this.compare();
    return this.same;
  }

  private compare(): boolean {
    const { value, old } = this;
    if (Array.isArray(value) && Array.isArray(old)) {
      if (this.schema.listType !== "map") return deepEqual(value, old);
      return value.length === old.length && value.every((_, at) => this.index(at)?.unchanged === true);
    }
    if (isObject(value) && isObject(old)) {
      const keys = Object.keys(value);
      return keys.length === Object.keys(old).length && keys.every((key) => this.key(key)?.unchanged === true);
    }
    return deepEqual(value, old);
  }

  key(name: string): Correlation | undefined {
    if (this.children.has(name)) return this.children.get(name);
    const { value, old } = this;
    const schema = memberSchema(this.schema, name);
    const known =
      isObject(value) &&
      isObject(old) &&
      Object.hasOwn(value, name) &&
      Object.hasOwn(old, name) &&
      schema !== undefined;
    const child = known ? new Correlation(value[name], old[name], schema) : undefined;
    this.children.set(name, child);
    return child;
  }

  index(at: number): Correlation | undefined {
    if (this.children.has(at)) return this.children.get(at);
    const { value, old } = this;
    const { items, listType, listKeys = [] } = this.schema;
    let child: Correlation | undefined;
    if (Array.isArray(value) && Array.isArray(old) && listType === "map" && items !== undefined) {
      this.items ??= new KeyedItems(old, listKeys);
      const before = this.items.get(value[at]);
      if (before !== undefined) child = new Correlation(value[at], before, items);
    }
    this.children.set(at, child);
    return child;
  }
}
