import { clone, deepEqual } from "@tiphys/canonical-json";
import { LimitExceededError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import { PatchError } from "./errors.js";
import { setOwn } from "./merge-patch.js";
import { isObject, type Json } from "./typed.js";

export interface JsonPatchStep {
  readonly op: string;
  readonly path: string;
  readonly from?: string;
  readonly value?: unknown;
}

/** JSON patch (RFC 6902). The target is not changed; a failed step leaves nothing done. */
export function jsonPatch<T = unknown>(target: unknown, operations: readonly JsonPatchStep[]): T {
  if (!Array.isArray(operations)) throw new PatchError("malformed", "a JSON patch is a list of operations");
  if (operations.length > limits.jsonPatchOperations) {
    throw new PatchError(
      "malformed",
      `The allowed maximum operations in a JSON patch is ${limits.jsonPatchOperations}, got ${operations.length}`,
    );
  }
  let result: Json = clone(target);
  let copied = 0;
  for (const operation of operations) {
    if (operation?.op === "copy" && typeof operation.from === "string") {
      copied += sizeOf(source(result, operation));
      // Copies of copies double with every step: what they add together is limited, as by the real server.
      if (copied > limits.kubeRequestBytes) {
        throw new LimitExceededError(
          `the copy operations of the JSON patch add ${copied} bytes, the limit is ${limits.kubeRequestBytes}`,
        );
      }
    }
    result = step(result, operation);
  }
  return result as T;
}

/** Length of the JSON text, about. */
function sizeOf(value: unknown): number {
  if (typeof value === "string") return value.length + 2;
  if (value === null || typeof value !== "object") return 8;
  let size = 2;
  for (const [key, member] of Object.entries(value)) size += key.length + 4 + sizeOf(member);
  return size;
}

function step(root: Json, operation: JsonPatchStep): Json {
  if (!isObject(operation) || typeof operation.path !== "string") {
    throw new PatchError("malformed", "every operation of a JSON patch needs an op and a path");
  }
  const { op, path } = operation;
  switch (op) {
    case "add":
      return add(root, path, clone(operation.value ?? null), op);
    case "remove":
      return remove(root, path, op);
    case "replace":
      // As the API server, which sets a member that is not there yet although RFC 6902 says otherwise.
      return path === "" ? clone(operation.value ?? null) : replace(root, path, clone(operation.value ?? null));
    case "move": {
      const value = source(root, operation);
      if (path.startsWith(`${operation.from}/`)) {
        throw new PatchError("inapplicable", `move operation: ${path} is inside ${operation.from}`);
      }
      return add(remove(root, operation.from!, op), path, value, op);
    }
    case "copy":
      return add(root, path, clone(source(root, operation)), op);
    case "test":
      if (!deepEqual(read(root, path) ?? null, operation.value ?? null)) {
        throw new PatchError("inapplicable", `testing value ${path} failed: test failed`);
      }
      return root;
    default:
      throw new PatchError("malformed", `Unexpected kind: ${JSON.stringify(op)}`);
  }
}

function source(root: Json, { op, from }: JsonPatchStep): Json {
  if (typeof from !== "string") throw new PatchError("malformed", `${op} operation needs "from"`);
  const value = read(root, from);
  if (value === undefined) throw missing(op, from);
  return value;
}

const missing = (op: string, path: string) =>
  new PatchError("inapplicable", `${op} operation does not apply: doc is missing path: ${path}: missing value`);

function tokens(path: string): string[] {
  if (path === "") return [];
  if (path[0] !== "/") throw new PatchError("malformed", `path ${JSON.stringify(path)} must start with "/"`);
  const parts = path.slice(1).split("/");
  if (parts.length > limits.documentDepth) throw new PatchError("malformed", `path ${path} is too deep`);
  return parts.map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function index(token: string, path: string): number {
  if (!/^(0|[1-9]\d*)$/.test(token)) throw new PatchError("inapplicable", `${path}: ${token} is no list index`);
  return Number(token);
}

function child(value: Json, token: string, path: string): Json {
  if (Array.isArray(value)) return token === "-" ? undefined : value[index(token, path)];
  return isObject(value) && Object.hasOwn(value, token) ? value[token] : undefined;
}

const read = (root: Json, path: string): Json =>
  tokens(path).reduce<Json>((value, token) => child(value, token, path), root);

function parentOf(root: Json, path: string, op: string): { parent: Json; last: string } {
  const parts = tokens(path);
  const last = parts.pop()!;
  const parent = parts.reduce<Json>((value, token) => child(value, token, path), root);
  if (parent === null || typeof parent !== "object") throw missing(op, path);
  return { parent, last };
}

/** True when `value` has more than `levels` levels. */
function deeperThan(value: Json, levels: number): boolean {
  if (value === null || typeof value !== "object") return false;
  return levels === 0 || Object.values(value).some((member) => deeperThan(member as Json, levels - 1));
}

function add(root: Json, path: string, value: Json, op: string): Json {
  // Copies and moves nest what no single value does.
  if (deeperThan(value, Math.max(0, limits.documentDepth - tokens(path).length))) {
    throw new LimitExceededError(`${op} operation: ${path} would be nested deeper than ${limits.documentDepth} levels`);
  }
  if (path === "") return value;
  const { parent, last } = parentOf(root, path, op);
  if (Array.isArray(parent)) {
    const at = last === "-" ? parent.length : index(last, path);
    if (at > parent.length)
      throw new PatchError("inapplicable", `${op} operation: ${path} is beyond the end of its list`);
    parent.splice(at, 0, value);
  } else setOwn(parent as Record<string, Json>, last, value);
  return root;
}

function replace(root: Json, path: string, value: Json): Json {
  const { parent, last } = parentOf(root, path, "replace");
  if (Array.isArray(parent)) {
    if (index(last, path) >= parent.length) throw missing("replace", path);
    parent[index(last, path)] = value;
  } else setOwn(parent as Record<string, Json>, last, value);
  return root;
}

function remove(root: Json, path: string, op: string): Json {
  if (path === "") return null;
  const { parent, last } = parentOf(root, path, op);
  if (child(parent, last, path) === undefined) throw missing(op, path);
  if (Array.isArray(parent)) parent.splice(index(last, path), 1);
  else delete (parent as Record<string, Json>)[last];
  return root;
}
