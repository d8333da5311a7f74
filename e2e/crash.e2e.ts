import { cpSync } from "node:fs";
import { join } from "node:path";
import { createLocalBus } from "@tiphys/bus";
import { systemClock } from "@tiphys/clock";
import { silentLogger } from "@tiphys/telemetry";
import { describeWith } from "@tiphys/testing";
import { kubectlOf } from "./support/kubectl.js";
import { processesOf } from "./support/processes.js";
import { commitsOf, type Fact, messagesOf, watchStory } from "./support/story.js";
import { dataFolder, type Ended, startSuite } from "./support/suite.js";

/** At least so many kills; the story has about twice as many facts to kill at. */
const KILLS = 20;
/** A bound, so that a suite that gets nowhere ends the test. */
const MOST_KILLS = 75;
/** A kill hits some time after what it answers to, so that not every one finds the same write under way. */
const DELAYS_MS = [0, 2, 7, 20, 60];

describeWith(["git", "kubectl"], "Given the demo, played with kill -9 at every new thing that happens", () => {
  let folder: Awaited<ReturnType<typeof dataFolder>>;
  let data: string;
  const points: Fact[] = [];
  let last: Ended;

  beforeAll(async () => {
    folder = await dataFolder();
    data = join(folder.path, "state");
    const seen = new Set<Fact>();
    const started = performance.now();
    do last = await playUntilSomethingNew(data, seen, points);
    while (last.signal === "SIGKILL");
    console.log(
      `${points.length} kills in ${((performance.now() - started) / 1000).toFixed(0)} s, at:\n${points.map((point, i) => `${String(i + 1).padStart(3)}  ${point}`).join("\n")}`,
    );
    if (last.code !== 0) console.log(last.output);
  }, 600_000);
  afterAll(async () => {
    if (last?.code !== 0 && process.env["TIPHYS_E2E_KEEP"])
      cpSync(data, process.env["TIPHYS_E2E_KEEP"], { recursive: true });
    await folder[Symbol.asyncDispose]();
  });

  it("Then the demo finishes", () => {
    expect(last.output).toContain("demo done");
    expect(last.code).toBe(0);
  });

  it("Then it was killed at 20 points or more, spread over the line", () => {
    expect(points.length).toBeGreaterThanOrEqual(KILLS);
    for (const part of [
      "application ",
      "workflow ",
      "config repository ",
      "rollout 1.1.0 ",
      "rollout 1.2.0 ",
      "analysis of ",
    ])
      expect(points.filter((point) => point.startsWith(part))).not.toEqual([]);
  });

  it("Then each push is one event, one workflow with one pod for each step, and one commit", async () => {
    expect(messagesOf(data, "app")).toEqual([
      "Give every third customer a discount",
      "Greet customers by number",
      "Shop 1.0.0",
    ]);
    expect(messagesOf(data, "config")).toEqual(["Release shop 1.2.0", "Release shop 1.1.0", "Shop 1.0.0"]);
    const bus = await createLocalBus({ dir: join(data, "bus"), clock: systemClock(), log: silentLogger });
    const events = (await bus.read(">", { limit: 1000 })).map(({ subject, id }) => `${subject} ${id}`);
    await bus.close();
    expect(new Set(events).size).toBe(events.length);
    expect(events.filter((event) => event.includes("forge"))).toHaveLength(2);
  });

  it("Then nothing was done twice in the cluster", async () => {
    const suite = startSuite({ data, args: ["--no-demo"] });
    try {
      await suite.ready();
      const kubectl = kubectlOf(data);
      const workflows = await kubectl.get("workflows -n demo");
      const pushed = commitsOf(data, "app").slice(0, 2);
      const built = workflows.map(({ spec }) => spec.arguments.parameters[0].value);
      expect(built.sort()).toEqual([...pushed].sort());
      for (const { status } of workflows) {
        const pods = Object.values<{ type: string; displayName: string }>(status.nodes).filter(
          ({ type }) => type === "Pod",
        );
        expect(pods.map(({ displayName }) => displayName).sort()).toEqual(["build", "commit", "test"]);
      }
      const pods = await kubectl.get("pods -n demo -l workflows.argoproj.io/workflow");
      expect(pods).toHaveLength(6);
      for (const { status } of pods) {
        expect(status.phase).toBe("Succeeded");
        for (const container of [...status.containerStatuses, ...(status.initContainerStatuses ?? [])])
          expect(container.restartCount).toBe(0);
      }
      const sets = await kubectl.get("replicasets -n demo");
      expect(sets.map(({ spec }) => spec.template.metadata.annotations["shop/version"]).sort()).toEqual([
        "1.0.0",
        "1.1.0",
        "1.2.0",
      ]);
      const runs = await kubectl.get("analysisruns -n demo");
      expect(runs.map(({ status }) => status.phase).sort()).toEqual(["Failed", "Successful"]);
      const application = await kubectl.one("application shop -n argocd");
      const revisions = application["status"].history.map(({ revision }: { revision: string }) => revision);
      expect(revisions).toEqual([...commitsOf(data, "config")].reverse());
    } finally {
      await suite.stop();
    }
    expect(await processesOf(data)).toEqual([]);
  });
});

/** Starts the suite on what is there, and kills it when it shows something never seen; or lets it end. */
async function playUntilSomethingNew(data: string, seen: Set<Fact>, points: Fact[]): Promise<Ended> {
  const suite = startSuite({ data, args: ["--once"] });
  const abort = new AbortController();
  let killing = false;
  const onFact = (fact: Fact) => {
    if (seen.has(fact) || killing) return;
    seen.add(fact);
    if (points.length >= MOST_KILLS) return;
    killing = true;
    const delay = DELAYS_MS[points.length % DELAYS_MS.length]!;
    points.push(fact);
    setTimeout(() => suite.process.kill("SIGKILL"), delay);
  };
  const watching = watchStory(data, onFact, abort.signal).catch(() => {});
  const ended = await suite.ended;
  abort.abort();
  await watching;
  return ended;
}
