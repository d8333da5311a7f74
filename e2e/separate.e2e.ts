import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { createSqliteArchive } from "@tiphys/archive";
import { codeOf } from "@tiphys/errors";
import {
  tiphysApiV1Api as api,
  tiphysControllerV1Controller as controller,
  tiphysDeliveryV1Delivery as delivery,
  tiphysEventsV1Events as events,
  tiphysFactsV1Facts as facts,
  grpcHealthV1Health as health,
  tiphysRepoV1Repo as repo,
  session,
  version,
} from "@tiphys/proto";
import { types } from "@tiphys/resources";
import { type GrpcChannel, grpcChannel, type ServiceDefinition } from "@tiphys/rpc";
import { describeWith, eventually, startNats, startRedis, type TestServer } from "@tiphys/testing";
import { Redis } from "ioredis";
import { refusalsIn } from "./support/separate-accounts.js";
import { type Cluster, embeddedCluster, realCluster } from "./support/separate-cluster.js";
import { processesOf, start } from "./support/separate-processes.js";
import {
  ask,
  counts,
  type RunningService,
  reflected,
  type SeparateSuite,
  type ServiceName,
  services,
  startSuite,
} from "./support/separate-suite.js";

/** What each service serves to the others. */
const servedBy: Readonly<Record<ServiceName, readonly ServiceDefinition[]>> = {
  "repo-server": [repo.ManifestServiceDefinition],
  "app-controller": [delivery.DeliveryServiceDefinition, controller.ControllerServiceDefinition],
  "workflow-controller": [controller.ControllerServiceDefinition],
  "rollouts-controller": [controller.ControllerServiceDefinition],
  "events-gateway": [events.EventsServiceDefinition, controller.ControllerServiceDefinition],
  "api-server": [],
};
const DEMO_LIMIT_MS = 120_000;

const clusters = [
  { name: "embedded cluster", needs: ["nats-server", "redis-server", "git"], open: embeddedCluster, mutualTls: false },
  {
    name: "real control plane",
    needs: ["real-cluster", "nats-server", "redis-server", "git"],
    open: realCluster,
    mutualTls: true,
  },
] as const;

for (const { name, needs, open, mutualTls } of clusters) {
  describeWith(needs, `the suite as separate processes on the ${name}`, () => {
    let folder: string;
    let nats: TestServer;
    let redis: TestServer;
    let cluster: Cluster;
    let suite: SeparateSuite;
    let bus: NatsConnection;
    const channels: GrpcChannel[] = [];
    const seen: { subject: string; fact: facts.Fact }[] = [];

    const service = (wanted: ServiceName): RunningService => {
      const found = suite.services.find((candidate) => candidate.name === wanted);
      if (!found) throw new Error(`${wanted} does not run`);
      return found;
    };
    const channelTo = (target: string, token?: () => Promise<string>): GrpcChannel => {
      const channel = grpcChannel({ target, ...suite.tls, ...(token ? { token } : {}) });
      channels.push(channel);
      return channel;
    };
    /** The public port, as a user who has logged in. */
    const user = async () => {
      const secret = (key: string, field: string) =>
        cluster.client
          .get(types.secrets, { namespace: "argocd", name: key })
          .then(({ data }) => Buffer.from(data?.[field] ?? "", "base64").toString("utf8"));
      const ca = await secret("argocd-secret", "tls.crt");
      const anybody = grpcChannel({ target: suite.api, ca });
      const password = await secret("argocd-initial-admin-secret", "password");
      const { token = "" } = await anybody
        .client(session.SessionServiceDefinition)
        .create({ username: "admin", password });
      const channel = grpcChannel({ target: suite.api, ca, token: async () => token });
      channels.push(anybody, channel);
      return { anybody, channel };
    };
    const handled = async (of: ServiceName): Promise<Map<string, number>> =>
      counts(service(of), "grpc_server_handled_total", ["grpc_service", "grpc_method", "grpc_code"]);
    const handledEach = async (of: ServiceName, definition: ServiceDefinition) => {
      const found = await handled(of);
      const methods = Object.values(definition.methods).map((method) => method.name);
      return methods.filter((method) => !((found.get(`${definition.fullName}/${method}/0`) ?? 0) > 0));
    };

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "tiphys-separate-"));
      [nats, redis] = await Promise.all([startNats(), startRedis()]);
      cluster = await open(folder);
      bus = await connect({ servers: nats.url });
      bus.subscribe("tiphys.live.tiphys.facts.>", {
        callback: (_error, message) =>
          void seen.push({
            subject: message.subject.slice("tiphys.live.".length),
            fact: facts.Fact.decode(message.data),
          }),
      });
      suite = await startSuite({ cluster, folder, nats, redis, mutualTls });
    }, 120_000);

    afterAll(async () => {
      for (const channel of channels) channel.close();
      await bus?.close();
      await suite?.stop();
      await cluster?.leave();
      const left = await processesOf(folder);
      await nats?.[Symbol.asyncDispose]();
      await redis?.[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
      expect(left).toEqual([]);
    }, 120_000);

    it.each(services)("%s says that it lives, is ready and serves", async (of) => {
      const found = service(of);
      expect((await ask(found, "/healthz")).status).toBe(200);
      expect((await ask(found, "/readyz")).status).toBe(200);
      const client = channelTo(found.grpc).client(health.HealthDefinition);
      for (const { fullName } of servedBy[of]) expect(await client.check({ service: fullName })).toEqual({ status: 1 });
      expect(await client.check({})).toEqual({ status: 1 });
    });

    it.each(services)("%s shows its services to the others, and refuses who has no token", async (of) => {
      const { grpc } = service(of);
      const listed = await reflected(grpc, await suite.tokens.issue("api-server"), suite.tls);
      for (const { fullName } of servedBy[of]) expect(listed).toContain(fullName);
      await expect(reflected(grpc, "", suite.tls)).rejects.toThrow("UNAUTHENTICATED");
      const channel = channelTo(grpc);
      for (const definition of servedBy[of]) {
        const client = channel.client(definition) as Record<string, (request: object) => Promise<unknown>>;
        for (const method of Object.keys(definition.methods)) {
          const refused = await client[method]?.({}).catch((error: unknown) => codeOf(error));
          expect(`${definition.fullName}/${method}: ${refused}`).toBe(
            `${definition.fullName}/${method}: Unauthenticated`,
          );
        }
      }
    });

    if (mutualTls)
      it.each(services)("%s hangs up on a caller without a certificate", async (of) => {
        const { ca } = suite.tls ?? {};
        const channel = grpcChannel({ target: service(of).grpc, ...(ca ? { ca } : {}) });
        const client = channel.client(health.HealthDefinition);
        const refused = await client.check({}, { timeout: 2_000 }).catch((error: unknown) => codeOf(error));
        channel.close();
        expect(["Unavailable", "DeadlineExceeded"]).toContain(refused);
      });

    it(
      "plays the demo to both endings",
      async () => {
        const began = performance.now();
        const demo = start("demo", "standalone/dist/demo.mjs", folder, {
          TIPHYS_KUBECONFIG: suite.accounts.demo,
          TIPHYS_DATA: folder,
          TIPHYS_INGRESS_URL: suite.ingressUrl,
          TIPHYS_API_URL: `https://${suite.api}`,
        });
        const code = await demo.ended;
        const took = ((performance.now() - began) / 1000).toFixed(1);
        process.stdout.write(`the demo took ${took} s on the ${name}\n`);
        if (code !== 0) {
          const logs = suite.services.map(({ name: of, running }) => `${of}: ${running.log()}`);
          throw new Error(`the demo ended with ${code}:\n${demo.log()}\n${logs.join("\n")}`);
        }
        expect(demo.output()).toContain("demo done");
      },
      DEMO_LIMIT_MS,
    );

    it("has sent every RPC between the services", async () => {
      const { channel } = await user();
      const client = channel.client(api.TiphysServiceDefinition);
      const workflows = await cluster.client.list(types.workflows, { namespace: "demo" });
      const workflow = workflows.items[0]?.metadata.name ?? "";
      for (const [resource, namespace, of] of [
        ["applications", "argocd", "shop"],
        ["workflows", "demo", workflow],
        ["rollouts", "demo", "shop"],
        ["sensors", "demo", "release"],
      ] as const) {
        const { decisions = [] } = await client.explain({ resource, namespace, name: of });
        expect(`${resource}: ${decisions.length > 0}`).toBe(`${resource}: true`);
      }
      const { events: listed = [] } = await client.listEvents({ namespace: "demo" });
      expect(listed.length).toBeGreaterThanOrEqual(2);

      // What no step of the demo asks for is asked as the app-controller would, of the demo's own repository.
      const manifests = channelTo(service("repo-server").grpc, () => suite.tokens.issue("app-controller")).client(
        repo.ManifestServiceDefinition,
      );
      const repoUrl = `file://${join(folder, "demo", "git", "config.git")}`;
      const { revision = "" } = await manifests.resolveRevision({ repoUrl, revision: "HEAD" });
      expect(revision).toMatch(/^[0-9a-f]{40}$/);
      expect((await manifests.revisionMetadata({ repoUrl, revision })).change).not.toBe("");
      expect((await manifests.listRefs({ repoUrl })).branches?.length).toBeGreaterThan(0);
      expect(await manifests.testRepository({ repoUrl })).toEqual({ verified: true });

      for (const of of services)
        for (const definition of servedBy[of])
          expect(`${of} ${definition.fullName}: ${await handledEach(of, definition)}`).toBe(
            `${of} ${definition.fullName}: `,
          );
      const reports = await counts(service("workflow-controller"), "tiphys_task_reports_total", ["code"]);
      // Only pods with outputs have something to report: one of each release.
      expect(reports.get("OK")).toBeGreaterThanOrEqual(2);
    });

    it("answers every RPC of the public port", async () => {
      const { anybody, channel } = await user();
      await expect(anybody.client(api.TiphysServiceDefinition).list({ resource: "workflows" })).rejects.toThrow();
      expect((await anybody.client(version.VersionServiceDefinition).version({})).Version).toBeTruthy();
      const sessions = channel.client(session.SessionServiceDefinition);
      expect(await sessions.getUserInfo({})).toMatchObject({ loggedIn: true, username: "admin" });
      const client = channel.client(api.TiphysServiceDefinition);
      const read = ({ json }: api.Object) => JSON.parse(Buffer.from(json ?? []).toString("utf8"));

      expect((await client.list({ resource: "workflows", namespace: "demo" })).items?.length).toBe(2);
      expect(read(await client.get({ resource: "rollouts", namespace: "demo", name: "shop" })).status.abort).toBe(true);
      const abort = new AbortController();
      for await (const { type } of client.watch(
        { resource: "rollouts", namespace: "demo" },
        { signal: abort.signal },
      )) {
        expect(type).toBe("ADDED");
        abort.abort();
      }
      const released = (await cluster.client.list(types.workflows, { namespace: "demo" })).items[0]?.metadata.name;
      const lines: string[] = [];
      for await (const { content } of client.workflowLogs({ namespace: "demo", name: released ?? "" }))
        lines.push(content ?? "");
      expect(lines.length).toBeGreaterThan(0);

      const template = {
        apiVersion: "argoproj.io/v1alpha1",
        kind: "WorkflowTemplate",
        metadata: { namespace: "demo", name: "wait" },
        spec: { entrypoint: "wait", templates: [{ name: "wait", suspend: {} }] },
      };
      await client.apply({ json: Buffer.from(JSON.stringify(template)) });
      const waiting = read(await client.submitWorkflow({ namespace: "demo", template: "wait" })).metadata.name;
      const stopped = await client.actOnWorkflow({ namespace: "demo", name: waiting, action: "terminate" });
      expect(read(stopped).spec.shutdown).toBe("Terminate");
      await client.delete({ resource: "workflowtemplates", namespace: "demo", name: "wait" });
      await client.actOnRollout({ namespace: "demo", name: "shop", action: "abort" });
      const synced = await eventually(() =>
        client.syncApplication({ namespace: "argocd", name: "shop", dryRun: true }).catch((error: unknown) => {
          // An automated sync may be on its way.
          if (codeOf(error) !== "FailedPrecondition") throw error;
          return undefined;
        }),
      );
      expect(read(synced).operation.initiatedBy.username).toBe("admin");
      await sessions.delete({});

      for (const definition of [
        version.VersionServiceDefinition,
        session.SessionServiceDefinition,
        api.TiphysServiceDefinition,
      ])
        await eventually(async () => (await handledEach("api-server", definition)).length === 0, {
          limit: 5_000,
          describe: () => definition.fullName,
        });
    });

    it("was allowed everything it asked of the API server with the accounts and roles of deploy/rbac", async () => {
      expect(await refusalsIn(folder, [...services, "demo"])).toEqual([]);
    });

    it("has carried events through JetStream and facts of every area over NATS", async () => {
      const manager = await jetstreamManager(bus);
      const { state } = await manager.streams.info("tiphys", { subjects_filter: ">" });
      expect(Object.keys(state.subjects ?? {})).toEqual(["tiphys.log.events.demo.default.forge.push"]);
      expect(state.messages).toBeGreaterThanOrEqual(2);
      const consumers = [];
      for await (const { delivered, num_ack_pending, num_pending } of manager.consumers.list("tiphys"))
        consumers.push({ delivered: delivered.consumer_seq > 0, num_ack_pending, num_pending });
      expect(consumers).toEqual([{ delivered: true, num_ack_pending: 0, num_pending: 0 }]);

      for (const { subject, fact } of seen)
        expect(subject.split(".").slice(0, 4)).toEqual(["tiphys", "facts", fact.area, fact.namespace]);
      const codes = (area: string) =>
        new Set(seen.filter(({ fact }) => fact.area === area).map(({ fact }) => fact.code));
      expect([...codes("delivery")]).toEqual(expect.arrayContaining(["Synced", "OutOfSync", "OperationSucceeded"]));
      expect([...codes("workflows")]).toEqual(expect.arrayContaining(["Running", "Succeeded"]));
      expect([...codes("rollouts")]).toEqual(expect.arrayContaining(["StepCompleted", "Completed", "Aborted"]));
      expect(codes("events").size).toBeGreaterThanOrEqual(2);
      expect(seen.filter(({ fact }) => fact.change !== "").length).toBeGreaterThan(0);
    });

    it("has kept the decisions of every controller in JetStream", async () => {
      const manager = await jetstreamManager(bus);
      const { state } = await manager.streams.info("TIPHYS_JOURNAL");
      expect(state.messages).toBeGreaterThan(10);
      expect((await manager.streams.info("TIPHYS_JOURNAL_STATES")).state.messages).toBeGreaterThan(10);
    });

    it("has kept its cache and its jobs in Redis", async () => {
      const client = new Redis(redis.url);
      try {
        const cached = await client.keys("tiphys:cache:*");
        expect(cached.length).toBeGreaterThan(0);
        await eventually(async () => {
          const jobs = await client.xrange("tiphys:workflow-archive:events", "-", "+");
          return jobs.filter(([, fields]) => fields.includes("completed")).length >= 2;
        });
      } finally {
        client.disconnect();
      }
    });

    it("ends each process within five seconds of SIGTERM, with nothing left behind", async () => {
      const ends = await suite.stop();
      expect(ends.filter(({ code }) => code !== 0)).toEqual([]);
      expect(ends.filter(({ milliseconds }) => milliseconds >= 5_000)).toEqual([]);

      const data = join(folder, "data", "workflow-controller");
      const archive = await createSqliteArchive({ path: join(data, "archive.db") });
      const { items } = await archive.list({ kind: "Workflow", namespace: "demo", phase: "Succeeded" });
      await archive.close();
      expect(items.length).toBe(2);
      const kept = await readdir(join(data, "artifacts"), { recursive: true });
      for (const { name: of } of items)
        expect(kept.filter((path) => path.startsWith(`logs/demo/${of}/`) && path.endsWith("main.log")).length).toBe(3);

      const left = await processesOf(folder);
      const allowed = left.filter((command) => command.includes("cluster.mjs"));
      expect(left).toEqual(allowed);
    }, 60_000);
  });
}
