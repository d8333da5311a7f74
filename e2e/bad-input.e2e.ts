import { execFileSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { cpSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { describeWith, eventually } from "@tiphys/testing";
import { type Kubectl, kubectlOf } from "./support/kubectl.js";
import { dataFolder, runSuite, type Suite, startSuite } from "./support/suite.js";

type Folder = Awaited<ReturnType<typeof dataFolder>>;

const listen = (server: Server): Promise<number> =>
  new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port)));

describe("Given a command line that cannot be", () => {
  it.each([
    { args: ["--prot", "1"], says: "--prot" },
    { args: ["--port", "http"], says: "--port" },
    { args: ["--once", "--no-demo"], says: "--once" },
  ])("When it starts with $args, Then it says which option is wrong and ends with 2", async ({ args, says }) => {
    await using folder = await dataFolder();
    const { code, output } = await runSuite({ data: join(folder.path, "state"), args });
    expect(output).toContain(says);
    expect(code).toBe(2);
    expect(readdirSync(folder.path)).toEqual([]);
  });
});

describeWith(["git"], "Given a port that is taken", () => {
  it("When the suite is to listen there, Then it names the port and the way out, and makes nothing", async () => {
    await using folder = await dataFolder();
    const other = createServer();
    const port = await listen(other);
    const { code, output } = await runSuite({ data: join(folder.path, "state"), args: ["--port", String(port)] });
    other.close();
    expect(output).toContain(`port ${port} on 127.0.0.1 is in use`);
    expect(output).toContain("--port");
    expect(code).toBe(1);
    expect(readdirSync(folder.path)).toEqual([]);
  });
});

describeWith(["git", "kubectl"], "Given a data folder that is in use", () => {
  it("When a second suite starts on it, Then it is refused and the first goes on", async () => {
    await using folder = await dataFolder();
    const data = join(folder.path, "state");
    const first = startSuite({ data, args: ["--no-demo"] });
    await first.ready();
    const before = readFileSync(join(data, "kubeconfig"), "utf8");
    const second = await runSuite({ data, args: ["--no-demo"] });
    expect(second.output).toContain(data);
    expect(second.output).toMatch(/in use by process \d+|is used by|another process/);
    expect(second.code).toBe(1);
    expect(readFileSync(join(data, "kubeconfig"), "utf8")).toBe(before);
    expect((await kubectlOf(data)(["get", "namespaces"])).code).toBe(0);
    expect((await first.stop()).code).toBe(0);
  });
});

describeWith(["git"], "Given a data folder with a damaged file", () => {
  let folder: Folder;
  let sound: string;
  beforeAll(async () => {
    folder = await dataFolder();
    sound = join(folder.path, "sound");
    const suite = startSuite({ data: sound });
    await eventually(() => suite.output().includes("the push started a workflow") || suite.process.exitCode !== null, {
      limit: 60_000,
    });
    await suite.stop();
  });
  afterAll(() => folder[Symbol.asyncDispose]());

  it.each([
    { what: "the cluster's log", in: "cluster", like: /^log-/ },
    { what: "the journal", in: "journal", like: /\.journal$/ },
    { what: "the bus", in: "bus", like: /\.log$/ },
    { what: "the event state", in: "events", like: /\.log$/ },
    { what: "the ports", in: ".", like: /^ports\.json$/ },
    { what: "the demo's settings", in: "demo", like: /^settings\.json$/ },
  ])("When $what is damaged in the middle, Then the start is refused with the file and the way out", async (one) => {
    const data = join(folder.path, one.in.replace(".", "ports"));
    // Pipes of containers lie there, too, which cpSync, other than cp, refuses to copy.
    cpSync(sound, data, { recursive: true, filter: (path) => !lstatSync(path).isFIFO() });
    const name = readdirSync(join(data, one.in)).find((file) => one.like.test(file))!;
    const path = join(data, one.in, name);
    const bytes = readFileSync(path);
    for (let at = Math.floor(bytes.length / 2); at < bytes.length / 2 + 4; at++) bytes[at]! ^= 0xff;
    writeFileSync(path, bytes);
    const { code, output } = await runSuite({ data, args: ["--once"] });
    expect(output).toContain(path);
    expect(output).toMatch(/restore|move|delete|remove/i);
    expect(code).toBe(1);
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });
});

describeWith(["git", "kubectl"], "Given a running suite", () => {
  let folder: Folder;
  let suite: Suite;
  let kubectl: Kubectl;
  let repository: string;

  beforeAll(async () => {
    folder = await dataFolder();
    const data = join(folder.path, "state");
    repository = join(folder.path, "repository");
    mkdirSync(repository);
    git("init", "--quiet", "--initial-branch=main");
    commit({
      "good/settings.yaml": configMap("good"),
      "broken/settings.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: [odd\n",
      "unknown/service.yaml": unknownField,
    });
    suite = startSuite({ data, args: ["--no-demo"] });
    await suite.ready();
    kubectl = kubectlOf(data);
    await kubectl(["create", "namespace", "bad"]);
  });
  afterAll(async () => {
    await suite?.stop();
    await folder[Symbol.asyncDispose]();
  });

  const git = (...args: string[]) =>
    execFileSync("git", ["-C", repository, "-c", "user.name=e2e", "-c", "user.email=e2e@localhost", ...args]);
  const commit = (files: Record<string, string>) => {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(join(repository, name, ".."), { recursive: true });
      writeFileSync(join(repository, name), text);
    }
    git("add", "--all");
    git("commit", "--quiet", "-m", "change");
  };
  const create = async (object: unknown) => {
    const { code, output } = await kubectl(["create", "-f", "-"], JSON.stringify(object));
    return { code, output };
  };
  const applicationOf = (name: string, source: object) => ({
    apiVersion: "argoproj.io/v1alpha1",
    kind: "Application",
    metadata: { name, namespace: "argocd" },
    spec: {
      project: "default",
      source: { repoURL: `file://${repository}`, targetRevision: "main", path: "good", ...source },
      destination: { server: "https://kubernetes.default.svc", namespace: "bad" },
      // A sync that goes on trying the old revision would only make the test wait.
      syncPolicy: { automated: { prune: true, selfHeal: true }, retry: { limit: 0 } },
    },
  });
  const problemOf = async (name: string) => {
    const { status } = await kubectl.one(`application ${name} -n argocd`);
    const told: { message?: string }[] = [
      ...(status?.conditions ?? []),
      ...(status?.operationState?.syncResult?.resources ?? []),
    ];
    return told.map(({ message }) => message ?? "").join("\n");
  };

  it.each([
    { name: "broken-yaml", source: { path: "broken" }, says: /broken\/settings\.yaml|settings\.yaml/ },
    { name: "unknown-field", source: { path: "unknown" }, says: /spec\.sessionAffinitty|sessionAffinitty/ },
    { name: "no-repository", source: { repoURL: "file:///nowhere/repository" }, says: /\/nowhere\/repository/ },
    { name: "no-revision", source: { targetRevision: "no-such-branch" }, says: /no-such-branch/ },
    { name: "no-path", source: { path: "nowhere" }, says: /nowhere/ },
  ])(
    "When an application has $name, Then a condition names it and nothing in the cluster changes; fixed, it heals",
    async ({ name, source, says }) => {
      expect(await create(applicationOf(name, source))).toMatchObject({ code: 0 });
      let told = "";
      const tells = async () => {
        told = await problemOf(name);
        return says.test(told);
      };
      await eventually(tells, { limit: 30_000, interval: 200, describe: () => ({ name, told }) });
      expect(await kubectl.get(`services,configmaps -n bad ${ours}`)).toEqual([]);
      const fixed = { spec: { source: applicationOf(name, {}).spec.source } };
      expect(
        await kubectl(["patch", "application", name, "-n", "argocd", "--type=merge", "-p", JSON.stringify(fixed)]),
      ).toMatchObject({ code: 0 });
      await eventually(
        async () => {
          const { status } = await kubectl.one(`application ${name} -n argocd`);
          told = JSON.stringify([status?.sync?.status, status?.health, status?.conditions, status?.operationState]);
          return status?.sync?.status === "Synced" && status.health?.status === "Healthy" && !status.conditions?.length;
        },
        { limit: 30_000, interval: 200, describe: () => ({ name, told }) },
      );
      expect(await kubectl.get(`configmaps -n bad ${ours}`)).toMatchObject([{ metadata: { name: "good" } }]);
      // The next case begins with nothing there.
      await kubectl(["delete", "application", name, "-n", "argocd", "--wait=false"]);
      await kubectl(["delete", "configmap", "good", "-n", "bad"]);
      await eventually(async () => (await kubectl.get("applications -n argocd")).length === 0);
    },
  );

  it.each([
    {
      name: "unknown-template",
      templates: [{ name: "main", steps: [[{ name: "one", template: "nowhere" }]] }],
      says: /spec\.templates\[0\]\.steps\[0\]\[0\]\.template.*nowhere/,
    },
    {
      name: "cycle",
      templates: [
        {
          name: "main",
          dag: {
            tasks: [
              { name: "a", template: "say", depends: "b" },
              { name: "b", template: "say", depends: "a" },
            ],
          },
        },
        { name: "say", container: { image: "alpine", command: ["true"] } },
      ],
      says: /spec\.templates\[0\]\.dag\.tasks.*cycle.*a->b->a/,
    },
    { name: "no-entrypoint", templates: [], says: /entrypoint|template/ },
  ])(
    "When a workflow is invalid ($name), Then its status says where, and no pod is made",
    async ({ name, templates, says }) => {
      const { code } = await create({
        apiVersion: "argoproj.io/v1alpha1",
        kind: "Workflow",
        metadata: { name, namespace: "bad" },
        spec: { entrypoint: "main", templates },
      });
      expect(code).toBe(0);
      const status = await eventually(async () => {
        const workflow = await kubectl.one(`workflow ${name} -n bad`);
        return ["Error", "Failed"].includes(workflow["status"]?.phase) ? workflow["status"] : undefined;
      });
      expect(status.message).toMatch(says);
      expect(await kubectl.get("pods -n bad")).toEqual([]);
    },
  );

  it("When a webhook is forged or replayed, Then it is refused or taken once", async () => {
    const free = createServer();
    const port = await listen(free);
    await new Promise((resolve) => free.close(resolve));
    const secret = "correct horse battery staple";
    for (const object of eventing(port, secret)) expect(await create(object)).toMatchObject({ code: 0 });
    const post = async (delivery: string, key = secret) => {
      const body = JSON.stringify({ ref: "refs/heads/main", after: delivery });
      const headers = {
        "content-type": "application/json",
        "x-github-event": "push",
        "x-github-delivery": delivery,
        "x-hub-signature-256": `sha256=${createHmac("sha256", key).update(body).digest("hex")}`,
      };
      return (await fetch(`http://127.0.0.1:${port}/push`, { method: "POST", headers, body })).status;
    };
    const started = async () =>
      (await kubectl.get("workflows -n bad -l by=webhook")).map(({ spec }) => spec.arguments.parameters[0].value);
    await eventually(async () => (await post("00000000-0000-4000-8000-000000000000", "wrong")) === 401);
    expect(await post("00000000-0000-4000-8000-000000000001")).toBe(200);
    await eventually(async () => (await started()).length === 1);
    expect(await post("00000000-0000-4000-8000-000000000001")).toBe(200);
    expect(await post("00000000-0000-4000-8000-000000000002", "wrong")).toBe(401);
    // What comes after them is done, so they are not on their way any more.
    expect(await post("00000000-0000-4000-8000-000000000003")).toBe(200);
    await eventually(async () => (await started()).length > 1);
    expect((await started()).sort()).toEqual([
      "00000000-0000-4000-8000-000000000001",
      "00000000-0000-4000-8000-000000000003",
    ]);
  });
});

/** Every namespace has this ConfigMap from its beginning. */
const ours = "--field-selector metadata.name!=kube-root-ca.crt";

const configMap = (name: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\ndata:\n  a: "1"\n`;
const unknownField =
  "apiVersion: v1\nkind: Service\nmetadata:\n  name: odd\nspec:\n  sessionAffinitty: None\n  ports:\n    - port: 80\n";

const eventing = (port: number, secret: string) => [
  { apiVersion: "v1", kind: "Secret", metadata: { name: "hook", namespace: "bad" }, stringData: { secret } },
  {
    apiVersion: "argoproj.io/v1alpha1",
    kind: "EventSource",
    metadata: { name: "hook", namespace: "bad" },
    spec: {
      github: {
        push: {
          webhook: { endpoint: "/push", method: "POST", port: String(port), url: `http://127.0.0.1:${port}` },
          events: ["push"],
          repositories: [{ owner: "demo", names: ["app"] }],
          webhookSecret: { name: "hook", key: "secret" },
        },
      },
    },
  },
  {
    apiVersion: "argoproj.io/v1alpha1",
    kind: "Sensor",
    metadata: { name: "hook", namespace: "bad" },
    spec: {
      dependencies: [{ name: "push", eventSourceName: "hook", eventName: "push" }],
      triggers: [
        {
          template: {
            name: "run",
            argoWorkflow: {
              operation: "submit",
              source: {
                resource: {
                  apiVersion: "argoproj.io/v1alpha1",
                  kind: "Workflow",
                  metadata: { generateName: "hook-", namespace: "bad", labels: { by: "webhook" } },
                  spec: {
                    entrypoint: "main",
                    arguments: { parameters: [{ name: "delivery", value: "" }] },
                    templates: [{ name: "main", container: { image: "alpine", command: ["true"] } }],
                  },
                },
              },
              parameters: [
                { src: { dependencyName: "push", dataKey: "body.after" }, dest: "spec.arguments.parameters.0.value" },
              ],
            },
          },
        },
      ],
    },
  },
];
