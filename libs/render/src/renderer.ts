import type { Cache } from "@tiphys/cache";
import { digest } from "@tiphys/canonical-json";
import { matchGlob } from "@tiphys/diff";
import { InvalidArgumentError, LimitExceededError, UnimplementedError } from "@tiphys/errors";
import type { Repository, TreeFile } from "@tiphys/git";
import { limits } from "@tiphys/limits";
import type { DirectoryOptions, Manifest } from "./manifest-service.js";
import type { RenderPool } from "./pool.js";

export interface RenderSource {
  readonly repository: Repository;
  readonly commit: string;
  readonly path: string;
  readonly directory: DirectoryOptions | undefined;
  readonly noCache: boolean;
}

export interface Rendered {
  readonly key: string;
  readonly sourceType: string;
  readonly manifests: Manifest[];
}

export interface Renderer {
  render(source: RenderSource, signal?: AbortSignal): Promise<Rendered>;
}

/** Part of every key: a change of what an engine gives is a new version. */
const ENGINE = "directory/1";
const CACHE_MILLISECONDS = 24 * 3_600_000;
const KUSTOMIZATION: ReadonlySet<string> = new Set(["kustomization.yaml", "kustomization.yml", "Kustomization"]);

/** Refuses by name what would need another engine. */
function checkDirectory(names: readonly string[], explicit: boolean, path: string): void {
  const override = names.find((name) => /^\.argocd-source(-.*)?\.yaml$/.test(name));
  if (override) throw new UnimplementedError(`source overrides in ${override} (path ${path || "."})`);
  if (explicit) return;
  if (names.includes("Chart.yaml")) throw new UnimplementedError(`Helm source (path ${path || "."} has a Chart.yaml)`);
  const kustomization = names.find((name) => KUSTOMIZATION.has(name));
  if (kustomization) throw new UnimplementedError(`Kustomize source (path ${path || "."} has a ${kustomization})`);
}

function selected(file: TreeFile, options: DirectoryOptions | undefined): boolean {
  const name = file.path.slice(file.path.lastIndexOf("/") + 1);
  if (options?.exclude && matchGlob(options.exclude, file.path)) return false;
  if (options?.include && !matchGlob(options.include, file.path)) return false;
  if (options?.disableExtensionFilter) return true;
  return /\.(ya?ml|json|jsonnet)$/.test(name);
}

/** Renders sources through the pool; equal files and options are rendered once, here and in the cache. */
export function createRenderer({ pool, cache }: { pool: RenderPool; cache: Cache }): Renderer {
  const underWay = new Map<string, Promise<Manifest[]>>();

  const renderFiles = async (
    source: RenderSource,
    files: readonly TreeFile[],
    prefix: string,
    signal?: AbortSignal,
  ) => {
    let bytes = 0;
    const texts = await Promise.all(
      files.map(async (file) => {
        const path = prefix + file.path;
        const data = await source.repository.blob(file.id, limits.yamlFileBytes).catch((error: unknown) => {
          if (!(error instanceof LimitExceededError)) throw error;
          throw new LimitExceededError(`${path}: the file is larger than ${limits.yamlFileBytes} bytes`, {
            cause: error,
          });
        });
        bytes += data.length;
        if (bytes > limits.renderOutputBytes) {
          throw new LimitExceededError(
            `the files of one source are larger than ${limits.renderOutputBytes} bytes together`,
          );
        }
        return { path, text: data.toString("utf8") };
      }),
    );
    return (await pool.run({ type: "directory", files: texts }, signal ? { signal } : {})).manifests;
  };

  return {
    async render(source, signal) {
      const { repository, commit, path, directory, noCache } = source;
      if (path.split("/").includes("..") || path.startsWith("/")) {
        throw new InvalidArgumentError("spec.source.path", `"${path}" must be a folder inside the repository`);
      }
      const tree = await repository.folder(commit, path);
      const names = (await repository.entries(tree)).map((entry) => entry.name);
      checkDirectory(names, directory !== undefined, path);
      const clean = path.split("/").filter((part) => part !== "" && part !== ".");
      const prefix = clean.length > 0 ? `${clean.join("/")}/` : "";
      const all = await repository.files(tree, directory?.recurse ?? false);
      const submodule = all.find((file) => file.kind === "submodule");
      if (submodule) throw new UnimplementedError(`submodule ${prefix}${submodule.path} in a directory source`);
      const files = all.filter((file) => selected(file, directory));
      for (const file of files) {
        if (file.kind === "symlink")
          throw new UnimplementedError(`symbolic link ${prefix}${file.path} in a directory source`);
        if (file.path.endsWith(".jsonnet")) throw new UnimplementedError(`Jsonnet source (${prefix}${file.path})`);
      }
      const key = digest({ engine: ENGINE, prefix, files: files.map((file) => [file.path, file.id]) });
      const rendered = (manifests: Manifest[]): Rendered => ({ key, sourceType: "Directory", manifests });

      const running = underWay.get(key);
      if (running) return rendered(await running);
      const work = (async () => {
        const cached = noCache ? undefined : await cache.get(`render/${key}`);
        if (cached) return JSON.parse(Buffer.from(cached).toString("utf8")) as Manifest[];
        // The work is shared, so the signal of the one who came first must not end it.
        const manifests = await renderFiles(source, files, prefix);
        await cache.set(`render/${key}`, Buffer.from(JSON.stringify(manifests)), CACHE_MILLISECONDS);
        return manifests;
      })().finally(() => underWay.delete(key));
      underWay.set(key, work);
      signal?.throwIfAborted();
      return rendered(await work);
    },
  };
}
