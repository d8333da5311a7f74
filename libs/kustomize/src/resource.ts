import { messageOf } from "@tiphys/errors";
import { parseYamlDocuments, writtenText } from "@tiphys/yaml";
import { at, copy, type Data, get, has, isMap, put, textOf } from "./data.js";
import { fail, KustomizeError } from "./errors.js";
import { groupVersion, type ResourceId } from "./ids.js";

export type Behavior = "create" | "replace" | "merge" | "";

/** An object under way through a build, and what the build knows of it beside its content. */
export class Resource {
  /** Ids that it had, oldest first. */
  previous: ResourceId[] = [];
  prefixes: string[] = [];
  suffixes: string[] = [];
  behavior: Behavior = "";
  needsHash = false;
  allowNameChange = false;
  allowKindChange = false;
  /** Names of vars that are read from it. */
  readonly vars: string[] = [];
  /** Set when a patch deleted it. */
  gone = false;

  constructor(public object: Data) {}

  get kind(): string {
    return textOf(get(this.object, "kind"));
  }
  get apiVersion(): string {
    return textOf(get(this.object, "apiVersion"));
  }
  get name(): string {
    return textOf(at(this.object, "metadata", "name"));
  }
  get namespace(): string {
    return textOf(at(this.object, "metadata", "namespace"));
  }
  get annotations(): Data {
    const found = at(this.object, "metadata", "annotations");
    return isMap(found) ? found : {};
  }
  get labels(): Data {
    const found = at(this.object, "metadata", "labels");
    return isMap(found) ? found : {};
  }

  metadata(): Data {
    const found = get(this.object, "metadata");
    if (isMap(found)) return found;
    const made: Data = {};
    put(this.object, "metadata", made);
    return made;
  }

  set name(name: string) {
    put(this.metadata(), "name", name);
  }

  setNamespace(namespace: string): void {
    if (namespace) put(this.metadata(), "namespace", namespace);
    else delete this.metadata()["namespace"];
  }

  makeAnnotations(): Data {
    const metadata = this.metadata();
    if (!isMap(metadata["annotations"])) put(metadata, "annotations", {});
    return metadata["annotations"] as Data;
  }

  /** Writes labels or annotations anew, each as a text of its own, nulls too; none are there where none are left. */
  rewrite(field: "labels" | "annotations"): void {
    const metadata = get(this.object, "metadata");
    const map = get(metadata, field);
    if (!isMap(metadata) || map === undefined) return;
    const texts: Data = {};
    for (const [key, value] of Object.entries(isMap(map) ? map : {})) {
      put(texts, key, value === null ? "null" : (writtenText(map as Data, key) ?? textOf(value)));
    }
    if (Object.keys(texts).length > 0) put(metadata, field, texts);
    else delete metadata[field];
  }

  annotate(key: string, value: string): void {
    put(this.makeAnnotations(), key, value);
  }

  id(): ResourceId {
    return { ...groupVersion(this.apiVersion), kind: this.kind, name: this.name, namespace: this.namespace };
  }

  originalId(): ResourceId {
    return this.previous[0] ?? this.id();
  }

  /** Its present id and all that it had. */
  ids(): ResourceId[] {
    return [...this.previous, this.id()];
  }

  /** True when the original has noted something of its own in the annotations by now, so that they are there. */
  get isNoted(): boolean {
    return (
      this.previous.length + this.prefixes.length + this.suffixes.length > 0 || this.needsHash || this.behavior !== ""
    );
  }

  rememberId(): void {
    this.previous.push(this.id());
  }

  clone(): Resource {
    const twin = new Resource(copy(this.object));
    Object.assign(twin, {
      previous: [...this.previous],
      prefixes: [...this.prefixes],
      suffixes: [...this.suffixes],
      behavior: this.behavior,
      needsHash: this.needsHash,
      allowNameChange: this.allowNameChange,
      allowKindChange: this.allowKindChange,
    });
    twin.vars.push(...this.vars);
    return twin;
  }
}

/** Resources of a text with YAML documents; lists are taken apart. Throws where a document is none. */
export function parseResources(text: string, file: string): Resource[] {
  let documents: { value: unknown; line: number }[];
  try {
    documents = parseYamlDocuments(text, { file, asNodes: true });
  } catch (error) {
    throw error instanceof KustomizeError ? error : new KustomizeError(messageOf(error), { cause: error });
  }
  return documents
    .flatMap(({ value, line }) => objectsOf(value, `${file}:${line}`))
    .map((object) => new Resource(object));
}

function objectsOf(value: unknown, place: string): Data[] {
  if (Array.isArray(value) && value.length === 0) return [];
  if (!isMap(value)) return fail(`${place}: the document is not an object`);
  if (Object.keys(value).length === 0) return [];
  if (typeof value["kind"] !== "string" || value["kind"] === "")
    fail(`${place}: missing Resource metadata: kind is missing`);
  if ((value["kind"] as string).endsWith("List") && has(value, "items")) {
    const { items } = value;
    if (items === null) return [];
    if (!Array.isArray(items)) return fail(`${place}: items of a ${value["kind"]} must be a list`);
    return items.flatMap((item) => objectsOf(item, place));
  }
  const name = at(value, "metadata", "name");
  if (isList(value["kind"] as string)) return [value];
  if (name === undefined || name === null || name === "") fail(`${place}: missing metadata.name in a ${value["kind"]}`);
  for (const map of ["labels", "annotations"]) checkTexts(at(value, "metadata", map), `${place}: metadata.${map}`);
  return [value];
}

const isList = (kind: string): boolean => kind === "List" || kind.endsWith("List");

function checkTexts(map: unknown, place: string): void {
  if (map === undefined || map === null) return;
  if (!isMap(map)) fail(`${place} must be a map of texts`);
}
