import type { KubeObject, ResourceType } from "@tiphys/resources";
import { types } from "@tiphys/resources";
import type { KubeClient, WatchEvent } from "./client.js";
import { KubeApiError } from "./errors.js";
import { compareResourceVersions } from "./resource-version.js";

export interface ClientUnderTest {
  /** Acts as a cluster administrator. */
  readonly client: KubeClient;
  close(): Promise<void>;
}

export interface ContractOptions {
  /** Parts of the contract that the server behind does not do yet (docs/compatibility.md); they are not asked for. */
  readonly lacks?: readonly "authorization"[];
}

const configMap = (namespace: string, name: string, more: Partial<KubeObject> = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  ...more,
  metadata: { name, namespace, ...more.metadata },
});

async function refusal(work: Promise<unknown>): Promise<KubeApiError> {
  const error = await work.then(
    () => undefined,
    (problem: unknown) => problem,
  );
  if (!(error instanceof KubeApiError)) throw new Error(`expected a KubeApiError, got ${String(error)}`);
  return error;
}

/** What every KubeClient has to do, whichever server is behind it. */
export function kubeClientContract(
  name: string,
  open: () => Promise<ClientUnderTest>,
  { lacks = [] }: ContractOptions = {},
): void {
  describe(`KubeClient contract: ${name}`, () => {
    let under: ClientUnderTest;
    let client: KubeClient;
    let namespace: string;
    const { configMaps, deployments, namespaces } = types;

    beforeAll(async () => {
      under = await open();
      client = under.client;
      const made = await client.create(namespaces, {
        apiVersion: "v1",
        kind: "Namespace",
        metadata: { name: "", generateName: "kube-contract-" },
      });
      namespace = made.metadata.name;
    });
    afterAll(async () => {
      await client.delete(namespaces, { name: namespace });
      await under.close();
    });

    const collect = async (
      type: ResourceType,
      options: { resourceVersion?: string; labelSelector?: string },
      until: (events: readonly WatchEvent[]) => boolean,
    ) => {
      const events: WatchEvent[] = [];
      const ended = new AbortController();
      for await (const event of client.watch(type, { namespace, ...options }, ended.signal)) {
        if (event.type === "BOOKMARK") continue;
        events.push(event);
        if (until(events)) ended.abort();
      }
      return events;
    };
    const shown = (events: readonly WatchEvent[]) =>
      events.map((event) => (event.type === "BOOKMARK" ? event.type : `${event.type} ${event.object.metadata.name}`));

    it("creates, gets and names the kind of what it gives", async () => {
      const made = await client.create(configMaps, configMap(namespace, "made", { data: { a: "1" } }));
      expect(made).toMatchObject({ apiVersion: "v1", kind: "ConfigMap", data: { a: "1" } });
      expect(made.metadata.uid).toBeTruthy();
      expect(made.metadata.creationTimestamp).toBeTruthy();
      expect(await client.get(configMaps, { namespace, name: "made" })).toEqual(made);
    });

    it("gives frozen objects", async () => {
      const made = await client.create(configMaps, configMap(namespace, "frozen", { data: { a: "1" } }));
      expect(Object.isFrozen(made)).toBe(true);
      expect(Object.isFrozen(made.data)).toBe(true);
      const { items } = await client.list(configMaps, { namespace });
      expect(items.every((item) => Object.isFrozen(item.metadata))).toBe(true);
    });

    it("refuses a second object of the same name", async () => {
      await client.create(configMaps, configMap(namespace, "twice"));
      const error = await refusal(client.create(configMaps, configMap(namespace, "twice")));
      expect(error).toMatchObject({ code: "AlreadyExists", reason: "AlreadyExists" });
      expect(error.message).toBe('configmaps "twice" already exists');
    });

    it("says which object is missing", async () => {
      const error = await refusal(client.get(configMaps, { namespace, name: "absent" }));
      expect(error).toMatchObject({ code: "NotFound", reason: "NotFound" });
      expect(error.message).toBe('configmaps "absent" not found');
      expect(error.status.code).toBe(404);
    });

    it("makes a name from generateName", async () => {
      const made = await client.create(
        configMaps,
        configMap(namespace, "", { metadata: { name: "", namespace, generateName: "some-" } }),
      );
      expect(made.metadata.name).toMatch(/^some-[a-z0-9]{5}$/);
    });

    it("refuses to replace what somebody else changed first", async () => {
      const made = await client.create(configMaps, configMap(namespace, "contended", { data: { a: "1" } }));
      await client.replace(configMaps, { ...made, data: { a: "2" } });
      const error = await refusal(client.replace(configMaps, { ...made, data: { a: "3" } }));
      expect(error).toMatchObject({ code: "Aborted", reason: "Conflict" });
      expect((await client.get(configMaps, { namespace, name: "contended" })).data).toEqual({ a: "2" });
    });

    it("does not write what changes nothing", async () => {
      const made = await client.create(configMaps, configMap(namespace, "same", { data: { a: "1" } }));
      const again = await client.patch(
        configMaps,
        { namespace, name: "same" },
        { type: "merge", body: { data: { a: "1" } } },
      );
      expect(again.metadata.resourceVersion).toBe(made.metadata.resourceVersion);
    });

    it("orders versions as numbers", async () => {
      const made = await client.create(configMaps, configMap(namespace, "ordered", { data: { a: "1" } }));
      const changed = await client.replace(configMaps, { ...made, data: { a: "2" } });
      expect(compareResourceVersions(changed.metadata.resourceVersion, made.metadata.resourceVersion)).toBeGreaterThan(
        0,
      );
    });

    it("patches with JSON patch, merge patch and strategic merge patch", async () => {
      const key = { namespace, name: "patched" };
      await client.create(configMaps, configMap(namespace, "patched", { data: { a: "1", b: "2" } }));
      const first = await client.patch(configMaps, key, {
        type: "json",
        body: [
          { op: "test", path: "/data/a", value: "1" },
          { op: "replace", path: "/data/a", value: "x" },
        ],
      });
      expect(first.data).toEqual({ a: "x", b: "2" });
      const second = await client.patch(configMaps, key, { type: "merge", body: { data: { b: null, c: "3" } } });
      expect(second.data).toEqual({ a: "x", c: "3" });
      const third = await client.patch(configMaps, key, { type: "strategic", body: { data: { d: "4" } } });
      expect(third.data).toEqual({ a: "x", c: "3", d: "4" });
    });

    it("locks a merge patch by resourceVersion", async () => {
      const key = { namespace, name: "locked" };
      const made = await client.create(configMaps, configMap(namespace, "locked", { data: { a: "1" } }));
      await client.patch(configMaps, key, { type: "merge", body: { data: { a: "2" } } });
      const late = client.patch(configMaps, key, {
        type: "merge",
        body: { metadata: { resourceVersion: made.metadata.resourceVersion }, data: { a: "3" } },
      });
      expect(await refusal(late)).toMatchObject({ reason: "Conflict" });
    });

    it("applies server-side, remembers the manager, and protects the fields of others", async () => {
      const key = { namespace, name: "applied" };
      const body = configMap(namespace, "applied", { data: { a: "1" } });
      const made = await client.patch(configMaps, key, { type: "apply", body }, { fieldManager: "first" });
      expect(made.metadata.managedFields).toMatchObject([{ manager: "first", operation: "Apply" }]);
      const other = { ...body, data: { a: "2" } };
      const error = await refusal(
        client.patch(configMaps, key, { type: "apply", body: other }, { fieldManager: "second" }),
      );
      expect(error.reason).toBe("Conflict");
      expect(error.message).toContain('conflict with "first"');
      const forced = await client.patch(
        configMaps,
        key,
        { type: "apply", body: other },
        { fieldManager: "second", force: true },
      );
      expect(forced.data).toEqual({ a: "2" });
    });

    it("changes nothing in a dry run", async () => {
      const dry = await client.create(configMaps, configMap(namespace, "dry"), { dryRun: true });
      expect(dry.metadata.name).toBe("dry");
      expect(await refusal(client.get(configMaps, { namespace, name: "dry" }))).toMatchObject({ code: "NotFound" });
    });

    it("lists by label, by field and in pages", async () => {
      for (const item of ["p1", "p2", "p3"]) {
        await client.create(
          configMaps,
          configMap(namespace, item, { metadata: { name: item, namespace, labels: { page: "yes", item } } }),
        );
      }
      const names = async (labelSelector: string) =>
        (await client.list(configMaps, { namespace, labelSelector })).items.map((item) => item.metadata.name);
      expect(await names("page=yes,item in (p1, p3)")).toEqual(["p1", "p3"]);
      expect(await names("page,item!=p2")).toEqual(["p1", "p3"]);
      const byName = await client.list(configMaps, { namespace, fieldSelector: "metadata.name=p2" });
      expect(byName.items.map((item) => item.metadata.name)).toEqual(["p2"]);
      const first = await client.list(configMaps, { namespace, labelSelector: "page=yes", limit: 2 });
      expect(first.items).toHaveLength(2);
      expect(first.continue).toBeTruthy();
      const rest = await client.list(configMaps, {
        namespace,
        labelSelector: "page=yes",
        limit: 2,
        continue: first.continue as string,
      });
      expect(rest.items.map((item) => item.metadata.name)).toEqual(["p3"]);
      expect(rest.continue).toBeUndefined();
    });

    it("deletes under preconditions and waits for finalizers", async () => {
      const key = { namespace, name: "finalized" };
      const made = await client.create(
        configMaps,
        configMap(namespace, "finalized", {
          metadata: { name: "finalized", namespace, finalizers: ["example.com/hold"] },
        }),
      );
      const wrong = client.delete(configMaps, key, { preconditions: { uid: "another" } });
      expect(await refusal(wrong)).toMatchObject({ reason: "Conflict" });
      await client.delete(configMaps, key, { preconditions: { uid: made.metadata.uid as string } });
      const marked = await client.get(configMaps, key);
      expect(marked.metadata.deletionTimestamp).toBeTruthy();
      await client.patch(configMaps, key, { type: "merge", body: { metadata: { finalizers: null } } });
      expect(await refusal(client.get(configMaps, key))).toMatchObject({ code: "NotFound" });
      expect(await refusal(client.delete(configMaps, key))).toMatchObject({ code: "NotFound" });
    });

    it("keeps spec and status apart where status is a subresource", async () => {
      const key = { namespace, name: "web" };
      const made = await client.create(deployments, {
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: "web", namespace },
        spec: {
          replicas: 0,
          selector: { matchLabels: { app: "web" } },
          template: {
            metadata: { labels: { app: "web" } },
            spec: { containers: [{ name: "web", image: "example.com/web:1" }] },
          },
        },
        status: { replicas: 9 },
      });
      expect(made.status?.replicas ?? 0).toBe(0);
      expect(made.metadata.generation).toBe(1);
      const updated = await client.patch(
        deployments,
        key,
        { type: "merge", body: { spec: { replicas: 7 }, status: { collisionCount: 3 } } },
        { subresource: "status" },
      );
      expect(updated.spec.replicas).toBe(0);
      expect(updated.status.collisionCount).toBe(3);
      expect(updated.metadata.generation).toBe(1);
      await client.delete(deployments, key);
    });

    it("watches from a list on, in order", async () => {
      const { resourceVersion } = await client.list(configMaps, { namespace });
      const watching = collect(configMaps, { resourceVersion }, (events) => events.length === 3);
      const made = await client.create(configMaps, configMap(namespace, "watched", { data: { a: "1" } }));
      await client.replace(configMaps, { ...made, data: { a: "2" } });
      await client.delete(configMaps, { namespace, name: "watched" });
      const events = await watching;
      expect(shown(events)).toEqual(["ADDED watched", "MODIFIED watched", "DELETED watched"]);
      const versions = events.map((event) => (event.type === "BOOKMARK" ? "" : event.object.metadata.resourceVersion));
      expect([...versions].sort(compareResourceVersions)).toEqual(versions);
    });

    it("tells a selecting watch that an object left the selection", async () => {
      const { resourceVersion } = await client.list(configMaps, { namespace });
      const key = { namespace, name: "moving" };
      const watching = collect(configMaps, { resourceVersion, labelSelector: "in=yes" }, (all) => all.length === 3);
      await client.create(configMaps, configMap(namespace, "moving"));
      const label = (value: string) =>
        client.patch(configMaps, key, { type: "merge", body: { metadata: { labels: { in: value } } } });
      await label("yes");
      await label("no");
      await label("yes");
      expect(shown(await watching)).toEqual(["ADDED moving", "DELETED moving", "ADDED moving"]);
    });

    it("ends a watch quietly when its signal aborts", async () => {
      const ended = new AbortController();
      const { resourceVersion } = await client.list(configMaps, { namespace });
      const reading = (async () => {
        for await (const _event of client.watch(configMaps, { namespace, resourceVersion }, ended.signal));
        return "ended";
      })();
      ended.abort();
      expect(await reading).toBe("ended");
    });

    it("finds the type of a kind, and lists the types served", async () => {
      expect(await client.resourceFor("apps/v1", "Deployment")).toEqual(types.deployments);
      const error = await refusal(client.resourceFor("example.com/v1", "Nothing"));
      expect(error.code).toBe("NotFound");
      const served = await client.resources();
      expect(served).toContainEqual(types.configMaps);
      expect(served).toContainEqual(types.replicaSets);
      const names = served.map((type) => `${type.group}/${type.resource}`);
      expect(new Set(names).size).toBe(names.length);
      const { version, apiVersions } = await client.cluster();
      expect(version).toMatch(/^v1\.\d+\./);
      expect(apiVersions).toEqual(expect.arrayContaining(["v1", "apps/v1", "v1/ConfigMap", "apps/v1/Deployment"]));
    });

    if (!lacks.includes("authorization")) {
      it("acts as somebody else, who may do less", async () => {
        const nobody = client.as({ username: "nobody", groups: ["system:authenticated"] });
        const error = await refusal(nobody.get(configMaps, { namespace, name: "made" }));
        expect(error).toMatchObject({ code: "PermissionDenied", reason: "Forbidden" });
        expect(error.message).toBe(
          `configmaps "made" is forbidden: User "nobody" cannot get resource "configmaps" in API group "" in the namespace "${namespace}"`,
        );
      });
    }

    it("refuses an object that is not valid, naming the field", async () => {
      const error = await refusal(client.create(configMaps, configMap(namespace, "Not A Name")));
      expect(error).toMatchObject({ code: "InvalidArgument", reason: "Invalid" });
      expect(error.status.details?.causes?.[0]?.field).toBe("metadata.name");
    });
  });
}
