import { randomBytes } from "node:crypto";
import { systemClock } from "@tiphys/clock";
import { clusterAdmin } from "@tiphys/identity";
import { createMemoryJournal } from "@tiphys/journal";
import { createInformers, isNotFound, type KubeClient, loadKubeconfig } from "@tiphys/kube";
import { createKubeControllers } from "@tiphys/kube-controllers";
import { createEmbeddedKube, type EmbeddedKube, type Listening } from "@tiphys/kube-embedded";
import { type Application, applicationCrd, appProjectCrd, type KubeObject, types } from "@tiphys/resources";
import { noMetrics, silentLogger } from "@tiphys/telemetry";
import { describeWith, eventually } from "@tiphys/testing";
import { type DeliveryLine, openDeliveryLine } from "./testdata/delivery-line.js";

const configMap = (name: string, data: Record<string, string> = { a: "1" }) =>
  JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data });
const automated = { automated: { prune: true, selfHeal: true }, syncOptions: ["CreateNamespace=true"] };
const synced = (revision: string) => (app: Application) =>
  app.status?.sync?.status === "Synced" &&
  app.status.operationState?.phase === "Succeeded" &&
  app.status.sync.revision === revision;

describeWith(["git"], "delivery to a second cluster", () => {
  const clock = systemClock();
  const log = silentLogger;
  let home: EmbeddedKube;
  let away: EmbeddedKube;
  let listening: Listening;
  let there: KubeClient;
  let line: DeliveryLine;
  let stopControllers: () => Promise<void>;
  let config: { bearerToken?: string; tlsClientConfig: Record<string, unknown> };

  beforeAll(async () => {
    home = await createEmbeddedKube({ clock, random: randomBytes, log, crds: [applicationCrd, appProjectCrd] });
    away = await createEmbeddedKube({ clock, random: randomBytes, log });
    listening = await away.listen({ host: "127.0.0.1", port: 0 });
    there = away.client(clusterAdmin);
    const informers = createInformers({ client: there, clock, log });
    const controllers = createKubeControllers({
      informers,
      clock,
      log,
      metrics: noMetrics,
      journal: createMemoryJournal(),
      random: randomBytes,
    });
    await controllers.start();
    stopControllers = async () => {
      await controllers.stop();
      await informers.stop();
    };
    const { ca, clientCert, clientKey } = await loadKubeconfig({ text: listening.kubeconfig });
    const encoded = (text: string | undefined) => Buffer.from(text ?? "").toString("base64");
    config = {
      tlsClientConfig: { caData: encoded(ca), certData: encoded(clientCert), keyData: encoded(clientKey?.reveal()) },
    };
    line = await openDeliveryLine(home.client(clusterAdmin));
  });
  afterAll(async () => {
    await line?.close();
    await stopControllers?.();
    await listening?.close();
    await away?.stop();
    await home?.stop();
  });

  const register = (name: string, settings: object = config, server = listening.url): Promise<KubeObject> =>
    line.client.create(types.secrets, {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name, namespace: line.control, labels: { "argocd.argoproj.io/secret-type": "cluster" } },
      data: Object.fromEntries(
        Object.entries({ name, server, config: JSON.stringify(settings) }).map(([key, value]) => [
          key,
          Buffer.from(value).toString("base64"),
        ]),
      ),
    });
  const unregister = (name: string) => line.client.delete(types.secrets, { namespace: line.control, name });
  const read = async (name: string): Promise<KubeObject | undefined> => {
    try {
      return await there.get(types.configMaps, { namespace: "away", name });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  };
  const condition = (app: Application) => app.status?.conditions?.find(({ type }) => type.endsWith("Error"))?.message;

  it("waits for a cluster of that name, then brings an application there and nothing home", async () => {
    const sha = line.commit({ "app/a.yaml": configMap("one"), "app/b.yaml": configMap("two") });
    const destination = { name: "second", namespace: "away" };
    await line.create("by-name", { destination, syncPolicy: automated });
    const waiting = await line.reaches("by-name", condition);
    expect(condition(waiting)).toBe("spec.destination.name: there are no clusters with this name: second");
    await register("second");
    const app = await line.reaches("by-name", synced(sha));
    expect(app.status?.health?.status).toBe("Healthy");
    expect(app.status?.resources).toHaveLength(2);
    expect((await read("one"))?.metadata.annotations?.["argocd.argoproj.io/tracking-id"]).toBe(
      "by-name:/ConfigMap:away/one",
    );
    expect(await line.object("v1", "ConfigMap", "one")).toBeUndefined();
  });

  it("heals and prunes there, and deletes there what it has brought", async () => {
    await there.patch(
      types.configMaps,
      { namespace: "away", name: "one" },
      { type: "merge", body: { data: { a: "drifted" } } },
    );
    await eventually(async () => (await read("one"))?.["data"].a === "1");
    const sha = line.commit({ "app/b.yaml": null });
    await line.reaches("by-name", synced(sha));
    expect(await read("two")).toBeUndefined();
    const key = { namespace: line.control, name: "by-name" };
    await line.client.patch(types.applications, key, {
      type: "merge",
      body: { metadata: { finalizers: ["resources-finalizer.argocd.argoproj.io"] } },
    });
    await line.client.delete(types.applications, key);
    await eventually(async () => (await read("one")) === undefined);
    await eventually(() =>
      line.app("by-name").then(
        () => false,
        (error: unknown) => isNotFound(error),
      ),
    );
  });

  it("is named by its address too, and projects permit either", async () => {
    const sha = line.commit({ "app/c.yaml": configMap("three") });
    const destination = { server: `${listening.url}/`, namespace: "away" };
    await line.client.create(types.appProjects, {
      apiVersion: "argoproj.io/v1alpha1",
      kind: "AppProject",
      metadata: { name: "narrow", namespace: line.control },
      spec: { sourceRepos: ["*"], destinations: [{ name: "elsewhere", namespace: "*" }] },
    });
    await line.create("by-server", { project: "narrow", destination, syncPolicy: automated });
    expect(condition(await line.reaches("by-server", condition))).toMatch(
      /do not match any of the allowed destinations/,
    );
    await line.client.patch(
      types.appProjects,
      { namespace: line.control, name: "narrow" },
      {
        type: "merge",
        body: {
          spec: {
            destinations: [{ name: "second", namespace: "*" }],
            clusterResourceWhitelist: [{ group: "*", kind: "*" }],
          },
        },
      },
    );
    await line.reaches("by-server", synced(sha));
    expect((await read("three"))?.["data"]).toEqual({ a: "1" });
  });

  it("says why a cluster cannot be reached, knows nothing of its health then, and keeps its finalizer", async () => {
    await register(
      "locked",
      { bearerToken: "hunter2", tlsClientConfig: { caData: config.tlsClientConfig["caData"] } },
      `${listening.url}/`.replace("127.0.0.1", "localhost"),
    );
    await register("odd", { ...config, awsAuthConfig: { clusterName: "x" } }, "https://odd.example");
    for (const [name, want] of [
      ["locked", /cluster locked .*(Unauthorized|401)/],
      ["odd", /awsAuthConfig in cluster Secret odd is not implemented yet/],
    ] as const) {
      await line.create(
        `to-${name}`,
        { destination: { name, namespace: "away" } },
        { finalizers: ["resources-finalizer.argocd.argoproj.io"] },
      );
      const app = await line.reaches(`to-${name}`, condition);
      expect(condition(app)).toMatch(want);
      expect(app.status).toMatchObject({ sync: { status: "Unknown" }, health: { status: "Unknown" } });
      expect(JSON.stringify(app)).not.toContain("hunter2");
    }
    const key = { namespace: line.control, name: "to-locked" };
    await line.client.delete(types.applications, key);
    await eventually(() => line.log.some((text) => text.includes("pass failed")));
    expect((await line.app("to-locked")).metadata.finalizers).toHaveLength(1);
    // Without its Secret the cluster is gone for good, and so is what was there.
    await unregister("locked");
    await eventually(() =>
      line.app("to-locked").then(
        () => false,
        (error: unknown) => isNotFound(error),
      ),
    );
  });
});
