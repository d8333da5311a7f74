import { canonicalJson } from "@tiphys/canonical-json";
import type { Clock } from "@tiphys/clock";
import type { Reconciler } from "@tiphys/controller";
import { messageOf, UnavailableError } from "@tiphys/errors";
import { newChange, type RandomBytes } from "@tiphys/identity";
import type { Informer } from "@tiphys/kube";
import {
  type Application,
  type AppProject,
  groupVersionOf,
  type KubeObject,
  keyOf,
  keyText,
  type Operation,
} from "@tiphys/resources";
import { effectiveIntegrity, type SourceIntegrity } from "@tiphys/source-integrity";
import { resourceId } from "@tiphys/sync";
import { act } from "./apply.js";
import type { Clusters, Destination } from "./clusters.js";
import type { SchemaSource } from "./compare.js";
import type { LiveState } from "./live-state.js";
import { awaitsRetry, isActive, operationItems, optionsOf } from "./operation.js";
import { planApplication, reportApplication } from "./plan.js";
import type { PollPeriod } from "./poll-period.js";
import { preflight } from "./preflight.js";
import { joined, type Sources, sourcesOf, syncedSources } from "./sources.js";
import { type ClusterName, sourcePermitted, specProblem } from "./spec-check.js";
import type { ApplicationState, DeliveryAction, DeliveryFact, OperationView } from "./state.js";
import type { Target, Targets } from "./targets.js";
import { warningsOf } from "./warnings.js";

export interface DeliveryDeps {
  readonly clusters: Clusters;
  readonly targets: Targets;
  readonly projects: Informer;
  readonly schemas: SchemaSource;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly controlNamespace: string;
  /** How often a source is asked without a reason, asked anew each time. */
  readonly poll: () => PollPeriod;
  readonly healthInResources: () => boolean;
}

export interface DeliveryReconciler extends Reconciler<ApplicationState, DeliveryAction, DeliveryFact> {
  /** The next pass asks the repository, however fresh its answer is. */
  invalidate(key: string): void;
}

interface Known {
  readonly source: string;
  readonly target: Target;
  readonly until: Date;
  readonly failures: number;
}

/** Revisions that are given, one for each source; undefined where none is. */
function wantedRevisions(given: { revision?: string; revisions?: string[] } | undefined): string[] | undefined {
  if (given?.revisions?.length) return given.revisions;
  return given?.revision ? [given.revision] : undefined;
}

const REFRESH = "argocd.argoproj.io/refresh";
const FIRST_RETRY = 5_000;
const UNREACHABLE_RETRY = 10_000;

export function createDeliveryReconciler(deps: DeliveryDeps): DeliveryReconciler {
  const { clusters, targets, clock } = deps;
  const known = new Map<string, Known>();

  /** 32 random bits as a share of one. */
  const share = () => Buffer.from(deps.random(4)).readUInt32BE(0) / 2 ** 32;

  async function currentTarget(
    app: Application,
    destination: Destination,
    sources: Sources,
    { refresh, integrity }: { refresh: string | undefined; integrity: SourceIntegrity | undefined },
    signal: AbortSignal,
  ) {
    const key = keyText(keyOf(app));
    const description = canonicalJson([sources, app.spec.destination, integrity ?? null]);
    const before = known.get(key);
    const fresh = before && before.source === description && before.until > clock.now() && refresh === undefined;
    if (before && fresh) {
      if (!before.target.ok || before.target.unserved.size === 0) return before;
      // A kind may have come into being since.
      const { revision, revisions = [revision], resolvedAt } = before.target;
      const options = { maxAge: 0, noCache: false, integrity };
      const again = await targets.target(app, destination, sources, revisions, options, signal);
      const entry: Known = { ...before, target: again.ok ? { ...again, resolvedAt } : again };
      known.set(key, entry);
      return entry;
    }
    const options = { maxAge: 0, noCache: refresh === "hard", integrity };
    const target = await targets.target(app, destination, sources, [], options, signal);
    const failures = target.ok || !target.transient ? 0 : (before?.failures ?? 0) + 1;
    const { milliseconds, jitterMilliseconds } = deps.poll();
    const wait =
      failures > 0
        ? Math.min(milliseconds, FIRST_RETRY * 2 ** Math.min(failures - 1, 10))
        : milliseconds + share() * jitterMilliseconds;
    const entry: Known = { source: description, target, failures, until: new Date(clock.now().getTime() + wait) };
    known.set(key, entry);
    return entry;
  }

  /** Watches the kinds that are wanted and those that were deployed, and collects what lives of both. */
  async function collect(app: Application, live: LiveState, target: Target): Promise<Map<string, KubeObject>> {
    for (const { group, version, kind } of app.status?.resources ?? []) {
      const type = await live.typeOf(group ? `${group}/${version}` : version, kind);
      if (type) await live.watch(type);
    }
    const wanted: KubeObject[] = [];
    if (target.ok) {
      for (const object of [...target.objects, ...target.hooks]) {
        const there = await live.get(object);
        if (there) wanted.push(there);
      }
    }
    const found = live.tracked(app.metadata.name);
    for (const object of wanted) found.set(resourceId(object), object);
    return found;
  }

  function namespaceFor(app: Application, namespaces: Informer, operation: Operation): KubeObject | undefined {
    const name = app.spec.destination.namespace;
    if (!name || optionsOf(app, operation)["CreateNamespace"] !== "true") return undefined;
    if (namespaces.get({ name })) return undefined;
    const metadata = app.spec.syncPolicy?.managedNamespaceMetadata;
    return {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: {
        name,
        ...(metadata?.labels ? { labels: metadata.labels } : {}),
        ...(metadata?.annotations ? { annotations: metadata.annotations } : {}),
      },
    };
  }

  async function operationView(
    state: ApplicationState,
    cluster: ClusterName,
    destination: Destination,
    signal: AbortSignal,
  ): Promise<OperationView | undefined> {
    const { app, project } = state;
    const { client, live, namespaces } = destination;
    const current = app.status?.operationState;
    const running = isActive(current) ? current : undefined;
    const operation = running?.operation ?? app.operation;
    if (!operation || state.specProblem !== undefined) return undefined;
    const sources = syncedSources(app, operation.sync);
    const revisions = wantedRevisions(running?.syncResult) ?? wantedRevisions(operation.sync) ?? [];
    let target = state.target;
    const differs =
      sourcesOf(operation.sync ?? {}).list.length > 0 ||
      (revisions.length > 0 && !(state.target.ok && state.target.revision === joined(revisions)));
    const forbidden = project && sources.list.find(({ repoURL }) => !sourcePermitted(project, repoURL));
    if (forbidden) {
      const message = `application repo ${forbidden.repoURL} is not permitted in project '${project.metadata.name}'`;
      target = { ok: false, message, transient: false, resolvedAt: clock.now() };
    } else if (differs) {
      const options = { maxAge: 0, noCache: false, integrity: project && effectiveIntegrity(project.spec) };
      target = await targets.target(app, destination, sources, revisions, options, signal);
    }
    const objects = target === state.target ? state.live : await collect(app, live, target);
    const view: OperationView = {
      target,
      live: objects,
      namespace: namespaceFor(app, namespaces, operation),
      preflight: undefined,
    };
    const started = running && !awaitsRetry(running) && running.phase === "Running";
    if (!started || (running.syncResult?.resources?.length ?? 0) > 0 || !target.ok || !project) return view;
    const { items } = operationItems({ ...state, operation: view }, operation);
    const refused = await preflight(
      {
        cluster,
        project,
        items,
        hooks: target.hooks,
        options: optionsOf(app, operation),
        namespaced: target.namespaced,
      },
      { client, live },
      signal,
    );
    return { ...view, preflight: refused };
  }

  return {
    invalidate: (key) => {
      const before = known.get(key);
      if (before) known.set(key, { ...before, until: new Date(0) });
    },

    async observe(object, signal) {
      const app = object as Application;
      if (app.metadata.annotations?.["argocd.argoproj.io/skip-reconcile"] === "true") return undefined;
      const project = deps.projects.get({ namespace: deps.controlNamespace, name: app.spec.project || "default" }) as
        | AppProject
        | undefined;
      const cluster = clusters.find(app.spec.destination ?? {});
      const problem = specProblem({ app, project, cluster });
      const refresh = app.metadata.annotations?.[REFRESH];
      const deleting = app.metadata.deletionTimestamp !== undefined;
      const sources = sourcesOf(app.spec);
      const now = clock.now();
      let destination: Destination | undefined;
      let unreachable: string | undefined;
      try {
        if (cluster.ok) destination = await clusters.open(cluster, signal);
      } catch (error) {
        // What lives there must not be taken for gone: a deletion waits.
        if (signal.aborted || deleting || !cluster.ok) throw error;
        unreachable = `cluster ${cluster.name} (${cluster.server}): ${messageOf(error)}`;
      }
      const nothing: Target = {
        ok: false,
        message: problem ?? unreachable ?? "being deleted",
        transient: unreachable !== undefined,
        resolvedAt: now,
      };
      const entry =
        problem === undefined && destination && !deleting
          ? await currentTarget(
              app,
              destination,
              sources,
              { refresh, integrity: project && effectiveIntegrity(project.spec) },
              signal,
            )
          : undefined;
      const target = entry?.target ?? nothing;
      const wait = unreachable === undefined ? deps.poll().milliseconds : UNREACHABLE_RETRY;
      const state: ApplicationState = {
        app,
        controlNamespace: deps.controlNamespace,
        project,
        specProblem: problem,
        ...(unreachable === undefined ? {} : { unreachable }),
        warnings: warningsOf({
          app,
          project,
          namespace: destination?.namespaces.get({ name: app.spec.destination?.namespace ?? "" }),
          desired: target.ok ? target.objects : [],
          ofSources: target.ok ? target.warnings : [],
          controlNamespace: deps.controlNamespace,
        }),
        target,
        live: destination ? await collect(app, destination.live, target) : new Map(),
        operation: undefined,
        refreshRequested: refresh !== undefined,
        healthInResources: deps.healthInResources(),
        pollAt: entry?.until ?? new Date(now.getTime() + wait),
        freshChange: newChange(now, deps.random),
        schemas: deps.schemas,
      };
      if (deleting || !destination || !cluster.ok) return state;
      return { ...state, operation: await operationView(state, cluster, destination, signal) };
    },

    plan: planApplication,
    report: reportApplication,

    async act(action, signal) {
      const found = clusters.find(action.destination);
      if (!found.ok) throw new UnavailableError(found.problem);
      const { client, live } = await clusters.open(found, signal);
      return await act(action, { client, live, clock }, signal);
    },

    describe({ step }) {
      const { group } = groupVersionOf(step.object.apiVersion);
      const place = keyText(keyOf(step.object));
      const verb = step.type === "delete" ? (step.reason === "prune" ? "prune" : "delete hook") : "apply";
      return `${verb} ${step.object.kind}${group ? `.${group}` : ""} ${place}`;
    },

    digestOf({ app, target, specProblem: problem }) {
      const { operationState, ...status } = app.status ?? {};
      return {
        spec: app.spec,
        sync: status.sync,
        health: status.health?.status,
        operation: operationState?.phase,
        target: target.ok ? { revision: target.revision } : { message: problem ?? target.message },
      };
    },
  };
}
