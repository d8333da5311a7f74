import { messageOf } from "@tiphys/errors";
import { parseVersion } from "@tiphys/semver";
import { basePath, compareStrings, GoMap, type GoValue, quote } from "@tiphys/template";
import { parseYamlDocuments } from "@tiphys/yaml";
import type { Lock } from "./dependency-build.js";
import { ChartError } from "./errors.js";
import { sanitize } from "./strings.js";
import { scalarText } from "./yaml.js";

export interface Maintainer {
  name: string;
  email: string;
  url: string;
}

export interface Dependency {
  name: string;
  version: string;
  repository: string;
  condition: string;
  tags: string[];
  enabled: boolean;
  importValues: GoValue[];
  alias: string;
}

/** Chart.yaml. */
export interface Metadata {
  name: string;
  home: string;
  sources: string[];
  version: string;
  description: string;
  keywords: string[];
  maintainers: Maintainer[];
  icon: string;
  apiVersion: string;
  condition: string;
  tags: string;
  appVersion: string;
  deprecated: boolean;
  annotations: Map<string, string> | undefined;
  kubeVersion: string;
  /** Undefined when Chart.yaml has none: nothing is then switched on or off. */
  dependencies: Dependency[] | undefined;
  type: string;
}

const kindName = (value: unknown): string =>
  Array.isArray(value)
    ? "array"
    : typeof value === "object"
      ? "object"
      : typeof value === "boolean"
        ? "bool"
        : typeof value === "number" || typeof value === "bigint"
          ? "number"
          : "string";

class Reader {
  constructor(
    private readonly object: Readonly<Record<string, unknown>>,
    private readonly type: string,
  ) {}

  /** A member by its name in any letters of case: Go's JSON reader takes them all, in their order, and the last one stays. */
  get(name: string): unknown {
    const lower = name.toLowerCase();
    const key = Object.keys(this.object)
      .filter((each) => each.toLowerCase() === lower)
      .sort(compareStrings)
      .at(-1);
    return key === undefined ? undefined : this.object[key];
  }

  private wrong(name: string, value: unknown, type: string): never {
    throw new Error(
      `error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${kindName(value)} into Go struct field ${this.type}.${name} of type ${type}`,
    );
  }

  text(name: string): string {
    const value = this.get(name);
    return scalarText(value) ?? this.wrong(name, value, "string");
  }

  boolean(name: string): boolean {
    const value = this.get(name) ?? false;
    return typeof value === "boolean" ? value : this.wrong(name, value, "bool");
  }

  list(name: string): unknown[] | undefined {
    const value = this.get(name);
    if (value === undefined || value === null) return undefined;
    return Array.isArray(value) ? value : this.wrong(name, value, "[]string");
  }

  texts(name: string): string[] {
    return (this.list(name) ?? []).map((item) => scalarText(item) ?? this.wrong(name, item, "string"));
  }

  map(name: string): Map<string, string> | undefined {
    const value = this.get(name);
    if (value === undefined || value === null) return undefined;
    if (typeof value !== "object" || Array.isArray(value)) return this.wrong(name, value, "map[string]string");
    return new Map(
      Object.entries(value).map(([key, member]) => [key, scalarText(member) ?? this.wrong(name, member, "string")]),
    );
  }

  objects(name: string, type: string): (Reader | undefined)[] | undefined {
    return this.list(name)?.map((item) => {
      if (item === null) return undefined;
      if (typeof item !== "object" || Array.isArray(item)) return this.wrong(name, item, type);
      return new Reader(item as Record<string, unknown>, type);
    });
  }
}

function readObject(text: string, file: string, type: string): Reader {
  let value: unknown;
  try {
    value = parseYamlDocuments(text)[0]?.value ?? {};
  } catch (error) {
    throw new ChartError(`cannot load ${file}: error converting YAML to JSON: ${messageOf(error)}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ChartError(
      `cannot load ${file}: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${kindName(value)} into Go value of type v2.${type}`,
    );
  }
  return new Reader(value as Record<string, unknown>, type);
}

const loading = <T>(file: string, work: () => T): T => {
  try {
    return work();
  } catch (error) {
    if (error instanceof ChartError) throw error;
    throw new ChartError(`cannot load ${file}: ${messageOf(error)}`);
  }
};

const invalid = (message: string): never => {
  throw new ChartError(`validation: ${message}`);
};

function readDependencies(reader: Reader, plain: (value: unknown) => GoValue): Dependency[] | undefined {
  return reader.objects("dependencies", "Dependency")?.map((each) => {
    if (!each) return invalid("dependencies must not contain empty or null nodes");
    return {
      name: each.text("name"),
      version: each.text("version"),
      repository: each.text("repository"),
      condition: each.text("condition"),
      tags: each.texts("tags"),
      enabled: each.boolean("enabled"),
      importValues: (each.list("import-values") ?? []).map(plain),
      alias: each.text("alias"),
    };
  });
}

/** Reads Chart.yaml; an absent apiVersion is v1. Throws a {@link ChartError}. */
export function readMetadata(text: string, plain: (value: unknown) => GoValue): Metadata {
  return loading("Chart.yaml", () => {
    const reader = readObject(text, "Chart.yaml", "Metadata");
    return {
      name: reader.text("name"),
      home: reader.text("home"),
      sources: reader.texts("sources"),
      version: reader.text("version"),
      description: reader.text("description"),
      keywords: reader.texts("keywords"),
      maintainers: (reader.objects("maintainers", "Maintainer") ?? []).map((each) =>
        each
          ? { name: each.text("name"), email: each.text("email"), url: each.text("url") }
          : invalid("maintainers must not contain empty or null nodes"),
      ),
      icon: reader.text("icon"),
      apiVersion: reader.text("apiVersion") || "v1",
      condition: reader.text("condition"),
      tags: reader.text("tags"),
      appVersion: reader.text("appVersion"),
      deprecated: reader.boolean("deprecated"),
      annotations: reader.map("annotations"),
      kubeVersion: reader.text("kubeVersion"),
      dependencies: readDependencies(reader, plain),
      type: reader.text("type"),
    };
  });
}

/** The dependencies of a requirements.yaml, where charts of v1 have them. */
export const readRequirements = (text: string, plain: (value: unknown) => GoValue): Dependency[] | undefined =>
  loading("requirements.yaml", () => readDependencies(readObject(text, "requirements.yaml", "Metadata"), plain));

/** Chart.lock or requirements.lock. */
export const readLock = (text: string, file: string, plain: (value: unknown) => GoValue): Lock =>
  loading(file, () => {
    const reader = readObject(text, file, "Lock");
    return { digest: reader.text("digest"), dependencies: readDependencies(reader, plain) ?? [] };
  });

const aliasName = /^[a-zA-Z0-9_-]+$/;

/** Helm's checks of Chart.yaml, in its order. Texts are sanitized in place. */
export function validateMetadata(metadata: Metadata): void {
  for (const field of [
    "name",
    "description",
    "home",
    "icon",
    "condition",
    "tags",
    "appVersion",
    "kubeVersion",
  ] as const) {
    metadata[field] = sanitize(metadata[field]);
  }
  metadata.sources = metadata.sources.map(sanitize);
  metadata.keywords = metadata.keywords.map(sanitize);
  const { name, version, type } = metadata;
  if (metadata.apiVersion !== "v1" && metadata.apiVersion !== "v2") throw new ChartError("unsupported chart version");
  if (name === "") invalid("chart.metadata.name is required");
  if (name === "." || name === "..") invalid(`chart.metadata.name ${quote(name)} is not allowed`);
  if (name !== basePath(name)) invalid(`chart.metadata.name ${quote(name)} is invalid`);
  if (version === "") invalid("chart.metadata.version is required");
  try {
    parseVersion(version);
  } catch {
    invalid(`chart.metadata.version ${quote(version)} is invalid`);
  }
  if (!["", "application", "library"].includes(type)) invalid("chart.metadata.type must be application or library");
  for (const maintainer of metadata.maintainers) {
    maintainer.name = sanitize(maintainer.name);
    maintainer.email = sanitize(maintainer.email);
    maintainer.url = sanitize(maintainer.url);
  }
  const seen = new Set<string>();
  for (const dependency of metadata.dependencies ?? []) {
    for (const field of ["name", "version", "repository", "condition"] as const)
      dependency[field] = sanitize(dependency[field]);
    dependency.tags = dependency.tags.map(sanitize);
    if (dependency.alias !== "" && !aliasName.test(dependency.alias)) {
      invalid(`dependency ${quote(dependency.name)} has disallowed characters in the alias`);
    }
    const key = dependency.alias || dependency.name;
    if (seen.has(key)) invalid(`more than one dependency with name or alias ${quote(key)}`);
    seen.add(key);
  }
}

/** Chart.yaml as `.Chart` shows it: a map by the names of Go's fields. */
export function metadataValue(metadata: Metadata, isRoot: boolean): Map<string, GoValue> {
  const { annotations, dependencies } = metadata;
  return new Map<string, GoValue>([
    ["Name", metadata.name],
    ["Home", metadata.home],
    ["Sources", [...metadata.sources]],
    ["Version", metadata.version],
    ["Description", metadata.description],
    ["Keywords", [...metadata.keywords]],
    [
      "Maintainers",
      metadata.maintainers.map(
        ({ name, email, url }) =>
          new Map([
            ["Name", name],
            ["Email", email],
            ["URL", url],
          ]),
      ),
    ],
    ["Icon", metadata.icon],
    ["APIVersion", metadata.apiVersion],
    ["Condition", metadata.condition],
    ["Tags", metadata.tags],
    ["AppVersion", metadata.appVersion],
    ["Deprecated", metadata.deprecated],
    ["Annotations", new GoMap("map[string]string", "string", annotations ?? [])],
    ["KubeVersion", metadata.kubeVersion],
    [
      "Dependencies",
      (dependencies ?? []).map(
        (each) =>
          new Map<string, GoValue>([
            ["Name", each.name],
            ["Version", each.version],
            ["Repository", each.repository],
            ["Condition", each.condition],
            ["Tags", [...each.tags]],
            ["Enabled", each.enabled],
            ["ImportValues", [...each.importValues]],
            ["Alias", each.alias],
          ]),
      ),
    ],
    ["Type", metadata.type],
    ["IsRoot", isRoot],
  ]);
}
