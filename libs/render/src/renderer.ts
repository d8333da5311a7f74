import type { Cache } from "@tiphys/cache";
import { digest } from "@tiphys/canonical-json";
import { InternalError, LimitExceededError, UnimplementedError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import type { ApplicationSource } from "@tiphys/resources";
import type { RenderJob, RenderResult } from "./app-source.js";
import { environmentValue, type RenderContext } from "./build-environment.js";
import type { Manifest, RenderWarning } from "./manifest-service.js";
import type { RenderPool } from "./pool.js";
import type { OutsideQuestion } from "./questions.js";
import { type Reads, stillSame } from "./reads.js";
import { jobFiles, lookOutside, type Outside, type Root } from "./roots.js";

/** A source of an Application to render, with the files it may read. */
export interface RenderSource {
  readonly source: ApplicationSource;
  readonly context: RenderContext;
  /** `""` is the source's own, the others are the application's references by name. */
  readonly roots: Readonly<Record<string, Root>>;
  readonly noCache: boolean;
}

export interface Rendered {
  readonly key: string;
  readonly sourceType: string;
  readonly manifests: Manifest[];
  readonly warnings: readonly RenderWarning[];
}

export interface Renderer {
  render(source: RenderSource, signal?: AbortSignal): Promise<Rendered>;
}

export interface RendererOptions {
  readonly pool: RenderPool;
  readonly cache: Cache;
  readonly outside?: Outside;
  /** What a plugin gives for a source, as texts of YAML or JSON; absent: such sources are refused by name. */
  readonly plugin?: (source: RenderSource) => Promise<readonly string[]>;
  /** Called for each render that is really done. */
  readonly onRender?: (type: string, milliseconds: number) => void;
}

/** Part of every key: a change of what an engine gives is a new version. */
const ENGINE = "source/2";
const CACHE_MILLISECONDS = 24 * 3_600_000;
/** What earlier renders of the same options have read: so many different answers are remembered. */
const TRACES_KEPT = 8;
/** Renders that one source may be begun anew for what is outside, each for at least one thing more. */
const MOST_ROUNDS = 100;

/** Values by which applications of one source differ. */
const OWN: ReadonlySet<string> = new Set(["appName", "namespace", "$ARGOCD_APP_NAME", "$ARGOCD_APP_NAMESPACE"]);

const ofApplication = (base: string, { context }: RenderSource): string =>
  `${base}/${digest([context.appName, context.namespace])}`;

/** One earlier render: what it read, and the key of what it gave. */
interface Trace {
  readonly reads: Reads;
  readonly key: string;
}

interface Stored {
  readonly sourceType: string;
  readonly manifests: Manifest[];
  readonly warnings: readonly RenderWarning[];
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");

/**
 * Renders sources through the pool. A result is kept with all that its render has read; it holds for any commit, repository and
 * application where the same is read, so what a commit does not touch costs no render.
 */
export function createRenderer(options: RendererOptions): Renderer {
  const { pool, cache, outside = {} } = options;
  const underWay = new Map<string, Promise<Rendered>>();

  async function holds({ files, values }: Reads, { context, roots }: RenderSource): Promise<boolean> {
    const further = new Map(Object.entries(roots));
    for (const [name, value] of Object.entries(values)) {
      if (name.startsWith("?")) {
        // Where it lies among the roots is in the order in which the render asked.
        const found = await lookOutside(outside, JSON.parse(name.slice(1)) as OutsideQuestion, {
          project: context.project,
          fresh: false,
        });
        if (found.version !== value) return false;
        continue;
      }
      const now = name.startsWith("$")
        ? environmentValue(name.slice(1), context)
        : context[name as keyof RenderContext];
      if ((typeof now === "string" ? now : digest(now ?? [])) !== value) return false;
    }
    const own = Object.entries(files).filter(([key]) => !key.startsWith("outside-"));
    const archives = own.filter(([key]) => further.get(key.slice(0, key.indexOf(":")))?.kind === "archive");
    if (archives.some(([key, sign]) => sign !== `t:${further.get(key.slice(0, -1))?.id}`)) return false;
    return await stillSame(Object.fromEntries(own.filter((each) => !archives.includes(each))), further);
  }

  async function remembered(source: RenderSource, base: string): Promise<Rendered | undefined> {
    for (const place of [ofApplication(base, source), base]) {
      for (const trace of await tracesOf(place)) {
        if (!(await holds(trace.reads, source))) continue;
        const stored = await cache.get(`render/${trace.key}`);
        if (stored) return { key: trace.key, ...(JSON.parse(text(stored)) as Stored) };
      }
    }
    return undefined;
  }

  async function tracesOf(base: string): Promise<Trace[]> {
    const stored = await cache.get(`render-reads/${base}`);
    return stored ? (JSON.parse(text(stored)) as Trace[]) : [];
  }

  async function remember(base: string, source: RenderSource, reads: Reads, stored: Stored): Promise<Rendered> {
    const key = digest([base, reads]);
    // What asked for its application is of no use to others, and would drive out what is.
    const place = Object.keys(reads.values).some((name) => OWN.has(name)) ? ofApplication(base, source) : base;
    await cache.set(`render/${key}`, Buffer.from(JSON.stringify(stored)), CACHE_MILLISECONDS);
    const others = (await tracesOf(place)).filter((trace) => trace.key !== key);
    const traces = [{ reads, key }, ...others].slice(0, TRACES_KEPT);
    await cache.set(`render-reads/${place}`, Buffer.from(JSON.stringify(traces)), CACHE_MILLISECONDS);
    return { key, ...stored };
  }

  async function run(source: RenderSource): Promise<Exclude<RenderResult, { type: "Later" }>> {
    const files = jobFiles(source.roots, outside, { project: source.context.project, fresh: source.noCache });
    const job: RenderJob = {
      source: source.source,
      context: source.context,
      roots: Object.fromEntries(Object.entries(source.roots).map(([name, { kind, id }]) => [name, { kind, id }])),
    };
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const result = await pool.run(job, { answers: files.answers });
      if (result.type !== "Later") return result;
      await files.supply(result.questions as readonly OutsideQuestion[]);
    }
    throw new InternalError(`a source needs more than ${MOST_ROUNDS} things from outside, one after the other`);
  }

  /** What a plugin printed is read in a render child, as a folder of files: it is as hostile as any repository. */
  async function ofPlugin(source: RenderSource, base: string): Promise<Rendered> {
    if (!options.plugin) throw new UnimplementedError("spec.source.plugin");
    const texts = (await options.plugin(source)).map((each) => Buffer.from(each));
    const id = digest(texts.map((each) => each.toString("base64")));
    const entries = texts.map((_, i) => ({
      name: `plugin-output-${String(i + 1).padStart(6, "0")}.yaml`,
      kind: "blob" as const,
      id: `${id}-${i}`,
    }));
    const objects: Root["objects"] = {
      entries: async () => entries,
      async blob(wanted, maxBytes) {
        const data = texts[Number(wanted.slice(id.length + 1))] ?? Buffer.alloc(0);
        if (data.length <= maxBytes) return data;
        throw new LimitExceededError(`the plugin's output is larger than ${maxBytes} bytes`);
      },
    };
    const result = await run({
      // `strict` is no field of an Application: what a plugin prints is all meant.
      source: { repoURL: source.source.repoURL, path: "", directory: { strict: true } as object },
      context: source.context,
      roots: { "": { kind: "folder", id: `plugin-${id}`, objects } },
      noCache: true,
    });
    if (result.type === "Plugin") throw new InternalError("a plugin's output came back as a plugin's source");
    // A plugin may look at everything that it is given.
    const files = Object.entries(source.roots).map(([name, root]) => [`${name}:`, `t:${root.id}`]);
    const values = Object.entries(source.context).map(([name, value]) => [
      name,
      typeof value === "string" ? value : digest(value ?? []),
    ]);
    const reads: Reads = { files: Object.fromEntries(files), values: Object.fromEntries(values) };
    return await remember(base, source, reads, { sourceType: "Plugin", manifests: result.manifests, warnings: [] });
  }

  async function rendered(source: RenderSource, base: string): Promise<Rendered> {
    const known = source.noCache ? undefined : await remembered(source, base);
    if (known) return known;
    // Real time: it is for the metric of how long renders take.
    const start = performance.now();
    const result = await run(source);
    options.onRender?.(result.type, performance.now() - start); // Real time: as above.
    if (result.type === "Plugin") return await ofPlugin({ ...source, source: result.source }, base);
    const { type, manifests, reads, warnings } = result;
    return await remember(base, source, reads, { sourceType: type, manifests, warnings });
  }

  return {
    async render(source, signal) {
      // Where the files come from does not count, but what they are.
      const { repoURL: _, targetRevision: __, ref: ___, name: ____, ...described } = source.source;
      const base = digest({ engine: ENGINE, limits: limits.renderOutputBytes, source: described });
      const key = digest([
        base,
        source.context,
        source.noCache,
        Object.entries(source.roots).map(([name, root]) => [name, root.id]),
      ]);
      let work = underWay.get(key);
      if (!work) {
        // The work is shared, so the signal of the one who came first must not end it.
        work = rendered(source, base).finally(() => underWay.delete(key));
        underWay.set(key, work);
      }
      signal?.throwIfAborted();
      return await work;
    },
  };
}
