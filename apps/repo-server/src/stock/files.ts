import { Readable } from "node:stream";
import { unpack } from "@tiphys/chart-source";
import { LimitExceededError, NotFoundError } from "@tiphys/errors";
import { FILE_NAMES } from "@tiphys/kustomize";
import { limits } from "@tiphys/limits";
import type { Root } from "@tiphys/render";
import { parseYaml } from "@tiphys/yaml";
import { fileObjects } from "../file-objects.js";

/** A file of a source by its path. */
export interface SourceFile {
  readonly path: string;
  readonly id: string;
}

/** A source that is looked at, whatever it is: a folder of it, walked. */
export interface Walked {
  readonly folders: readonly string[];
  readonly files: readonly SourceFile[];
  read(file: SourceFile): Promise<Buffer>;
}

/** All files and folders of a source below `top`, sorted; links are neither. */
export async function walk(root: Root, top = ""): Promise<Walked> {
  const { id, objects } = root.kind === "archive" ? fileObjects(await unpackRoot(root)) : root;
  let start = id;
  for (const part of top.split("/").filter((each) => each !== "" && each !== ".")) {
    const next = (await objects.entries(start)).find(({ name, kind }) => name === part && kind === "tree");
    if (!next) throw new NotFoundError(`${top}: app path does not exist`);
    start = next.id;
  }
  const folders: string[] = [];
  const files: SourceFile[] = [];
  const into = async (tree: string, prefix: string): Promise<void> => {
    for (const { name, kind, id: own } of await objects.entries(tree)) {
      const path = prefix + name;
      if (kind === "blob") files.push({ path, id: own });
      if (kind === "tree") {
        folders.push(path);
        await into(own, `${path}/`);
      }
      if (files.length + folders.length > 10 * limits.renderFiles) {
        throw new LimitExceededError(`the source has more than ${10 * limits.renderFiles} files`);
      }
    }
  };
  await into(start, "");
  return { folders, files, read: async (file) => Buffer.from(await objects.blob(file.id, limits.yamlFileBytes)) };
}

async function unpackRoot({ id, objects }: Root): Promise<Map<string, Uint8Array>> {
  const bytes = await objects.blob(id, limits.chartArchiveBytes);
  return unpack(Readable.from([bytes]), "the chart", 1);
}

/** The type of each folder that is a chart or a kustomization; a plain folder is none. */
export function typesOfFolders({ files }: Walked, isEnabled: (type: string) => boolean): Map<string, string> {
  const found = new Map<string, string>();
  for (const { path } of files) {
    const slash = path.lastIndexOf("/");
    const name = path.slice(slash + 1);
    const folder = slash < 0 ? "." : path.slice(0, slash);
    if (name === "Chart.yaml" && isEnabled("Helm")) found.set(folder, "Helm");
    else if (FILE_NAMES.some((each) => each === name) && isEnabled("Kustomize") && !found.has(folder)) {
      found.set(folder, "Kustomize");
    }
  }
  return found;
}

/** Values one by one: `image.tag`, `list[0].name`. */
export function flatValues(texts: readonly string[]): Map<string, string> {
  const found = new Map<string, string>();
  const add = (value: unknown, name: string, depth: number): void => {
    if (depth > limits.documentDepth || found.size > limits.renderFiles) return;
    if (Array.isArray(value)) {
      for (const [at, item] of value.entries()) add(item, `${name}[${at}]`, depth + 1);
    } else if (typeof value === "object" && value !== null) {
      for (const [key, item] of Object.entries(value)) add(item, name === "" ? key : `${name}.${key}`, depth + 1);
    } else if (name !== "") found.set(name, value === null || value === undefined ? "<nil>" : String(value));
  };
  for (const text of texts) add(parseYaml(text), "", 0);
  return found;
}
