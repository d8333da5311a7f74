import { canonicalJson, deepFreeze } from "@tiphys/canonical-json";
import type { Clock } from "@tiphys/clock";
import { normalizeDesired } from "@tiphys/diff";
import { codeOf, messageOf } from "@tiphys/errors";
import type { ClusterFacts } from "@tiphys/kube";
import type { ManifestService, RenderResponse, RenderWarning, RevisionMetadata } from "@tiphys/render";
import type { Application, ApplicationSource, KubeObject } from "@tiphys/resources";
import { groupVersionOf } from "@tiphys/resources";
import type { SourceIntegrity } from "@tiphys/source-integrity";
import { isHook, resourceId } from "@tiphys/sync";
import type { Destination } from "./clusters.js";
import type { LiveState } from "./live-state.js";
import { joined, type Sources } from "./sources.js";
import { TRACKING_ANNOTATION, trackingId } from "./tracking.js";

/** What a source wants at one revision, or why that is not known. */
export type Target =
  | {
      readonly ok: true;
      /** The commit; of several sources all of them, as one text. */
      readonly revision: string;
      /** Of several sources, in their order. */
      readonly revisions?: readonly string[];
      readonly sourceType: string;
      readonly sourceTypes?: readonly string[];
      readonly commit: RevisionMetadata | undefined;
      /** Resources, then hooks; frozen, and the same objects while the rendered result is the same. */
      readonly objects: readonly KubeObject[];
      readonly hooks: readonly KubeObject[];
      /** Ids that more than one manifest has. */
      readonly repeated: readonly string[];
      /** Where each manifest stands in the repository, `file:line`, by the object's id. */
      readonly places: ReadonlyMap<string, string>;
      /** Ids of objects that live in a namespace. */
      readonly namespaced: ReadonlySet<string>;
      /** `apiVersion/Kind` that the server does not serve now. */
      readonly unserved: ReadonlySet<string>;
      /** Of the sources. */
      readonly warnings: readonly RenderWarning[];
      readonly resolvedAt: Date;
    }
  | { readonly ok: false; readonly message: string; readonly transient: boolean; readonly resolvedAt: Date };

export interface TargetOptions {
  readonly maxAge: number;
  readonly noCache: boolean;
  /** What the project asks of signatures. */
  readonly integrity: SourceIntegrity | undefined;
}

/** Asks the repo-server and makes comparable objects of its answer. */
export interface Targets {
  target(
    app: Application,
    /** The cluster whose kinds decide what a manifest is. */
    destination: Pick<Destination, "live" | "facts">,
    sources: Sources,
    /** Of each source; absent or empty: what the source itself says. */
    revisions: readonly string[],
    options: TargetOptions,
    signal: AbortSignal,
  ): Promise<Target>;
  forget(app: string): void;
}

interface Prepared {
  readonly key: string;
  readonly objects: Pick<
    Extract<Target, { ok: true }>,
    "objects" | "hooks" | "repeated" | "places" | "namespaced" | "unserved"
  >;
}

const RAW_KEPT = 500;

export function createTargets(manifests: ManifestService, clock: Clock): Targets {
  const raw = new Map<string, { object: KubeObject; at: string }[]>();
  const prepared = new Map<string, Map<string, Prepared>>();

  const parse = (response: RenderResponse) => {
    const known = raw.get(response.key);
    if (known) return known;
    const objects = response.manifests.map(({ json, path, line }) => ({
      object: deepFreeze(normalizeDesired(JSON.parse(json) as KubeObject)),
      at: line > 0 ? `${path}:${line}` : path,
    }));
    if (raw.size >= RAW_KEPT) raw.clear();
    raw.set(response.key, objects);
    return objects;
  };

  async function prepare(
    app: Application,
    live: LiveState,
    responses: readonly RenderResponse[],
  ): Promise<Prepared["objects"]> {
    const parsed = responses.flatMap((response) => parse(response));
    const own = new Map<string, boolean>();
    for (const { object } of parsed) {
      if (object.kind !== "CustomResourceDefinition") continue;
      const { group, names, scope } = object["spec"] ?? {};
      own.set(`${group}/${names?.kind}`, scope === "Namespaced");
    }
    const found = new Map<string, KubeObject>();
    const hooks: KubeObject[] = [];
    const repeated = new Set<string>();
    const places = new Map<string, string>();
    const namespaced = new Set<string>();
    const unserved = new Set<string>();
    for (const { object, at } of parsed) {
      const { apiVersion, kind } = object;
      const type = await live.typeOf(apiVersion, kind);
      if (!type) unserved.add(`${apiVersion}/${kind}`);
      const isNamespaced = type?.namespaced ?? own.get(`${groupVersionOf(apiVersion).group}/${kind}`) ?? true;
      const namespace = isNamespaced ? object.metadata.namespace || app.spec.destination.namespace : undefined;
      if (isNamespaced && !namespace) {
        throw new Error(
          `${at}: namespace of ${kind} ${object.metadata.name} is missing: set it, or spec.destination.namespace`,
        );
      }
      const { namespace: _, ...metadata } = object.metadata;
      const placed: KubeObject = {
        ...object,
        metadata: { ...metadata, ...(namespace ? { namespace } : {}) },
      };
      placed.metadata.annotations = {
        ...metadata.annotations,
        [TRACKING_ANNOTATION]: trackingId(app.metadata.name, placed),
      };
      deepFreeze(placed);
      const id = resourceId(placed);
      places.set(id, at);
      if (isNamespaced) namespaced.add(id);
      if (isHook(placed)) hooks.push(placed);
      else {
        if (found.has(id)) repeated.add(id);
        found.set(id, placed);
      }
    }
    return { objects: [...found.values()], hooks, repeated: [...repeated].sort(), places, namespaced, unserved };
  }

  return {
    async target(app, { live, facts }, sources, revisions, options, signal) {
      const resolvedAt = clock.now();
      try {
        const cluster = await facts();
        const responses = await Promise.all(
          sources.list.map((source, index) => {
            const revision = revisions[index] || source.targetRevision || "HEAD";
            return answer(app, cluster, { sources, revisions, source, revision }, options, signal);
          }),
        );
        const name = app.metadata.name;
        const byRevision = prepared.get(name) ?? new Map<string, Prepared>();
        const key = canonicalJson([responses.map((response) => response.key), app.spec.destination]);
        let entry = byRevision.get(key);
        // A kind that was not served may be by now.
        if (!entry || entry.objects.unserved.size > 0) {
          entry = { key, objects: await prepare(app, live, responses) };
          if (byRevision.size >= 3) byRevision.clear();
          byRevision.set(key, entry);
          prepared.set(name, byRevision);
        }
        const resolved = responses.map((response) => response.revision);
        const commits = responses.map((response) => response.commit);
        return {
          ok: true,
          revision: joined(resolved),
          ...(sources.several ? { revisions: resolved, sourceTypes: responses.map((each) => each.sourceType) } : {}),
          sourceType: responses[0]?.sourceType ?? "",
          commit: commits.find((commit) => commit?.change) ?? commits[0],
          ...entry.objects,
          warnings: responses.flatMap((response) => response.warnings),
          resolvedAt,
        };
      } catch (error) {
        signal.throwIfAborted();
        const transient = ["Unavailable", "DeadlineExceeded", "Internal", "Canceled"].includes(codeOf(error));
        return { ok: false, message: messageOf(error), transient, resolvedAt };
      }
    },
    forget: (app) => void prepared.delete(app),
  };

  interface OneSource {
    readonly sources: Sources;
    readonly revisions: readonly string[];
    readonly source: ApplicationSource;
    readonly revision: string;
  }

  /** What one source wants; a source that only others read by its `ref` wants nothing. */
  async function answer(
    app: Application,
    cluster: ClusterFacts,
    { sources, revisions, source, revision }: OneSource,
    { maxAge, noCache, integrity }: TargetOptions,
    signal: AbortSignal,
  ): Promise<RenderResponse> {
    if (sources.several && source.ref && !source.path && !source.chart) {
      const resolved = await manifests.resolveRevision(
        {
          repoUrl: source.repoURL,
          revision,
          maxAgeMilliseconds: maxAge,
          project: app.spec.project || "default",
        },
        { signal },
      );
      return { revision: resolved.revision, key: "", sourceType: "", manifests: [], commit: undefined, warnings: [] };
    }
    const references = sources.list.flatMap((each, index) => {
      if (!sources.several || !each.ref) return [];
      const wanted = revisions[index] || each.targetRevision || "HEAD";
      return [[each.ref, { repoUrl: each.repoURL, revision: wanted }] as const];
    });
    return await manifests.render(
      {
        source,
        revision,
        references: Object.fromEntries(references),
        application: {
          name: app.metadata.name,
          project: app.spec.project || "default",
          namespace: app.spec.destination.namespace ?? "",
        },
        cluster: { kubeVersion: cluster.version, apiVersions: cluster.apiVersions },
        maxAgeMilliseconds: maxAge,
        noCache,
        ...(integrity ? { integrity } : {}),
      },
      { signal },
    );
  }
}
