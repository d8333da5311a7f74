import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, sleep } from "@tiphys/clock";
import { FailedPreconditionError } from "@tiphys/errors";
import { CHANGE_ANNOTATION, changeOfCommit } from "@tiphys/identity";
import type { Informers } from "@tiphys/kube";
import { type KubeObject, type ResourceType, types } from "@tiphys/resources";
import { headOf, type Push, pushOf } from "./forge.js";
import { git } from "./git.js";
import { CONTROL_NAMESPACE, NAMESPACE } from "./seed.js";
import { type TrafficCount, type Visit, visit } from "./traffic.js";

/** One release of the shop and how it has to end. */
interface Release {
  readonly version: string;
  readonly title: string;
  /** Changes to the server's text beside its version. */
  edit(server: string): string;
  readonly ending: "healthy" | "aborted";
}

const releases: readonly Release[] = [
  {
    version: "1.1.0",
    title: "Greet customers by number",
    edit: (server) => server.replace("this is shop", "welcome to shop"),
    ending: "healthy",
  },
  {
    version: "1.2.0",
    title: "Give every third customer a discount",
    edit: (server) =>
      server.replace(
        "  return { status: 200, body: `Hello",
        "  if (customer > 2 && customer % 3 === 0) return { status: 500, body: `no discount known for ${customer}` };\n  return { status: 200, body: `Hello",
      ),
    ending: "aborted",
  },
];

export interface StoryOptions {
  readonly informers: Informers;
  readonly clock: Clock;
  readonly forgeUrl: string;
  readonly gitFolder: string;
  /** Value of the Authorization header of the forge. */
  readonly authorization: string;
  readonly ingressUrl: string;
  /** Tells the event source of a push again; the same delivery id makes it the same event. */
  readonly redeliver: (push: Push) => Promise<void>;
  /** Lets customers in, once there is something to visit. */
  readonly openShop: () => () => TrafficCount;
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
  /** Milliseconds for one stage. */
  readonly patience: number;
}

/** Plays both releases to their endings, from wherever an earlier start left off; throws with the reason when one ends otherwise. */
export async function playStory(options: StoryOptions): Promise<void> {
  const { say } = options;
  const wait = waiter(options);
  await wait("the first version of the shop is healthy", types.applications, (apps) => {
    const app = apps.find(({ metadata }) => metadata.name === "shop");
    return (
      app?.["status"]?.sync?.status === "Synced" &&
      ["Healthy", "Degraded", "Progressing", "Suspended"].includes(app["status"]?.health?.status)
    );
  });
  // Of every version: a restart in the middle of a canary has to bring up both before customers come.
  await wait("pods of the shop are ready", types.pods, (pods) => {
    const own = pods.filter(({ metadata }) => metadata.namespace === NAMESPACE && metadata.labels?.["app"] === "shop");
    const staying = own.filter(({ metadata }) => !metadata.deletionTimestamp);
    return staying.length > 0 && staying.every(isReady);
  });
  // A ready pod is not yet an endpoint: a real control plane takes up to half a second more.
  await answeredInARow(options, ({ version }) => version !== "", "requests do not reach the shop");
  const traffic = options.openShop();
  for (const [index, release] of releases.entries()) {
    const later = releases.slice(index + 1).map(({ version }) => version);
    const now = await versionOf(options.gitFolder);
    if (later.includes(now)) {
      say(`shop ${release.version} was released before`);
      continue;
    }
    await playRelease(release, options, wait, traffic);
  }
}

type Wait = (goal: string, type: ResourceType, check: (objects: readonly KubeObject[]) => boolean) => Promise<void>;

async function playRelease(
  release: Release,
  options: StoryOptions,
  wait: Wait,
  traffic: () => TrafficCount,
): Promise<void> {
  const before = traffic();
  const { informers, say } = options;
  if ((await versionOf(options.gitFolder)) === release.version) {
    say(`shop ${release.version} had been pushed before: the forge tells it again`);
  } else {
    say(`pushing shop ${release.version}: ${release.title}`);
    await push(release, options);
  }
  const head = await headOf(options.gitFolder, "app");
  if (!head) throw new FailedPreconditionError("the shop's repository has lost its main branch");
  await options.redeliver(pushOf("app", head));

  const ofCommit = (workflows: readonly KubeObject[]) =>
    workflows.filter((wf) =>
      wf["spec"]?.arguments?.parameters?.some((p: { value?: string }) => p.value === head.commit),
    );
  await wait("the push started a workflow", types.workflows, (all) => ofCommit(all).length > 0);
  await wait(`the workflow tested, built and committed shop ${release.version}`, types.workflows, (all) => {
    const workflow = ofCommit(all)[0];
    const { phase, message } = workflow?.["status"] ?? {};
    if (phase === "Failed" || phase === "Error")
      throw new FailedPreconditionError(`workflow ${workflow?.metadata.name} ended as ${phase}: ${message ?? ""}`);
    return phase === "Succeeded";
  });
  const started = ofCommit(informers.informer(types.workflows).list(NAMESPACE));
  if (started.length !== 1) throw new FailedPreconditionError(`one push started ${started.length} workflows`);
  const change = started[0]?.metadata.annotations?.[CHANGE_ANNOTATION];
  if (!change) throw new FailedPreconditionError(`workflow ${started[0]?.metadata.name} carries no change id`);
  say(`change ${change}`);

  const commit = await headOf(options.gitFolder, "config");
  if (changeOfCommit(commit?.message ?? "") !== change)
    throw new FailedPreconditionError(`the commit ${commit?.commit} does not carry change ${change}`);
  await wait("the application synced the commit", types.applications, (apps) => {
    const app = apps.find(({ metadata }) => metadata.name === "shop");
    return app?.["status"]?.sync?.revision === commit?.commit && app?.["status"]?.sync?.status === "Synced";
  });

  // The status must be about this very spec: right after a sync it still tells of the version before.
  const isCurrent = (rollout: KubeObject | undefined) =>
    rollout?.["spec"]?.template?.metadata?.annotations?.["shop/version"] === release.version &&
    rollout["status"]?.observedGeneration === String(rollout.metadata.generation);
  if (release.ending === "healthy") {
    await wait(`the canary of ${release.version} was promoted`, types.rollouts, (all) => {
      const rollout = shop(all);
      if (rollout?.["status"]?.abort)
        throw new FailedPreconditionError(`the rollout was aborted: ${rollout["status"].message}`);
      return (
        isCurrent(rollout) &&
        rollout?.["status"]?.phase === "Healthy" &&
        rollout["status"].stableRS === rollout["status"].currentPodHash
      );
    });
    await wait(
      "the application is healthy",
      types.applications,
      (apps) => apps.find(({ metadata }) => metadata.name === "shop")?.["status"]?.health?.status === "Healthy",
    );
  } else {
    await wait(`the canary of ${release.version} failed its analysis and was aborted`, types.rollouts, (all) => {
      const rollout = shop(all);
      if (isCurrent(rollout) && rollout?.["status"]?.phase === "Healthy")
        throw new FailedPreconditionError(`the broken version ${release.version} was promoted`);
      return isCurrent(rollout) && rollout?.["status"]?.abort === true && rollout["status"].phase === "Degraded";
    });
    await servedByStable(options);
  }
  checkChange(options, release, change);
  const { served, failed, unanswered, reason } = traffic();
  if (unanswered > before.unanswered) {
    throw new FailedPreconditionError(
      `${unanswered - before.unanswered} requests were answered by no version of the shop, the last with: ${reason}`,
    );
  }
  if (release.ending === "healthy" && failed > before.failed) {
    throw new FailedPreconditionError(`${failed - before.failed} requests failed during a good release`);
  }
  say(
    `customers: ${served - before.served} served, ${failed - before.failed} met an error of the canary, none unanswered`,
  );
}

const isReady = (pod: KubeObject): boolean =>
  pod["status"]?.conditions?.some(
    ({ type, status }: { type: string; status: string }) => type === "Ready" && status === "True",
  ) ?? false;

const shop = (rollouts: readonly KubeObject[]) =>
  rollouts.find(({ metadata }) => metadata.namespace === NAMESPACE && metadata.name === "shop");

/** The version in the server at the tip of the shop's repository. */
async function versionOf(folder: string): Promise<string> {
  const server = await git(folder, ["--git-dir", join(folder, "app.git"), "show", "refs/heads/main:server.mjs"]);
  return server.match(/^const version = "(.*)";$/m)?.[1] ?? "";
}

async function push(release: Release, { forgeUrl, authorization }: StoryOptions): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), "tiphys-demo-"));
  const env = {
    GIT_CONFIG_COUNT: "1",
    GIT_CONFIG_KEY_0: `http.${forgeUrl}/.extraHeader`,
    GIT_CONFIG_VALUE_0: `Authorization: ${authorization}`,
  };
  try {
    await git(work, ["clone", "--quiet", `${forgeUrl}/app.git`, "app"], env);
    const checkout = join(work, "app");
    const file = join(checkout, "server.mjs");
    const before = await readFile(file, "utf8");
    const after = release.edit(before.replace(/^const version = ".*";$/m, `const version = "${release.version}";`));
    await writeFile(file, after);
    await git(checkout, ["commit", "--quiet", "--all", "-m", release.title]);
    await git(checkout, ["push", "--quiet", "origin", "HEAD:main"], env);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** How many requests in a row must be answered as they should. */
const CALM_REQUESTS = 20;
const RETRY_MS = 25;

async function servedByStable(options: StoryOptions): Promise<void> {
  const byStable = ({ status, version }: Visit) => status === 200 && version === "1.1.0";
  await answeredInARow(options, byStable, "after the abort, requests are not all served by the stable version");
  options.say(`after the abort, ${CALM_REQUESTS} requests in a row were served by 1.1.0`);
}

async function answeredInARow(
  { ingressUrl, clock, patience, signal }: StoryOptions,
  asWanted: (visit: Visit) => boolean,
  problem: string,
): Promise<void> {
  const start = clock.monotonic();
  for (let calm = 0; calm < CALM_REQUESTS; ) {
    signal.throwIfAborted();
    const came = await visit(ingressUrl, calm * 3);
    calm = asWanted(came) ? calm + 1 : 0;
    if (calm > 0) continue;
    if (clock.monotonic() - start > patience)
      throw new FailedPreconditionError(`${problem}: the last was ${came.status} ${came.text}`);
    await sleep(clock, RETRY_MS, signal);
  }
}

/** One change id is on everything that the push caused. */
function checkChange({ informers, say }: StoryOptions, release: Release, change: string): void {
  const carries = (object: KubeObject | undefined, what: string) => {
    const found = object?.metadata.annotations?.[CHANGE_ANNOTATION];
    if (found !== change)
      throw new FailedPreconditionError(`${what} carries change ${found ?? "(none)"}, not ${change}`);
  };
  const rollout = informers.informer(types.rollouts).get({ namespace: NAMESPACE, name: "shop" });
  carries(rollout, "Rollout shop");
  carries(
    informers.informer(types.applications).get({ namespace: CONTROL_NAMESPACE, name: "shop" }),
    "Application shop",
  );
  const sets = informers.informer(types.replicaSets).list(NAMESPACE);
  const set = sets.find((s) => s["spec"]?.template?.metadata?.annotations?.["shop/version"] === release.version);
  carries(set, `ReplicaSet of ${release.version}`);
  const hash = set?.metadata.labels?.["rollouts-pod-template-hash"];
  const runs = informers
    .informer(types.analysisRuns)
    .list(NAMESPACE)
    .filter((run) => run.metadata.labels?.["rollouts-pod-template-hash"] === hash);
  if (runs.length === 0) throw new FailedPreconditionError(`no AnalysisRun measured ${release.version}`);
  for (const run of runs) carries(run, `AnalysisRun ${run.metadata.name}`);
  carries(
    informers.informer(types.configMaps).get({ namespace: NAMESPACE, name: `shop-${release.version}` }),
    `ConfigMap shop-${release.version}`,
  );
  say(
    `change ${change} is on the workflow, the commit, the application, the rollout, its ReplicaSet and ${runs.length} analysis run${runs.length === 1 ? "" : "s"}`,
  );
}

function waiter({ informers, clock, say, signal, patience }: StoryOptions): Wait {
  return (goal, type, check) =>
    new Promise((resolve, reject) => {
      const informer = informers.informer(type);
      const finish = (settle: () => void) => {
        stopWatching();
        cancel();
        signal.removeEventListener("abort", onAbort);
        settle();
      };
      const look = () => {
        try {
          if (check(informer.list())) {
            finish(() => {
              say(`✓ ${goal}`);
              resolve();
            });
          }
        } catch (error) {
          finish(() => reject(error));
        }
      };
      const onAbort = () => finish(() => reject(signal.reason));
      const stopWatching = informer.onChange(look);
      const cancel = clock.at(new Date(clock.now().getTime() + patience), () =>
        finish(() => reject(new FailedPreconditionError(`not reached within ${patience / 1000} s: ${goal}`))),
      );
      if (signal.aborted) return onAbort();
      signal.addEventListener("abort", onAbort, { once: true });
      void informer.synced.then(look);
    });
}
