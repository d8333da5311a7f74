import { canonicalJson } from "@tiphys/canonical-json";
import { InvalidArgumentError, LimitExceededError, messageOf } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import { parseYamlDocuments } from "@tiphys/yaml";
import type { Manifest } from "./manifest-service.js";

export interface SourceFile {
  /** Path in the repository, for messages. */
  readonly path: string;
  readonly text: string;
}

const SKIP_MARKER = "+argocd:skip-file-rendering";

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A file that does not parse is an error when it looks like a manifest; else it is no manifest, as in Argo CD. */
const looksLikeManifest = (text: string): boolean =>
  ["apiVersion:", "kind:", "metadata:"].every((word) => text.includes(word));

function checkObject(value: unknown, path: string, line: number, inList: string): Record<string, unknown> {
  const at = `${path}${line > 0 ? `:${line}` : ""}${inList}`;
  if (!isRecord(value)) throw new InvalidArgumentError("", `${at}: the document is not an object`);
  for (const field of ["apiVersion", "kind"] as const) {
    if (typeof value[field] !== "string" || value[field] === "") {
      throw new InvalidArgumentError("", `${at}: ${field} is missing`);
    }
  }
  const { metadata } = value;
  if (!isRecord(metadata) || (typeof metadata["name"] !== "string" && typeof metadata["generateName"] !== "string")) {
    throw new InvalidArgumentError("", `${at}: metadata.name of this ${value["kind"]} is missing or not a string`);
  }
  return value;
}

/** The objects of a document: the items of a list, and else itself. Throws where one is no Kubernetes object. */
export function objectsOf(value: unknown, path: string, line: number): Record<string, unknown>[] {
  if (
    isRecord(value) &&
    typeof value["kind"] === "string" &&
    value["kind"].endsWith("List") &&
    "items" in value &&
    !("spec" in value) &&
    !("status" in value)
  ) {
    const { items } = value;
    if (items === null) return [];
    if (Array.isArray(items)) return items.map((item, index) => checkObject(item, path, line, ` items[${index}]`));
  }
  return [checkObject(value, path, line, "")];
}

/** An object, and where it stands: `line` is 0 where that is not known. */
export interface PlacedObject {
  readonly object: Record<string, unknown>;
  readonly path: string;
  readonly line: number;
}

/**
 * Objects of plain YAML and JSON files, in the order of the files; a pure function of its arguments. `strict`: all of it is
 * meant to be manifests, so nothing is left out.
 */
export function readObjects(files: readonly SourceFile[], { strict = false } = {}): PlacedObject[] {
  const objects: PlacedObject[] = [];
  for (const { path, text } of files) {
    if (!strict && text.includes(SKIP_MARKER)) continue;
    const ofFile: PlacedObject[] = [];
    let problem: unknown;
    try {
      for (const { value, line } of parseYamlDocuments(text, { file: path })) {
        try {
          for (const object of objectsOf(value, path, line)) ofFile.push({ object, path, line });
        } catch (error) {
          problem ??= error;
        }
      }
    } catch (error) {
      problem ??= error;
    }
    if (problem !== undefined && (strict || ofFile.length > 0 || looksLikeManifest(text) || path.endsWith(".json"))) {
      const message = messageOf(problem);
      if (problem instanceof LimitExceededError) throw problem;
      throw new InvalidArgumentError("", message.includes(path) ? message : `${path}: ${message}`, { cause: problem });
    }
    if (problem === undefined) objects.push(...ofFile);
  }
  return objects;
}

/** Objects as manifests. Throws where they are too large together. */
export function manifestsOf(objects: readonly PlacedObject[]): Manifest[] {
  let bytes = 0;
  return objects.map(({ object, path, line }) => {
    const json = canonicalJson(object);
    bytes += json.length;
    if (bytes > limits.renderOutputBytes) {
      throw new LimitExceededError(
        `the manifests of one source are larger than ${limits.renderOutputBytes} bytes together`,
      );
    }
    return { json, path, line };
  });
}

/** Manifests of plain YAML and JSON files, in the order of the files; a pure function of its arguments. */
export const renderDirectory = (files: readonly SourceFile[]): Manifest[] => manifestsOf(readObjects(files));
