import { digest } from "@tiphys/canonical-json";
import type { Ask } from "@tiphys/child-process";
import { InvalidArgumentError, messageOf } from "@tiphys/errors";
import type { Outside } from "@tiphys/jsonnet";
import { joinPath, KUSTOMIZE_VERSION } from "@tiphys/kustomize";
import type { ApplicationSource, JsonnetVariable } from "@tiphys/resources";
import type { Environment } from "@tiphys/template";
import { parseYaml } from "@tiphys/yaml";
import { archiveTree } from "./archive-tree.js";
import { environmentValue, type RenderContext, substitute } from "./build-environment.js";
import { manifestsOf, objectsOf } from "./directory.js";
import { helmValues } from "./helm-source.js";
import { editKustomization } from "./kustomize-source.js";
import type { Manifest, RenderWarning } from "./manifest-service.js";
import { mergePatch } from "./merge-patch.js";
import type { ObjectStore } from "./object-store.js";
import { objectTree } from "./object-tree.js";
import { Later, type OutsideQuestion, type Placed, type Question, questionKey } from "./questions.js";
import type { Reads } from "./reads.js";
import { renderSource, type SourceOptions, type SourceTree, type SourceType, sourceTypeOf } from "./source.js";

/** One piece of work for a render child: a source of an Application, and where its files are. */
export interface RenderJob {
  readonly source: ApplicationSource;
  readonly context: RenderContext;
  /** `""` is the source's own, the others are the references by name. */
  readonly roots: Readonly<Record<string, RootFiles>>;
}

export interface RootFiles {
  readonly kind: "folder" | "archive";
  readonly id: string;
}

export type RenderResult =
  | {
      readonly type: SourceType;
      readonly manifests: Manifest[];
      readonly reads: Reads;
      readonly warnings: readonly RenderWarning[];
    }
  /** The source is one for a plugin; overrides are in it. */
  | { readonly type: "Plugin"; readonly source: ApplicationSource; readonly reads: Reads }
  /** What has to be answered before it can be rendered. */
  | { readonly type: "Later"; readonly questions: readonly Question[] };

const OVERRIDE = /^\.argocd-source(?:-(.*))?\.yaml$/;

/** What a render has beside its job. */
export interface RenderMachine {
  readonly store: ObjectStore;
  readonly ask: Ask;
  /** Time and random bytes that templates ask for. */
  readonly environment: Environment;
  /** How deep templates may be inside one another; absent: what Node's own stack holds. */
  readonly depth?: number;
}

/** Renders a source of an Application. What it looks at comes through `ask`, and is told in the result. */
export function renderApplicationSource(job: RenderJob, machine: RenderMachine): RenderResult {
  const files = new Map<string, string>();
  const values = new Map<string, string>();
  const later: Question[] = [];
  const asking: Ask = (question) => {
    try {
      return machine.ask(question);
    } catch (error) {
      // Kept here, as an engine may take a file that cannot be read for one that is not there.
      if (error instanceof Later) later.push(error.question);
      throw error;
    }
  };
  const run = new Run(job, { ...machine, ask: asking }, files, values);
  let result: RenderResult | undefined;
  let problem: unknown;
  try {
    result = run.render();
  } catch (error) {
    problem = error;
  }
  if (later.length > 0) return { type: "Later", questions: later };
  if (!result) throw problem;
  return result;
}

class Run {
  private readonly trees = new Map<string, SourceTree>();
  private readonly warnings: RenderWarning[] = [];

  constructor(
    private readonly job: RenderJob,
    private readonly machine: RenderMachine,
    private readonly files: Map<string, string>,
    private readonly values: Map<string, string>,
  ) {}

  render(): RenderResult {
    const tree = this.tree("") as SourceTree;
    const folder = joinPath("", this.job.source.path ?? "");
    if (folder === undefined) {
      throw new InvalidArgumentError(
        "spec.source.path",
        `"${this.job.source.path}" must be a folder inside the repository`,
      );
    }
    if (!tree.isFolder(folder)) {
      throw new InvalidArgumentError("spec.source.path", `${this.job.source.path}: app path does not exist`);
    }
    const source = this.overridden(tree, folder);
    const type = explicitType(source) ?? sourceTypeOf(tree.list(folder));
    if (type === "Plugin") return { type, source, reads: this.reads() };
    const { objects } = renderSource(tree, folder, this.options(tree, folder, source, type), type);
    const placed = objects.flatMap(({ object, path, line = 0 }) =>
      objectsOf(object, path, line).map((each) => ({ object: each, path, line })),
    );
    return { type, manifests: manifestsOf(placed), reads: this.reads(), warnings: this.warnings };
  }

  private reads(): Reads {
    return { files: Object.fromEntries(this.files), values: Object.fromEntries(this.values) };
  }

  /** The files of a root; undefined where there is none of that name. */
  private tree(root: string): SourceTree | undefined {
    const known = this.trees.get(root);
    if (known) return known;
    const { roots } = this.job;
    const at = Object.hasOwn(roots, root) ? roots[root] : undefined;
    return at && this.open(root, at);
  }

  private open(root: string, { kind, id }: RootFiles): SourceTree {
    const { store, ask } = this.machine;
    let tree: SourceTree;
    if (kind === "archive") {
      this.files.set(`${root}:`, `t:${id}`);
      tree = archiveTree(id, () => store.files(ask, root, [id])[0] as Uint8Array);
    } else tree = objectTree({ store, ask, root, id, reads: this.files });
    this.trees.set(root, tree);
    return tree;
  }

  private value<K extends keyof RenderContext>(name: K): RenderContext[K] {
    const value = this.job.context[name];
    this.values.set(name, typeof value === "string" ? value : digest(value ?? []));
    return value;
  }

  private readonly substitute = (text: string): string =>
    substitute(text, (name) => {
      const value = environmentValue(name, this.job.context);
      this.values.set(`$${name}`, value);
      return value;
    });

  /** The source with what `.argocd-source.yaml` and the application's own file lay over it. */
  private overridden(tree: SourceTree, folder: string): ApplicationSource {
    const { source } = this.job;
    const found = tree.list(folder).filter((name) => OVERRIDE.test(name));
    if (found.length === 0) return source;
    const own = `.argocd-source-${this.value("appName")}.yaml`;
    let merged: unknown = source;
    for (const name of [".argocd-source.yaml", own]) {
      const path = folder === "" ? name : `${folder}/${name}`;
      const data = found.includes(name) ? tree.file(path) : undefined;
      if (!data) continue;
      let patch: unknown;
      try {
        patch = parseYaml(Buffer.from(data).toString("utf8"), { file: path });
      } catch (error) {
        throw new InvalidArgumentError("", `error while parsing source parameters: ${path}: ${messageOf(error)}`);
      }
      if (typeof patch !== "object" || patch === null || Array.isArray(patch)) {
        throw new InvalidArgumentError("", `error while parsing source parameters: ${path}: it is not an object`);
      }
      merged = mergePatch(merged, patch);
    }
    // Where the files come from is not theirs to say.
    const { repoURL, path, targetRevision, chart } = source;
    return { ...(merged as ApplicationSource), ...defined({ repoURL, path, targetRevision, chart }) };
  }

  private outside(question: OutsideQuestion): Placed {
    const placed = this.machine.ask(question).data as Placed;
    this.values.set(`?${questionKey(question)}`, placed.version);
    return placed;
  }

  /** A packed chart of a repository, for what names one. */
  private archive(source: ApplicationSource) {
    const pass = source.helm?.passCredentials ? { passCredentials: true as const } : {};
    return (repoURL: string, chart: string, version: string): Uint8Array => {
      const { root, id } = this.outside({ ask: "chart", repoURL, chart, version, ...pass });
      return this.file(root, id);
    };
  }

  private fetchText(url: string): string {
    const { root, id } = this.outside({ ask: "url", url });
    return Buffer.from(this.file(root, id)).toString("utf8");
  }

  private file(root: string, id: string): Uint8Array {
    const { store, ask } = this.machine;
    return store.files(ask, root, [id])[0] as Uint8Array;
  }

  private options(tree: SourceTree, folder: string, source: ApplicationSource, type: SourceType): SourceOptions {
    const { environment, depth } = this.machine;
    const common = { environment, archive: this.archive(source), ...(depth ? { depth } : {}) };
    if (type === "Helm") return { ...common, ...this.helm(tree, folder, source) };
    const helm: SourceOptions["helm"] = { releaseName: "release-name" };
    if (type === "Kustomize") return { ...common, ...this.kustomize(tree, folder, source) };
    return { environment, helm, directory: this.directory(source) };
  }

  private helm(tree: SourceTree, folder: string, source: ApplicationSource): Pick<SourceOptions, "helm" | "readFile"> {
    const options = source.helm ?? {};
    const { readFile, ...values } = helmValues({
      tree,
      folder,
      options,
      references: (name) => this.tree(name),
      substitute: this.substitute,
      fetchText: (url) => this.fetchText(url),
    });
    return {
      readFile,
      helm: {
        ...values,
        releaseName: options.releaseName || this.value("appName"),
        ...namespaceOf(options.namespace || this.value("namespace")),
        ...this.cluster(options),
        includeCrds: !options.skipCrds,
        skipTests: options.skipTests ?? false,
        skipSchemaValidation: options.skipSchemaValidation ?? false,
      },
    };
  }

  private cluster(options: { kubeVersion?: string; apiVersions?: string[] }) {
    const kubeVersion = options.kubeVersion || this.value("kubeVersion");
    return {
      ...(kubeVersion ? { kubeVersion } : {}),
      // What comes and goes in the cluster renders nothing anew but what looks at it.
      apiVersions: options.apiVersions?.length ? options.apiVersions : () => this.value("apiVersions"),
    };
  }

  private kustomize(
    tree: SourceTree,
    folder: string,
    source: ApplicationSource,
  ): Pick<SourceOptions, "helm" | "kustomize"> {
    const options = source.kustomize ?? {};
    if (options.version) this.registered(options.version);
    const exists = (component: string) => {
      const path = joinPath(folder, component);
      return path !== undefined && (tree.isFolder(path) || tree.file(path) !== undefined);
    };
    return {
      // Only charts that the kustomization inflates ask about the cluster.
      helm: lazily(() => ({ releaseName: "release-name", ...this.cluster(options) })),
      kustomize: {
        edit: (kustomization) => editKustomization(kustomization, options, this.substitute, exists),
        remote: (address) => {
          const placed = this.outside({ ask: "base", address });
          if (placed.kind === "file") return this.file(placed.root, placed.id);
          return { files: this.open(placed.root, placed as RootFiles), folder: placed.folder };
        },
      },
    };
  }

  /** One engine renders every version, and says so; a version that nobody has registered is a mistake, as in Argo CD. */
  private registered(version: string): void {
    if (!(this.value("kustomizeVersions") ?? []).includes(version)) {
      throw new InvalidArgumentError(
        "spec.source.kustomize.version",
        `kustomize version ${version} is not registered: argocd-cm has neither kustomize.path.${version} nor kustomize.version.${version}`,
      );
    }
    this.warnings.push({
      type: "NotImplementedWarning",
      message: `spec.source.kustomize.version: ${version} is registered, and the built-in engine renders it as kustomize ${KUSTOMIZE_VERSION} does`,
    });
  }

  private directory({ directory = {} }: ApplicationSource): NonNullable<SourceOptions["directory"]> {
    const { jsonnet = {}, ...plain } = directory;
    const outside = (variables: readonly JsonnetVariable[] = []): Record<string, Outside> =>
      Object.fromEntries(
        variables.map(({ name, value = "", code }) => {
          const text = this.substitute(value);
          return [name, code ? { code: text } : { text }];
        }),
      );
    const own = joinPath("", this.job.source.path ?? "") ?? "";
    const libraries = (jsonnet.libs ?? []).map((library) => {
      const path = joinPath("", library);
      if (path !== undefined) return path;
      throw new InvalidArgumentError(
        "spec.source.directory.jsonnet.libs",
        `file '${library}' resolved to outside repository root`,
      );
    });
    return {
      ...plain,
      jsonnet: {
        extVars: outside(jsonnet.extVars),
        topLevelArguments: outside(jsonnet.tlas),
        // The last library is asked first, and the source's own folder last.
        libraries: [...libraries.reverse(), own],
      },
    };
  }
}

const defined = <T extends object>(fields: T): Partial<T> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;

const namespaceOf = (namespace: string) => (namespace ? { namespace } : {});

/** An object whose fields are made when one of them is asked for. */
function lazily<T extends object>(make: () => T): T {
  let made: T | undefined;
  const get = (): T => {
    made ??= make();
    return made;
  };
  return new Proxy({} as T, { get: (_, field) => get()[field as keyof T] });
}

/** The type that a source names by the block it has. */
function explicitType(source: ApplicationSource): SourceType | "Plugin" | undefined {
  const types = (
    [
      ["Kustomize", source.kustomize],
      ["Helm", source.helm],
      ["Directory", source.directory],
      ["Plugin", source.plugin],
    ] as const
  )
    .filter(([, block]) => block !== undefined && block !== null)
    .map(([type]) => type);
  if (types.length > 1) {
    throw new InvalidArgumentError("spec.source", `multiple application sources defined: ${types.join(",")}`);
  }
  return types[0];
}
