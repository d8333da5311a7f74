import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Archive, ArchiveRecord } from "@tiphys/archive";
import { createSpawner } from "@tiphys/child-process";
import { systemClock } from "@tiphys/clock";
import { createMemoryJournal } from "@tiphys/journal";
import { createInformers, type Informers, isAlreadyExists, type KubeClient } from "@tiphys/kube";
import { createNodeRuntime, type NodeRuntime, type NodeRuntimeDeps } from "@tiphys/node-runtime";
import {
  clusterWorkflowTemplateCrd,
  type KubeObject,
  types,
  type Workflow,
  type WorkflowStatus,
  workflowCrd,
  workflowTaskResultCrd,
  workflowTemplateCrd,
} from "@tiphys/resources";
import { Secret } from "@tiphys/secret";
import { noMetrics, silentLogger } from "@tiphys/telemetry";
import { eventually, workspaceRoot } from "@tiphys/testing";
import { isFinal, resumeWorkflow, terminateWorkflow, unpacked } from "@tiphys/workflow";
import { build } from "esbuild";
import { load } from "js-yaml";
import { createWorkflowController, REPORT_PATH, type WorkflowController } from "../index.js";

/** A cluster to run workflows on: an API, and how it asks nodes for logs. */
export interface WorkflowCluster {
  readonly client: KubeClient;
  readonly kubeletPort?: NodeRuntimeDeps["kubeletPort"];
  serve?(node: NodeRuntime, nodeName: string): void;
  close(): Promise<void>;
}

export const workflowCrds = [workflowCrd, workflowTemplateCrd, clusterWorkflowTemplateCrd, workflowTaskResultCrd];

const TAINT = { key: "tiphys.dev/test", value: "workflows", effect: "NoSchedule" };

async function executorBundle(): Promise<string> {
  const result = await build({
    entryPoints: [join(workspaceRoot(), "apps/executor/src/main.ts")],
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    write: false,
  });
  return result.outputFiles[0]?.text ?? "";
}

/** A node, a namespace and a workflow controller on a cluster. */
async function startWorld(cluster: WorkflowCluster) {
  const { client } = cluster;
  const clock = systemClock();
  const suffix = randomBytes(4).toString("hex");
  const nodeName = `tiphys-wf-${suffix}`;
  const namespace = `workflows-${suffix}`;
  const dir = mkdtempSync(join(tmpdir(), "tiphys-workflows-"));
  await ensureCrds(client);
  await client.create(types.namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
  const spawner = createSpawner({ log: silentLogger });
  const nodeInformers = createInformers({ client, clock, log: silentLogger });
  const node = createNodeRuntime({
    client,
    informers: nodeInformers,
    nodeName,
    dir,
    clock,
    random: randomBytes,
    log: silentLogger,
    metrics: noMetrics,
    spawner,
    taints: [TAINT],
    ...(cluster.kubeletPort ? { kubeletPort: cluster.kubeletPort } : {}),
  });
  cluster.serve?.(node, nodeName);
  await node.start();
  await eventually(() => client.get(types.serviceAccounts, { namespace, name: "default" }).catch(() => undefined), {
    limit: 10_000,
  }).catch(() => undefined);
  const bundle = await executorBundle();
  const signingKey = new Secret(randomBytes(32).toString("hex"));
  let port = 0;
  let running: { controller: WorkflowController; informers: Informers } | undefined;
  const archived = new Map<string, ArchiveRecord>();
  const archive: Archive = {
    put: async (record) => void archived.set(record.uid, record),
    get: async (uid) => archived.get(uid),
    list: async () => ({ items: [...archived.values()] }),
    delete: async (uid) => archived.delete(uid),
    close: async () => {},
  };
  const world = {
    namespace,
    client,
    archived: archived as ReadonlyMap<string, ArchiveRecord>,
    reportUrl: () => running?.controller.reportUrl() ?? "",
    async startController(killPoint?: (name: string) => void) {
      const informers = createInformers({ client, clock, log: silentLogger });
      const controller = createWorkflowController({
        informers,
        clock,
        journal: createMemoryJournal(),
        log: silentLogger,
        metrics: noMetrics,
        random: randomBytes,
        archive,
        owns: (key) => key.namespace === namespace,
        executor: { bundle, node: process.execPath, signingKey, listen: { host: "127.0.0.1", port } },
        ...(killPoint ? { killPoint } : {}),
      });
      await controller.start();
      port = Number(new URL(controller.reportUrl()).port);
      running = { controller, informers };
    },
    async stopController() {
      const stopping = running;
      running = undefined;
      await stopping?.controller.stop();
      await stopping?.informers.stop();
    },
    submit(name: string, spec: string) {
      return client.create(types.workflows, {
        apiVersion: "argoproj.io/v1alpha1",
        kind: "Workflow",
        metadata: { name, namespace },
        spec: {
          nodeSelector: { "kubernetes.io/hostname": nodeName },
          tolerations: [{ ...TAINT, operator: "Equal" }],
          ...(load(spec) as object),
        },
      });
    },
    patch: (name: string, body: object) => client.patch(types.workflows, { namespace, name }, { type: "merge", body }),
    get: async (name: string) => (await client.get(types.workflows, { namespace, name })) as Workflow,
    async finished(name: string): Promise<Workflow> {
      let last: Workflow | undefined;
      return eventually(
        async () => {
          last = await world.get(name);
          return isFinal(last.status) ? last : undefined;
        },
        { limit: 25_000, interval: 20, describe: () => JSON.stringify(last?.status) },
      );
    },
    pods: async (name: string): Promise<readonly KubeObject[]> =>
      (await client.list(types.pods, { namespace, labelSelector: `workflows.argoproj.io/workflow=${name}` })).items,
    async log(pod: string): Promise<string> {
      const chunks: Uint8Array[] = [];
      const reading = client.logs({ namespace, name: pod }, { container: "main" }, new AbortController().signal);
      for await (const chunk of reading) chunks.push(chunk);
      return Buffer.concat(chunks).toString("utf8");
    },
    async close() {
      await world.stopController();
      await client.delete(types.namespaces, { name: namespace }, { propagation: "Background" }).catch(() => {});
      for (const pod of (await client.list(types.pods, { namespace })).items) {
        await client
          .delete(types.pods, { namespace, name: pod.metadata.name }, { gracePeriodSeconds: 0 })
          .catch(() => {});
      }
      await node.stop();
      await client.delete(types.nodes, { name: nodeName }).catch(() => {});
      await nodeInformers.stop();
      await spawner.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
  return world;
}

async function ensureCrds(client: KubeClient): Promise<void> {
  for (const crd of workflowCrds) {
    try {
      await client.create(types.customResourceDefinitions, crd);
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
  }
  await eventually(
    async () => {
      try {
        await client.list(types.workflows, { limit: 1 });
        await client.list(types.workflowTaskResults, { limit: 1 });
        await client.list(types.clusterWorkflowTemplates, { limit: 1 });
        return true;
      } catch {
        return undefined;
      }
    },
    { limit: 15_000 },
  );
}

const nodesOf = (status: WorkflowStatus | undefined) => Object.values(status?.nodes ?? {});

const PIPELINE = `
entrypoint: main
onExit: bye
arguments: {parameters: [{name: who, value: world}]}
templates:
  - name: main
    steps:
      - - {name: make, template: make}
        - {name: loud, template: write}
      - - name: say
          template: say
          arguments: {parameters: [{name: text, value: "{{steps.make.outputs.result}} {{steps.loud.outputs.parameters.version}}"}]}
  - name: make
    script: {image: alpine, command: [sh], source: 'echo "hello {{workflow.parameters.who}}"; echo seen >&2'}
  - name: write
    outputs: {parameters: [{name: version, valueFrom: {path: "/tmp/version-{{workflow.uid}}"}}]}
    container: {image: alpine, command: [sh, -c], args: ["echo v7 > {{outputs.parameters.version.path}}"]}
  - name: say
    inputs: {parameters: [{name: text}]}
    container: {image: alpine, command: [echo], args: ["{{inputs.parameters.text}}", "$(ARGO_POD_NAME)"]}
  - name: bye
    container: {image: alpine, command: [sh, -c], args: ['test "{{workflow.status}}" = Succeeded && test -n "$TIPHYS_CHANGE"']}
`;

const TWO_STEPS = `
entrypoint: main
templates:
  - name: main
    steps:
      - - {name: make, template: make}
      - - {name: use, template: use, arguments: {parameters: [{name: text, value: "{{steps.make.outputs.result}}"}]}}
  - {name: make, script: {image: alpine, command: [sh], source: "echo once"}}
  - {name: use, inputs: {parameters: [{name: text}]}, container: {image: alpine, command: [test], args: ["{{inputs.parameters.text}}", "=", once]}}
`;

/** Workflows end to end: real API, real pods, real executor. */
export function describeWorkflows(open: () => Promise<WorkflowCluster>, { crashes = 4 } = {}): void {
  let cluster: WorkflowCluster;
  let world: Awaited<ReturnType<typeof startWorld>>;

  beforeAll(async () => {
    cluster = await open();
    world = await startWorld(cluster);
    await world.startController();
  });
  afterAll(async () => {
    await world?.close();
    await cluster?.close();
  });

  it("runs steps of scripts and containers, and passes results and files on", async () => {
    await world.submit("pipeline", PIPELINE);
    const workflow = await world.finished("pipeline");
    expect(workflow.status?.message).toBeUndefined();
    expect(workflow.status).toMatchObject({ phase: "Succeeded", progress: "4/4" });
    const say = nodesOf(workflow.status).find((node) => node.displayName === "say");
    expect(say?.inputs?.parameters).toMatchObject([{ name: "text", value: "hello world v7" }]);
    const pod = (await world.pods("pipeline")).find((item) => item.metadata.name.includes("-say-"));
    expect(await world.log(pod?.metadata.name ?? "")).toBe(`hello world v7 ${pod?.metadata.name}\n`);
    const { labels, annotations } = workflow.metadata;
    expect(labels).toMatchObject({
      "workflows.argoproj.io/completed": "true",
      "workflows.argoproj.io/phase": "Succeeded",
    });
    expect(annotations?.["tiphys.dev/change"]).toMatch(/^[0-9A-Z]{26}$/);
    expect(pod?.metadata.annotations?.["tiphys.dev/change"]).toBe(annotations?.["tiphys.dev/change"]);
    await eventually(async () => {
      const { items } = await world.client.list(types.workflowTaskResults, { namespace: world.namespace });
      return items.length === 0;
    });
  });

  it("says of every node what it took, and of its pods that nobody waits for them", async () => {
    await world.submit(
      "measured",
      `{entrypoint: main, templates: [{name: main, container: {image: alpine, command: [sh, -c], args: ["sleep 1.2"], resources: {requests: {cpu: "1"}}}}]}`,
    );
    const { status } = await world.finished("measured");
    expect(status?.resourcesDuration).toMatchObject({ cpu: expect.any(Number), memory: expect.any(Number) });
    expect(status?.resourcesDuration?.["cpu"]).toBeGreaterThanOrEqual(1);
    await eventually(async () =>
      (await world.pods("measured")).every(
        (pod) => pod.metadata.labels?.["workflows.argoproj.io/completed"] === "true",
      ),
    );
  });

  it("compresses the nodes of a run that becomes large, and goes on", async () => {
    await world.submit(
      "large",
      `{entrypoint: main, templates: [{name: main, steps: [[{name: make, template: make, withSequence: {count: 6}}], [{name: count, template: count, arguments: {parameters: [{name: all, value: "{{steps.make.outputs.result}}"}]}}]]}, {name: make, script: {image: alpine, command: [sh], source: "head -c 250000 /dev/zero | tr '\\\\0' x"}}, {name: count, inputs: {parameters: [{name: all}]}, suspend: {duration: 0}}]}`,
    );
    const stored = await world.finished("large");
    expect(stored.status).toMatchObject({ phase: "Succeeded", progress: "6/6", compressedNodes: expect.any(String) });
    expect(stored.status?.nodes).toBeUndefined();
    const nodes = nodesOf(unpacked(stored).status);
    expect(nodes.filter((node) => node.outputs?.result?.length === 250_000)).toHaveLength(6);
    const count = nodes.find((node) => node.displayName === "count");
    expect(JSON.parse(String(count?.inputs?.parameters?.[0]?.value))).toHaveLength(6);
    await eventually(() => [...world.archived.values()].some((record) => record.name === "large"));
    const record = [...world.archived.values()].find(({ name }) => name === "large");
    expect(nodesOf((record?.object as Workflow | undefined)?.status)).toHaveLength(nodes.length);
  });

  it("retries what fails, keeps its exit code, and fails in the end", async () => {
    await world.submit(
      "stubborn",
      `{entrypoint: main, templates: [{name: main, retryStrategy: {limit: 1}, script: {image: alpine, command: [sh], source: "exit 3"}}]}`,
    );
    const { status } = await world.finished("stubborn");
    expect(status).toMatchObject({ phase: "Failed", message: "No more retries left" });
    expect(nodesOf(status).map((node) => [node.type, node.outputs?.exitCode ?? ""])).toEqual([
      ["Retry", "3"],
      ["Pod", "3"],
      ["Pod", "3"],
    ]);
  });

  it("refuses an invalid workflow with the field at fault, and creates nothing", async () => {
    await world.submit(
      "invalid",
      `{entrypoint: main, templates: [{name: main, dag: {tasks: [{name: a, template: main, dependencies: [b]}, {name: b, template: nope, dependencies: [a]}]}}]}`,
    );
    const { status } = await world.finished("invalid");
    expect(status?.phase).toBe("Error");
    expect(status?.message).toContain("spec.templates[0].dag.tasks[1].template: template name 'nope' undefined");
    expect(status?.message).toContain("dependency cycle detected: a->b->a");
    expect(await world.pods("invalid")).toEqual([]);
  });

  it("says when a program is missing, or an output file", async () => {
    await world.submit(
      "absent",
      `{entrypoint: main, templates: [{name: main, outputs: {parameters: [{name: p, valueFrom: {path: /tmp/is-not-there}}]}, container: {image: alpine, command: [sh, -c, "true"]}}]}`,
    );
    const { status } = await world.finished("absent");
    expect(status?.phase).toBe("Error");
    expect(status?.message).toContain("outputs.parameters.p: cannot read /tmp/is-not-there");
  });

  // Kill points lie before and after every read, write and status patch of a pass; a run of two steps meets about thirty.
  it.each(Array.from({ length: crashes }, (_, index) => [1 + Math.floor((index * 30) / crashes)]))(
    "finishes a run whose controller dies at point %i, with nothing done twice",
    async (dying) => {
      const name = `survivor-${dying}`;
      await world.stopController();
      let points = 0;
      let armed = false;
      await world.startController((point) => {
        if (armed && ++points === dying) throw new Error(`killed at ${point}`);
      });
      armed = true;
      await world.submit(name, TWO_STEPS);
      await eventually(async () => points >= dying || isFinal((await world.get(name)).status), { limit: 20_000 });
      await world.stopController();
      await world.startController();
      const { status, metadata } = await world.finished(name);
      expect(status).toMatchObject({ phase: "Succeeded", progress: "2/2" });
      const pods = await world.pods(name);
      expect(pods).toHaveLength(2);
      for (const pod of pods)
        expect(pod.metadata.annotations?.["tiphys.dev/change"]).toBe(metadata.annotations?.["tiphys.dev/change"]);
      await eventually(() =>
        [...world.archived.values()].some((record) => record.name === name && record.phase === "Succeeded"),
      );
    },
  );

  it("ends what runs when it is told to, and goes on when it is resumed", async () => {
    const sleeper = `{entrypoint: main, templates: [{name: main, container: {image: alpine, command: [sh, -c], args: ["echo up; exec sleep 600"]}}]}`;
    await world.submit("terminated", sleeper);
    // A signal that comes before the executor listens would be lost, and the pod last its whole grace period.
    await eventually(async () => (await world.log("terminated").catch(() => "")) === "up\n");
    await world.patch("terminated", terminateWorkflow());
    expect((await world.finished("terminated")).status).toMatchObject({
      phase: "Failed",
      message: "Stopped with strategy 'Terminate'",
    });
    await eventually(async () => (await world.pods("terminated")).length === 0, { limit: 25_000 });

    await world.submit(
      "waits",
      `{entrypoint: main, templates: [{name: main, steps: [[{name: gate, template: gate}], [{name: go, template: go}]]}, {name: gate, suspend: {}}, {name: go, container: {image: alpine, command: ["true"]}}]}`,
    );
    await eventually(async () => nodesOf((await world.get("waits")).status).some((node) => node.type === "Suspend"));
    await world.patch("waits", resumeWorkflow(await world.get("waits"), new Date("2026-01-01T00:00:00Z")));
    expect((await world.finished("waits")).status).toMatchObject({ phase: "Succeeded" });
  });

  it("takes no report without the pod's own token", async () => {
    for (const authorization of [
      "",
      "Bearer v1.x.y",
      `Bearer v1.${Buffer.from('["a","b","c","d"]').toString("base64url")}.AAAA`,
    ]) {
      const answer = await fetch(world.reportUrl() + REPORT_PATH, {
        method: "POST",
        headers: { authorization },
        body: "{}",
      });
      expect(answer.status).toBe(401);
    }
  });
}
