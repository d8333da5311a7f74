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
  const at = `${path}:${line}${inList}`;
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

function expand(value: unknown, path: string, line: number): Record<string, unknown>[] {
  if (
    isRecord(value) &&
    typeof value["kind"] === "string" &&
    value["kind"].endsWith("List") &&
    Array.isArray(value["items"])
  ) {
    return value["items"].map((item, index) => checkObject(item, path, line, ` items[${index}]`));
  }
  return [checkObject(value, path, line, "")];
}

/** Objects of plain YAML and JSON files, in the order of the files; a pure function of its arguments. */
export function renderDirectory(files: readonly SourceFile[]): Manifest[] {
  const manifests: Manifest[] = [];
  let bytes = 0;
  for (const { path, text } of files) {
    if (text.includes(SKIP_MARKER)) continue;
    const ofFile: Manifest[] = [];
    let problem: unknown;
    try {
      for (const { value, line } of parseYamlDocuments(text, { file: path })) {
        try {
          for (const object of expand(value, path, line)) ofFile.push({ json: canonicalJson(object), path, line });
        } catch (error) {
          problem ??= error;
        }
      }
    } catch (error) {
      problem ??= error;
    }
    if (problem !== undefined && (ofFile.length > 0 || looksLikeManifest(text) || path.endsWith(".json"))) {
      const message = messageOf(problem);
      if (problem instanceof LimitExceededError) throw problem;
      throw new InvalidArgumentError("", message.includes(path) ? message : `${path}: ${message}`, { cause: problem });
    }
    if (problem !== undefined) continue;
    for (const manifest of ofFile) {
      bytes += manifest.json.length;
      if (bytes > limits.renderOutputBytes) {
        throw new LimitExceededError(
          `the manifests of one source are larger than ${limits.renderOutputBytes} bytes together`,
        );
      }
      manifests.push(manifest);
    }
  }
  return manifests;
}
