import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  application,
  rollout,
  startTestServer,
  type TestServer,
  workflow,
  workflowTemplate,
} from "@tiphys/api-server/testing";
import { systemClock } from "@tiphys/clock";
import { clusterAdmin } from "@tiphys/identity";
import { createEmbeddedKube } from "@tiphys/kube-embedded";
import { types } from "@tiphys/resources";
import { silentLogger } from "@tiphys/telemetry";
import { eventually } from "@tiphys/testing";
import { parseYamlDocuments } from "@tiphys/yaml";
import { main } from "./main.js";

let server: TestServer;
let data: string;
beforeAll(async () => {
  server = await startTestServer();
  data = await mkdtemp(join(tmpdir(), "tiphys-cli-"));
  await writeLogin({});
});
afterAll(async () => {
  await server.stop();
  await rm(data, { recursive: true });
});

const writeLogin = (changes: object) =>
  writeFile(
    join(data, "login.json"),
    JSON.stringify({
      url: server.api.url,
      username: "admin",
      password: server.password,
      certificate: server.api.certificate,
      ...changes,
    }),
  );

interface Run {
  /** What it has printed so far. */
  readonly out: () => string;
  readonly err: () => string;
  readonly code: Promise<number>;
  interrupt(): void;
}

function start(...argv: string[]): Run {
  const abort = new AbortController();
  let out = "";
  let err = "";
  const code = main(argv, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    env: { TIPHYS_DATA: data },
    folder: data,
    now: () => new Date(),
    signal: abort.signal,
  });
  return { out: () => out, err: () => err, code, interrupt: () => abort.abort() };
}

async function tiphys(...argv: string[]) {
  const run = start(...argv);
  const code = await run.code;
  return { code, out: run.out(), err: run.err() };
}

const appKey = (name: string) => ({ namespace: "argocd", name });

describe("lists and single objects", () => {
  beforeAll(async () => {
    await server.client.create(types.applications, application("web"));
    const status = {
      sync: { status: "Synced", revision: "0123456789abcdef0123456789abcdef01234567" },
      health: { status: "Healthy" },
    };
    await server.client.patch(types.applications, appKey("web"), { type: "merge", body: { status } });
  });

  it("shows tables to people", async () => {
    const { code, out } = await tiphys("app", "list");
    expect(code).toBe(0);
    const [header, row] = out.split("\n");
    expect(header).toMatch(/^NAME +PROJECT +SYNC STATUS +HEALTH STATUS +REVISION +REPO +PATH$/);
    expect(row).toMatch(/^web +default +Synced +Healthy +0123456 +https:\/\/git\.example\/config\.git +web$/);
    expect((await tiphys("app", "get", "web")).out).toMatch(/^Sync Status: +Synced \(0123456\)$/m);
  });

  it("gives machines JSON, YAML and names", async () => {
    expect(JSON.parse((await tiphys("app", "list", "-o", "json")).out)).toMatchObject([{ metadata: { name: "web" } }]);
    const [document] = parseYamlDocuments((await tiphys("app", "get", "web", "-o", "yaml")).out, { file: "out" });
    expect(document?.value).toMatchObject({ kind: "Application", metadata: { name: "web" } });
    expect((await tiphys("app", "list", "-o", "name")).out).toBe("application/web\n");
    expect((await tiphys("wf", "list", "-o", "json")).out).toBe("[]\n");
  });

  it("says on the side that there is nothing", async () => {
    expect(await tiphys("rollout", "list", "-n", "empty")).toEqual({
      code: 0,
      out: "",
      err: "no rollouts found in namespace empty\n",
    });
  });

  it("keeps its session where only the user can read it, and logs in again when it is over", async () => {
    const file = join(data, "session");
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    await writeFile(file, "old\n");
    expect((await tiphys("app", "list")).code).toBe(0);
    expect(await readFile(file, "utf8")).not.toBe("old\n");
  });

  it("watches until it is interrupted", async () => {
    const run = start("app", "watch", "web");
    await eventually(() => run.out().includes("Healthy"));
    const body = { status: { health: { status: "Degraded" } } };
    await server.client.patch(types.applications, appKey("web"), { type: "merge", body });
    await eventually(() => run.out().includes("Degraded"));
    run.interrupt();
    expect(await run.code).toBe(130);
    expect(run.err()).toBe("");
    const column = (line: string | undefined, word: string) => line?.indexOf(word);
    const lines = run.out().split("\n");
    expect(column(lines[1], "Healthy")).toBe(column(lines[2], "Degraded"));
  });
});

describe("what goes wrong", () => {
  it.each([
    { argv: ["app", "get", "nobody"], code: 1, err: "nobody" },
    { argv: ["app", "list", "-o", "xml"], code: 2, err: '--output: "xml" is none of table, json, yaml, name' },
    { argv: ["frobnicate"], code: 2, err: "unknown command 'frobnicate'" },
    { argv: ["app", "frobnicate"], code: 2, err: "unknown command 'frobnicate'" },
    { argv: ["app", "get"], code: 2, err: "missing required argument 'name'" },
    { argv: ["app", "list", "--colour"], code: 2, err: "unknown option '--colour'" },
    { argv: ["event", "list", "--limit", "many"], code: 2, err: "whole number" },
    { argv: ["event", "get", "01NOTHING"], code: 1, err: "no recent event has the id 01NOTHING" },
    { argv: ["wf", "submit"], code: 1, err: "--from workflowtemplate/NAME" },
    { argv: ["wf", "submit", "--from", "workflowtemplate/x", "-p", "novalue"], code: 2, err: "novalue" },
    { argv: ["rollout", "undo", "nobody", "--to-revision", "x"], code: 2, err: "whole number" },
    { argv: ["rollout", "abort", "nobody"], code: 1, err: "nobody" },
  ])("ends with $code for $argv", async ({ argv, code, err }) => {
    const result = await tiphys(...argv);
    expect(result.err).toContain(err);
    expect(result.code).toBe(code);
    expect(result.err).not.toContain("    at ");
  });

  it("helps", async () => {
    const { code, out } = await tiphys("--help");
    expect(code).toBe(0);
    for (const word of ["up", "app", "wf", "rollout", "event"]) expect(out).toMatch(new RegExp(`^  ${word}\\b`, "m"));
    expect((await tiphys("rollout", "promote", "--help")).out).toContain("--full");
  });

  it("says how to start a server that is absent, and which login file is missing or broken", async () => {
    const other = await mkdtemp(join(tmpdir(), "tiphys-cli-"));
    const missing = await tiphys("app", "list", "--data", other);
    expect(missing).toMatchObject({
      code: 1,
      err: expect.stringContaining(`${join(other, "login.json")} is not there`),
    });
    await writeFile(join(other, "login.json"), "{");
    expect((await tiphys("app", "list", "--data", other)).err).toContain("is not JSON");
    await writeFile(join(other, "login.json"), "{}");
    expect((await tiphys("app", "list", "--data", other)).err).toContain('has no text in "url"');
    await rm(other, { recursive: true });
    await writeLogin({ url: "https://127.0.0.1:9" });
    const absent = await tiphys("app", "list");
    expect(absent).toMatchObject({
      code: 1,
      err: expect.stringContaining("no server answers at https://127.0.0.1:9: start it with"),
    });
    await writeLogin({});
  });

  it("says so when the password is wrong", async () => {
    await rm(join(data, "session"), { force: true });
    await writeLogin({ password: "wrong" });
    expect((await tiphys("app", "list")).err).toBe("tiphys: Invalid username or password\n");
    await writeLogin({});
  });
});

describe("app sync", () => {
  const asked = async (name: string) =>
    (await server.client.get(types.applications, appKey(name)))["operation"] !== undefined;
  /** What the controller would do at the end of the operation. */
  const finish = (name: string, phase: string, message: string) =>
    server.client.patch(types.applications, appKey(name), {
      type: "merge",
      body: {
        operation: null,
        status: {
          operationState: {
            phase,
            message,
            operation: {},
            startedAt: "2026-01-01T00:00:00Z",
            finishedAt: "2026-01-01T00:00:01Z",
          },
        },
      },
    });

  it.each([
    { phase: "Succeeded", message: "applied 3 objects", code: 0 },
    { phase: "Failed", message: "one object is not valid", code: 1 },
  ])("waits for the end of the operation: $phase", async ({ phase, message, code }) => {
    const name = `sync-${phase.toLowerCase()}`;
    await server.client.create(types.applications, application(name));
    const run = start("app", "sync", name, "--revision", "abc", "--prune");
    await eventually(() => asked(name));
    await finish(name, phase, message);
    expect(await run.code).toBe(code);
    expect(run.out()).toContain(`${phase}: ${message}`);
    if (code === 1) expect(run.err()).toBe(`tiphys: sync of ${name} ended as Failed: ${message}\n`);
  });

  it("does not wait with --async, and is refused while another sync runs", async () => {
    await server.client.create(types.applications, application("async"));
    expect(await tiphys("app", "sync", "async", "--async")).toMatchObject({
      code: 0,
      out: "sync of async requested\n",
    });
    expect((await tiphys("app", "sync", "async", "--async")).err).toContain("another operation is already in progress");
  });
});

describe("workflows and rollouts", () => {
  it("names file and line of broken YAML", async () => {
    const file = join(data, "broken.yaml");
    await writeFile(file, "kind: Workflow\nspec:\n  templates: [\n");
    const { code, err } = await tiphys("wf", "submit", file);
    expect({ code, err }).toEqual({ code: 1, err: expect.stringMatching(/broken\.yaml.*(line |:)[34]/s) });
    expect((await tiphys("wf", "submit", join(data, "absent.yaml"))).err).toContain("absent.yaml: cannot be read");
  });

  it("names the field of a workflow that cannot run", async () => {
    const file = join(data, "invalid.yaml");
    await writeFile(file, JSON.stringify(workflow("invalid", { entrypoint: "nope", templates: [] })));
    expect((await tiphys("wf", "submit", file)).err).toContain("spec.entrypoint");
  });

  it("submits a file and a template, and waits for the end", async () => {
    const file = join(data, "good.yaml");
    await writeFile(file, JSON.stringify(workflow("good")));
    expect((await tiphys("wf", "submit", file, "-o", "name")).out).toBe("workflow/good\n");
    await server.client.create(types.workflowTemplates, workflowTemplate("hello"));
    const run = start("wf", "submit", "--from", "workflowtemplate/hello", "-p", "who=world", "--wait");
    const created = await eventually(async () =>
      (await server.client.list(types.workflows, { namespace: "default" })).items.find(({ metadata }) =>
        metadata.name.startsWith("hello-"),
      ),
    );
    expect(created["spec"].arguments.parameters).toEqual([{ name: "who", value: "world" }]);
    await server.client.patch(
      types.workflows,
      { namespace: "default", name: created.metadata.name },
      {
        type: "merge",
        body: { status: { phase: "Failed", message: "exit code 3", finishedAt: "2026-01-01T00:00:00Z" } },
      },
    );
    expect(await run.code).toBe(1);
    expect(run.err()).toBe(`tiphys: workflow ${created.metadata.name} ended as Failed: exit code 3\n`);
  });

  it("promotes and aborts", async () => {
    await server.client.create(types.rollouts, rollout("web"));
    expect((await tiphys("rollout", "abort", "web")).out).toBe("rollout 'web' abort: accepted\n");
    expect((await tiphys("rollout", "get", "web", "-o", "json")).out).toContain('"abort": true');
    expect((await tiphys("ro", "promote", "web", "--full")).code).toBe(0);
    expect((await tiphys("rollout", "list")).out).toMatch(/web +Canary/);
  });
});

it("explains what a controller has decided, and says when it cannot be asked", async () => {
  expect((await tiphys("app", "explain", "web")).out).toBe(
    "2026-01-01T00:00:00Z\n  OutOfSync: one object of web differs (ConfigMap web)\n  did apply ConfigMap\n",
  );
  expect(await tiphys("rollout", "explain", "web")).toMatchObject({
    code: 1,
    err: "tiphys: the controller of rollouts is not connected\n",
  });
});

it("prints the logs of a workflow's pods line by line", async () => {
  await server.client.create(types.workflows, workflow("logged"));
  await server.client.create(types.pods, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "logged-1", namespace: "default", labels: { "workflows.argoproj.io/workflow": "logged" } },
    spec: { nodeName: "node", containers: [{ name: "main", image: "alpine" }] },
  });
  const containerStatuses = [
    {
      name: "main",
      image: "alpine",
      imageID: "",
      ready: false,
      restartCount: 0,
      state: { terminated: { exitCode: 0 } },
    },
  ];
  await server.client.patch(
    types.pods,
    { namespace: "default", name: "logged-1" },
    { type: "merge", body: { status: { phase: "Succeeded", containerStatuses } } },
    { subresource: "status" },
  );
  server.kube.registerLogSource("node", async function* () {
    yield Buffer.from("hello\nwor");
    yield Buffer.from("ld\nlast");
  });
  const { code, out } = await tiphys("wf", "logs", "logged");
  expect({ code, out }).toEqual({ code: 0, out: "logged-1: hello\nlogged-1: world\nlogged-1: last\n" });
  expect((await tiphys("wf", "logs", "absent")).err).toContain("absent");
});

it("lists, gets and watches events", async () => {
  const event = (id: string) => ({
    id,
    namespace: "default",
    eventSource: "github",
    eventName: "push",
    type: "github",
    at: "2026-01-01T00:00:00Z",
    change: "01CHANGE",
  });
  server.events.push(event("e1"));
  expect((await tiphys("event", "list")).out).toMatch(
    /^TIME .*\n2026-01-01T00:00:00Z +default +github +push +github +e1 +01CHANGE\n$/,
  );
  expect(JSON.parse((await tiphys("event", "get", "e1", "-o", "json")).out)).toMatchObject({ id: "e1" });
  const run = start("event", "watch", "-o", "name");
  await eventually(() => run.out() === "event/e1\n");
  server.events.push(event("e2"));
  await eventually(() => run.out() === "event/e1\nevent/e2\n");
  run.interrupt();
  expect(await run.code).toBe(130);
});

describe("tiphys cluster", () => {
  it("writes a cluster to a file, and makes another data folder of it", async () => {
    const clock = systemClock();
    const open = (folder: string) =>
      createEmbeddedKube({ dir: join(folder, "cluster"), clock, random: randomBytes, log: silentLogger });
    const folder = join(data, "snapshots");
    const first = await open(folder);
    const key = { namespace: "default", name: "kept" };
    await first
      .client(clusterAdmin)
      .create(types.configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: key, data: { a: "1" } });
    const file = join(data, "one.snapshot");
    expect(await tiphys("cluster", "snapshot", file, "--data", folder)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^.*one\.snapshot: \d+ objects at revision \d+\n$/),
    });
    expect(await tiphys("cluster", "restore", file, "--data", folder, "--replace")).toMatchObject({
      code: 1,
      err: expect.stringContaining("is in use by process"),
    });
    await first.stop();
    const other = join(data, "restored");
    expect((await tiphys("cluster", "restore", file, "--data", other)).code).toBe(0);
    const second = await open(other);
    expect(await second.client(clusterAdmin).get(types.configMaps, key)).toMatchObject({ data: { a: "1" } });
    await second.stop();
    expect(await tiphys("cluster", "restore", file, "--data", other)).toMatchObject({
      code: 1,
      err: expect.stringContaining("--replace"),
    });
    expect(await tiphys("cluster", "snapshot", join(data, "x"), "--data", other, "--cluster", "moon")).toMatchObject({
      code: 2,
      err: expect.stringContaining('"moon" is no name of a cluster'),
    });
  });
});
