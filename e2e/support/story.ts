import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "@tiphys/clock";
import { createHttpKubeClient, createInformers, type Informer, loadKubeconfig } from "@tiphys/kube";
import { type KubeObject, types } from "@tiphys/resources";
import { silentLogger } from "@tiphys/telemetry";
import { eventually } from "@tiphys/testing";

/** The annotation that tells the shop's version on whatever runs it. */
const VERSION = "shop/version";
const CHECK_MS = 20;

/** One thing that can be seen from outside to have happened, such as `rollout 1.1.0 step 2`. */
export type Fact = string;

/** Watches one run of the suite from outside, through its kubeconfig and its repositories, and tells every fact it sees. */
export async function watchStory(data: string, onFact: (fact: Fact) => void, signal: AbortSignal): Promise<void> {
  const files = ["cluster", "kubeconfig", "login.json", "demo/git"];
  const tips = new Map<string, string>();
  const look = () => {
    for (const file of files) if (existsSync(join(data, file))) onFact(`file ${file}`);
    for (const repository of ["app", "config"]) {
      // The loose reference appears with the first push; the first commit came packed.
      const reference = join(data, "demo/git", `${repository}.git/refs/heads/main`);
      const tip = existsSync(reference) ? readFileSync(reference, "utf8") : "";
      if (tip === "" || tip === tips.get(repository)) continue;
      tips.set(repository, tip);
      onFact(`${repository} repository has ${messagesOf(data, repository)[0]}`);
    }
  };
  const timer = setInterval(look, CHECK_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
  const gone = () => signal.aborted;
  await eventually(() => gone() || existsSync(join(data, "kubeconfig")), { limit: 60_000 });
  if (gone()) return;
  const clock = systemClock();
  const client = createHttpKubeClient({
    connection: await loadKubeconfig({ path: join(data, "kubeconfig") }),
    log: silentLogger,
    clock,
  });
  await eventually(async () => gone() || (await client.list(types.namespaces).then(() => true)), {
    limit: 60_000,
    interval: 5,
  });
  const informers = createInformers({ client, clock, log: silentLogger });
  signal.addEventListener("abort", () => {
    void informers.stop();
    client.close();
  });
  if (gone()) return;
  const watched: readonly [Informer, (object: KubeObject) => readonly Fact[]][] = [
    [informers.informer(types.applications), applicationFacts],
    [informers.informer(types.workflows), workflowFacts],
    [informers.informer(types.pods), podFacts],
    [informers.informer(types.rollouts), rolloutFacts],
    [informers.informer(types.analysisRuns), analysisFacts],
    [informers.informer(types.sensors), ({ metadata }) => [`sensor ${metadata.name}`]],
  ];
  const isStory = ({ metadata }: KubeObject) => metadata.namespace === "demo" || metadata.namespace === "argocd";
  for (const [informer, factsOf] of watched) {
    const tell = (object: KubeObject) => {
      if (isStory(object)) for (const fact of factsOf(object)) onFact(fact);
    };
    informer.onChange(({ object }) => tell(object));
    void informer.synced.then(
      () => informer.list().forEach(tell),
      // The suite was killed before its first list; the next start tells.
      () => {},
    );
  }
}

/** Full hashes of `main` of one of the demo's repositories, newest first; none while there is no repository. */
export function commitsOf(data: string, repository: "app" | "config" | string): readonly string[] {
  const folder = join(data, "demo/git", `${repository}.git`);
  if (!existsSync(folder)) return [];
  const text = execFileSync("git", ["--git-dir", folder, "log", "--format=%H", "refs/heads/main"], {
    encoding: "utf8",
  });
  return text.trim().split("\n");
}

export function messagesOf(data: string, repository: string): readonly string[] {
  const folder = join(data, "demo/git", `${repository}.git`);
  return execFileSync("git", ["--git-dir", folder, "log", "--format=%s", "refs/heads/main"], { encoding: "utf8" })
    .trim()
    .split("\n");
}

function applicationFacts({ status }: KubeObject): Fact[] {
  const entries = status?.history?.length ?? 0;
  if (entries > 2) return [];
  return [
    `application ${status?.sync?.status ?? "new"} after ${entries} syncs`,
    ...(status?.operationState ? [`operation ${status.operationState.phase} after ${entries} syncs`] : []),
  ];
}

/** Of the first workflow that gets there; the second takes the same way. */
function workflowFacts({ status }: KubeObject): Fact[] {
  const nodes = Object.values(status?.nodes ?? {}) as { displayName: string; type: string; phase: string }[];
  return [
    `workflow ${status?.phase ?? "new"}`,
    ...nodes
      .filter(({ type }) => type === "Pod")
      .map(({ displayName, phase }) => `workflow step ${displayName} ${phase}`),
  ];
}

function podFacts({ metadata, status }: KubeObject): Fact[] {
  const version = metadata.annotations?.[VERSION];
  const conditions: { type: string; status: string }[] = status?.conditions ?? [];
  const ready = conditions.some(({ type, status }) => type === "Ready" && status === "True");
  return version && ready ? [`a pod of ${version} ready`] : [];
}

function rolloutFacts({ spec, status }: KubeObject): Fact[] {
  const name = `rollout ${spec?.template?.metadata?.annotations?.[VERSION]}`;
  return [
    `${name} ${status?.phase ?? "new"}${status?.abort ? " aborted" : ""}`,
    `${name} at step ${status?.currentStepIndex ?? 0}, weight ${status?.canary?.weights?.canary?.weight ?? 0}`,
  ];
}

function analysisFacts({ metadata, status }: KubeObject): Fact[] {
  const count = status?.metricResults?.[0]?.measurements?.length ?? 0;
  const name = `analysis of revision ${metadata.annotations?.["rollout.argoproj.io/revision"] ?? ""}`;
  return [`${name} ${status?.phase ?? "new"}`, ...(count > 0 ? [`${name} has measured`] : [])];
}
