import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { appendFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { describeWith, eventually } from "@tiphys/testing";
import { kubectlOf } from "./support/kubectl.js";
import { processesOf } from "./support/processes.js";
import { dataFolder, readLogin, runSuite, startSuite } from "./support/suite.js";

describeWith(["git", "kubectl"], "Given a machine with Node, npm and git", () => {
  let folder: Awaited<ReturnType<typeof dataFolder>>;
  let data: string;
  beforeAll(async () => {
    folder = await dataFolder();
    data = join(folder.path, "state");
  });
  afterAll(() => folder[Symbol.asyncDispose]());
  const mode = async (file: string) => ((await stat(join(data, file))).mode & 0o777).toString(8);

  it("When npm start runs with --once, Then both releases end as they should and it ends with 0", async () => {
    const started = performance.now();
    const { code, output } = await runSuite({ data, args: ["--once"], through: "npm" });
    const ready = /ready in ([0-9.]+) s/.exec(output)?.[1];
    const done = /([0-9.]+) s\s+demo done/.exec(output)?.[1];
    console.log(
      `ready after ${ready} s, demo done after ${done} s, all over after ${((performance.now() - started) / 1000).toFixed(1)} s`,
    );
    expect(output).toContain("the canary of 1.1.0 was promoted");
    expect(output).toContain("the canary of 1.2.0 failed its analysis and was aborted");
    expect(output).toContain("demo done: one release promoted, one aborted, no request unanswered");
    expect(output).toMatch(/console https:\/\/127\.0\.0\.1:\d+ {2}user admin {2}password \S+/);
    expect(code).toBe(0);
  });

  it("Then nothing that it started runs on", async () => {
    expect(await processesOf(data)).toEqual([]);
  });

  it("Then its secrets can be read by their owner alone", async () => {
    expect(await mode("login.json")).toBe("600");
    expect(await mode("kubeconfig")).toBe("600");
    expect(await mode("internal.key")).toBe("600");
    expect(await mode("demo/settings.json")).toBe("600");
    expect(await readLogin(data)).toMatchObject({
      url: expect.stringMatching(/^https:\/\/127\.0\.0\.1:\d+$/),
      username: "admin",
      password: expect.stringMatching(/.{12,}/),
    });
  });

  it("When it starts again without the demo, Then everything is still there, and the shop is served again", async () => {
    const before = await readLogin(data);
    const suite = startSuite({ data, args: ["--no-demo"] });
    try {
      await suite.ready();
      const kubectl = kubectlOf(data);
      const rollout = await kubectl.one("rollout shop -n demo");
      expect(rollout["status"]).toMatchObject({ phase: "Degraded", abort: true });
      const application = await kubectl.one("application shop -n argocd");
      // Its repository is the forge of the demo, which is not there now: the comparison says so, the deed stands.
      expect(application["status"].operationState.phase).toBe("Succeeded");
      expect(application["status"].history).toHaveLength(3);
      const workflows = await kubectl.get("workflows -n demo");
      expect(workflows.map((one) => one["status"].phase)).toEqual(["Succeeded", "Succeeded"]);
      expect(await kubectl.get("analysisruns -n demo")).toHaveLength(2);
      const waited = await kubectl([
        "wait",
        "pod",
        "-n",
        "demo",
        "-l",
        "app=shop",
        "--for=condition=Ready",
        "--timeout=30s",
      ]);
      expect(waited).toMatchObject({ code: 0 });
      expect((await readLogin(data)).password).toBe(before.password);
    } finally {
      const { code } = await suite.stop();
      expect(code).toBe(0);
    }
    expect(await processesOf(data)).toEqual([]);
  });

  it("When it plays the demo again on finished state, Then it says so and ends with 0", async () => {
    const { code, output } = await runSuite({ data, args: ["--once"] });
    expect(output).toContain("demo done");
    expect(code).toBe(0);
    const workflows = /one push started \d+ workflows/.exec(output);
    expect(workflows).toBeNull();
  });
});

describeWith(["git"], "Given a suite that is stopped while a workflow runs", () => {
  it("When it starts again, Then the step that ran is adopted, and the demo ends as it should", async () => {
    await using folder = await dataFolder();
    const data = join(folder.path, "state");
    const first = startSuite({ data });
    await eventually(() => first.output().includes("the push started a workflow"), { limit: 60_000 });
    expect((await first.stop()).code).toBe(0);
    const { code, output } = await runSuite({ data, args: ["--once"] });
    expect(output).toContain("demo done");
    expect(code).toBe(0);
    expect(await processesOf(data)).toEqual([]);
  });
});

describeWith(["git"], "Given a shop whose tests fail", () => {
  it("When npm start runs with --once, Then it ends with 1 and says which workflow failed", async () => {
    await using folder = await dataFolder();
    const data = join(folder.path, "state");
    // The first start seeds the repositories; then the shop's test is broken before the demo pushes anything.
    const seeded = startSuite({ data });
    await eventually(() => existsSync(join(data, "demo/git")));
    seeded.process.kill("SIGKILL");
    await seeded.ended;
    await breakTest(join(data, "demo/git/app.git"), join(folder.path, "checkout"));
    const { code, output } = await runSuite({ data, args: ["--once"] });
    expect(output).toMatch(/demo failed: workflow release-\w+ ended as Failed/);
    expect(code).toBe(1);
    expect(await processesOf(data)).toEqual([]);
  });
});

/** Commits a test that fails to the shop's repository. */
async function breakTest(repository: string, checkout: string): Promise<void> {
  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "user.name=e2e", "-c", "user.email=e2e@localhost", ...args]);
  git("clone", "--quiet", repository, checkout);
  await appendFile(join(checkout, "server.test.mjs"), 'test("is broken", () => assert.fail("broken on purpose"));\n');
  git("-C", checkout, "commit", "--quiet", "--all", "-m", "Break the test");
  git("-C", checkout, "push", "--quiet", "origin", "HEAD:main");
}
