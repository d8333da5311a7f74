import { limits } from "@tiphys/limits";
import { types } from "@tiphys/resources";
import { eventually } from "@tiphys/testing";
import { application, rollout, startTestServer, type TestServer, workflow, workflowTemplate } from "./testing.js";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const APPS = "/api/v1/applications";
const appKey = (name: string) => ({ namespace: "argocd", name });
const key = (name: string) => ({ namespace: "default", name });

describe("login", () => {
  const login = (username: unknown, password: unknown) =>
    server.call("/api/v1/session", { body: { username, password }, session: false });

  it("gives a token and a cookie that scripts cannot read for the initial password", async () => {
    const { status, json, headers } = await login("admin", server.password);
    expect(status).toBe(200);
    const cookie = headers["set-cookie"]?.[0] ?? "";
    expect(cookie).toMatch(/^argocd\.token=.*httpOnly.*Secure/i);
    for (const sent of <Record<string, string>[]>[
      { cookie: cookie.split(";")[0] ?? "" },
      { authorization: `Bearer ${json.token}` },
      { token: json.token },
    ]) {
      const info = await server.call("/api/v1/session/userinfo", {
        headers: sent,
        session: false,
      });
      expect(info.json).toMatchObject({ loggedIn: true, username: "admin", iss: "argocd" });
    }
  });

  it.each([
    { name: "a wrong password", user: "admin", password: "wrong" },
    { name: "an unknown user", user: "root", password: "wrong" },
    { name: "a name that is too long", user: "x".repeat(33), password: "wrong" },
    { name: "fields of other types", user: { a: 1 }, password: ["x"] },
  ])("refuses $name without saying which part was wrong", async ({ user, password }) => {
    const { status, json } = await login(user, password);
    expect({ status, json }).toEqual({
      status: 401,
      json: { error: "Invalid username or password", code: 16, message: "Invalid username or password" },
    });
  });

  it("stops guessing after five failures, also side by side, until five minutes have passed", async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => login("guess", "wrong")));
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(5);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(3);
    await server.clock.advance(300_001);
    expect((await login("guess", "wrong")).status).toBe(401);
  });

  it("asks for a session where one is needed, and refuses a token that is over or not ours", async () => {
    expect((await server.call(APPS, { session: false })).json).toMatchObject({
      code: 16,
      message: "no session information",
    });
    expect((await server.call(APPS, { headers: { authorization: "Bearer x.y.z" } })).status).toBe(401);
    const own = await startTestServer();
    await own.clock.advance(24 * 3_600_000 + 1_000);
    expect((await own.call(APPS)).json).toMatchObject({ code: 16, message: "invalid session: log in again" });
    await own.stop();
  });

  it("ends sessions that are older than the password", async () => {
    const own = await startTestServer();
    const changed = Buffer.from(new Date(own.clock.now().getTime() + 60_000).toISOString()).toString("base64");
    const body = { data: { "admin.passwordMtime": changed } };
    await own.client.patch(types.secrets, appKey("argocd-secret"), { type: "merge", body });
    await own.api.stop();
    await own.api.start();
    expect((await own.call(APPS)).status).toBe(401);
    await own.stop();
  });

  it("takes the cookie away at logout", async () => {
    const { headers } = await server.call("/api/v1/session", {
      method: "DELETE",
      headers: { "content-type": "application/json" },
    });
    expect(headers["set-cookie"]?.[0]).toContain("argocd.token=; path=/; Max-Age=0");
  });
});

describe("requests that are not right", () => {
  it.each([
    {
      name: "a form post",
      path: APPS,
      call: { method: "POST", body: "a=b", headers: { "content-type": "text/plain" } },
      status: 415,
      code: 3,
    },
    {
      name: "a login by form post",
      path: "/api/v1/session",
      call: { method: "POST", body: "a=b", headers: { "content-type": "application/x-www-form-urlencoded" } },
      status: 415,
      code: 3,
    },
    { name: "broken JSON", path: APPS, call: { body: "{" }, status: 400, code: 3 },
    { name: "JSON that is no object", path: APPS, call: { body: "[1]" }, status: 400, code: 3 },
    { name: "bad URL encoding", path: `${APPS}/%E0%A4%A`, call: {}, status: 400, code: 3 },
    { name: "an object that is not there", path: `${APPS}/nobody`, call: {}, status: 404, code: 5 },
    {
      name: "another kind",
      path: APPS,
      call: { body: { kind: "Secret", metadata: { name: "x" } } },
      status: 400,
      code: 3,
    },
    { name: "metadata that is text", path: APPS, call: { body: { metadata: "x" } }, status: 400, code: 3 },
    { name: "a limit that is no number", path: `${APPS}?limit=many`, call: {}, status: 400, code: 3 },
    { name: "a watch of what is not served", path: "/api/tiphys/v1/watch/secrets", call: {}, status: 400, code: 3 },
    { name: "a path of nobody", path: "/api/v1/nothing", call: {}, status: 404, code: 5 },
  ])("answers $status for $name, in the originals' form", async ({ path, call, status, code }) => {
    const answer = await server.call(path, call);
    expect({ status: answer.status, json: answer.json }).toEqual({
      status,
      json: { error: answer.json.message, code, message: expect.stringMatching(/.+/) },
    });
    expect(answer.json.message).not.toContain("internal");
  });

  it("answers 413 for a body that is too large, announced or not", async () => {
    const body = Buffer.alloc(limits.restBodyBytes + 1, " ");
    for (const headers of <Record<string, string>[]>[{}, { "transfer-encoding": "chunked" }]) {
      const { status, json } = await server.call(APPS, {
        body,
        headers: { ...headers, "content-type": "application/json" },
      });
      expect({ status, code: json.code }).toEqual({ status: 413, code: 8 });
    }
  });

  it("refuses a posted Application with unknown fields by name, and stores nothing", async () => {
    const { status, json } = await server.call(APPS, { body: application("typo", { projekt: "x" }) });
    expect({ status, code: json.code }).toEqual({ status: 400, code: 3 });
    expect(json.message).toContain("projekt");
    expect((await server.call(`${APPS}/typo`)).status).toBe(404);
  });

  it.each([
    { method: "PUT", path: "/api/v1/workflows/default/hello/retry", feature: 'workflow action "retry"' },
    { method: "POST", path: `${APPS}/web/rollback`, feature: "application.ApplicationService" },
    { method: "PATCH", path: `${APPS}/web`, feature: "application.ApplicationService" },
    { method: "GET", path: "/api/v1/projects", feature: "project.ProjectService" },
    { method: "GET", path: "/api/v1/cron-workflows/default", feature: "cronworkflow.CronWorkflowService" },
    { method: "PUT", path: "/api/v1/rollouts/default/web/set/main/web/2", feature: "rollout.RolloutService" },
    { method: "GET", path: "/swagger.json", feature: "OpenAPI document" },
  ])("answers Unimplemented by name for $method $path", async ({ method, path, feature }) => {
    const { status, json } = await server.call(path, { method, headers: { "content-type": "application/json" } });
    expect({ status, code: json?.code }).toEqual({ status: 501, code: 12 });
    expect(json.message).toContain(feature);
  });
});

describe("applications", () => {
  it("creates, lists in pages, selects, updates and deletes", async () => {
    for (const name of ["a1", "a2", "a3"]) {
      const { status } = await server.call(APPS, {
        body: { ...application(name), metadata: { name, labels: { set: "a" } } },
      });
      expect(status).toBe(200);
    }
    const first = (await server.call(`${APPS}?selector=set%3Da&limit=2`)).json;
    expect(first).toMatchObject({
      kind: "ApplicationList",
      items: [{ metadata: { name: "a1" } }, { metadata: { name: "a2" } }],
    });
    const second = (
      await server.call(`${APPS}?selector=set%3Da&limit=2&continue=${encodeURIComponent(first.metadata.continue)}`)
    ).json;
    expect(second.items).toMatchObject([{ metadata: { name: "a3" } }]);
    const changed = await server.call(`${APPS}/a1`, { method: "PUT", body: application("a1", { project: "other" }) });
    expect(changed.json.spec.project).toBe("other");
    expect((await server.call(`${APPS}/a1`, { method: "PUT", body: application("a2") })).json.message).toContain(
      "metadata.name",
    );
    expect((await server.call(`${APPS}/new`, { method: "PUT", body: application("new") })).status).toBe(404);
    const gone = await server.call(`${APPS}/a3?cascade=false`, {
      method: "DELETE",
      headers: { "content-type": "application/json" },
    });
    expect(gone.status).toBe(200);
    expect((await server.call(`${APPS}/a3`)).status).toBe(404);
  });

  it.each(["fields=items.metadata.name", "projects=default", "nameFilter=Prefix", "listOptions.fieldSelector=a%3Db"])(
    "refuses the list query %s by name instead of answering with more",
    async (query) => {
      const { status, json } = await server.call(`${APPS}?${query}`);
      expect(status).toBe(501);
      expect(json.message).toContain(`list query "${query.split("=")[0]}"`);
    },
  );

  it("creates again only what is the same, unless upsert is said", async () => {
    await server.call(APPS, { body: application("twice") });
    expect((await server.call(APPS, { body: application("twice") })).status).toBe(200);
    const other = application("twice", { project: "other" });
    expect((await server.call(APPS, { body: other })).json.message).toContain("upsert=true");
    expect((await server.call(`${APPS}?upsert=true`, { body: other })).json.spec.project).toBe("other");
  });

  it("deletes in cascade by the finalizer of Argo CD", async () => {
    await server.call(APPS, { body: application("cascade") });
    await server.call(`${APPS}/cascade`, { method: "DELETE", headers: { "content-type": "application/json" } });
    const { metadata } = await server.client.get(types.applications, appKey("cascade"));
    expect(metadata.deletionTimestamp).toBeDefined();
    expect(metadata.finalizers).toEqual(["resources-finalizer.argocd.argoproj.io"]);
  });

  it("sets the operation of a sync once, with a new change, and asks for a comparison", async () => {
    await server.call(APPS, { body: application("web") });
    const { json } = await server.call(`${APPS}/web/sync`, { body: { revision: "abc", prune: true } });
    expect(json.operation).toMatchObject({
      initiatedBy: { username: "admin" },
      sync: { revision: "abc", prune: true },
    });
    expect(json.metadata.annotations["tiphys.dev/change"]).toMatch(/^[0-9A-HJKMNP-TV-Z]{26}$/);
    const again = await server.call(`${APPS}/web/sync`, { body: {} });
    expect({ status: again.status, code: again.json.code }).toEqual({ status: 400, code: 9 });
    expect(again.json.message).toContain("another operation is already in progress");
    const partial = await server.call(`${APPS}/web/sync`, { body: { resources: [{ kind: "Service" }] } });
    expect(partial.json.message).toContain("application sync: field resources is not implemented");
    const refreshed = await server.call(`${APPS}/web?refresh=hard`);
    expect(refreshed.json.metadata.annotations["argocd.argoproj.io/refresh"]).toBe("hard");
  });
});

describe("streams", () => {
  it("sends present and new objects as lines of results", async () => {
    await server.client.create(types.applications, application("s1"));
    const stream = await server.stream("/api/v1/stream/applications");
    await eventually(() => stream.text().includes('"s1"'));
    await server.client.create(types.applications, application("s2"));
    await server.client.delete(types.applications, appKey("s1"));
    await eventually(() => stream.text().includes('"DELETED"'));
    const results = stream
      .text()
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).result);
    const seen = results.filter(({ application: { metadata } }) => /^s\d$/.test(metadata.name));
    expect(seen.map(({ type, application: { metadata } }) => `${type} ${metadata.name}`)).toEqual([
      "ADDED s1",
      "ADDED s2",
      "DELETED s1",
    ]);
    stream.end();
  });

  it("sends several kinds in one stream, each under its name", async () => {
    await server.client.create(types.workflowTemplates, workflowTemplate("streamed"));
    const stream = await server.stream("/api/tiphys/v1/watch/applications,workflowtemplates");
    await eventually(() => stream.text().includes('"s2"') && stream.text().includes('"streamed"'));
    await server.client.delete(types.workflowTemplates, key("streamed"));
    await eventually(() => stream.text().includes('{"result":{"resource":"workflowtemplates","type":"DELETED"'));
    stream.end();
  });

  it("speaks server-sent events to those who ask", async () => {
    const stream = await server.stream("/api/v1/stream/applications?name=s2", { accept: "text/event-stream" });
    await eventually(() => stream.text().endsWith("\n\n"));
    expect(stream.response.headers["content-type"]).toBe("text/event-stream");
    expect(stream.text()).toMatch(/^data: \{"result":/);
    stream.end();
  });
});

describe("workflows", () => {
  const WORKFLOWS = "/api/v1/workflows/default";

  it("submits from a template with parameters", async () => {
    await server.client.create(types.workflowTemplates, workflowTemplate("hello"));
    const body = {
      resourceKind: "WorkflowTemplate",
      resourceName: "hello",
      submitOptions: { parameters: ["who=world=all"] },
    };
    const { status, json } = await server.call(`${WORKFLOWS}/submit`, { body });
    expect({ status, message: json.message }).toEqual({ status: 200, message: undefined });
    expect(json.metadata.name).toMatch(/^hello-.+/);
    expect(json.spec).toMatchObject({
      workflowTemplateRef: { name: "hello" },
      arguments: { parameters: [{ name: "who", value: "world=all" }] },
    });
    expect(json.metadata.annotations["tiphys.dev/change"]).toHaveLength(26);
  });

  it.each([
    { name: "an unknown template", spec: { entrypoint: "nope", templates: [] }, field: "spec.entrypoint" },
    { name: "an unknown field", spec: { entrypoint: "main", templates: [], entrypiont: "x" }, field: "entrypiont" },
    { name: "a stored template that is not there", spec: { workflowTemplateRef: { name: "absent" } }, field: "absent" },
  ])("refuses a workflow with $name and stores nothing", async ({ spec, field }) => {
    const { status, json } = await server.call(WORKFLOWS, { body: { workflow: workflow("bad", spec) } });
    expect({ status, code: json.code }).toEqual({ status: 400, code: 3 });
    expect(json.message).toContain(field);
    expect((await server.call(`${WORKFLOWS}/bad`)).status).toBe(404);
  });

  it("stops, terminates, suspends and resumes", async () => {
    await server.call(WORKFLOWS, { body: { workflow: workflow("acts") } });
    const act = async (action: string) =>
      (await server.call(`${WORKFLOWS}/acts/${action}`, { method: "PUT", body: {} })).json;
    expect((await act("suspend")).spec.suspend).toBe(true);
    const gate = { id: "acts-1", name: "acts.gate", displayName: "gate", type: "Suspend", phase: "Running" };
    await server.client.patch(types.workflows, key("acts"), {
      type: "merge",
      body: { status: { nodes: { "acts-1": gate } } },
    });
    const resumed = await act("resume");
    expect(resumed.spec.suspend).toBeUndefined();
    expect(resumed.status.nodes["acts-1"].phase).toBe("Succeeded");
    expect((await act("stop")).spec.shutdown).toBe("Stop");
    expect((await act("terminate")).spec.shutdown).toBe("Terminate");
    await server.client.patch(types.workflows, key("acts"), {
      type: "merge",
      body: { status: { phase: "Failed", finishedAt: "2026-01-01T00:00:00Z" } },
    });
    expect(await act("stop")).toMatchObject({ code: 9, message: "workflow acts has already finished" });
  });
});

describe("rollouts", () => {
  const act = async (action: string, body: object = {}) =>
    await server.call(`/api/v1/rollouts/default/web/${action}`, { method: "PUT", body });
  const live = async () => await server.client.get(types.rollouts, key("web"));

  it("pauses by specification, promotes, aborts and retries by status", async () => {
    await server.client.create(types.rollouts, rollout("web"));
    const status = {
      currentPodHash: "b",
      stableRS: "a",
      currentStepIndex: 0,
      pauseConditions: [{ reason: "CanaryPauseStep", startTime: "2026-01-01T00:00:00Z" }],
    };
    await server.client.patch(
      types.rollouts,
      key("web"),
      { type: "merge", body: { status } },
      { subresource: "status" },
    );
    expect((await act("promote")).status).toBe(200);
    expect((await live())["status"].pauseConditions).toBeUndefined();
    await act("abort");
    expect((await live())["status"].abort).toBe(true);
    await act("retry");
    expect((await live())["status"].abort).toBe(false);
    await act("promote", { full: true });
    expect((await live())["status"].promoteFull).toBe(true);
    await act("restart");
    expect((await live())["spec"].restartAt).toMatch(/Z$/);
    const info = (await server.call("/api/v1/rollouts/default/web/info")).json;
    expect(info).toMatchObject({
      objectMeta: { name: "web" },
      strategy: "Canary",
      step: expect.stringMatching(/\/3$/),
    });
  });

  it("undoes to an earlier revision, and names those it has", async () => {
    const { metadata } = await live();
    for (const [revision, image] of [
      ["1", "web:0"],
      ["2", "web:1"],
    ] as const) {
      await server.client.create(types.replicaSets, {
        apiVersion: "apps/v1",
        kind: "ReplicaSet",
        metadata: {
          name: `web-${revision}`,
          namespace: "default",
          annotations: { "rollout.argoproj.io/revision": revision },
          ownerReferences: [
            {
              apiVersion: "argoproj.io/v1alpha1",
              kind: "Rollout",
              name: "web",
              uid: metadata.uid ?? "",
              controller: true,
            },
          ],
        },
        spec: {
          replicas: 0,
          selector: { matchLabels: { app: "web" } },
          template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "main", image }] } },
        },
      });
    }
    expect((await act("undo/7")).json.message).toContain("kept revisions: 2, 1");
    expect((await act("undo/x")).json.message).toContain("revision");
    expect((await act("undo/0")).status).toBe(200);
    expect((await live())["spec"].template.spec.containers[0].image).toBe("web:0");
  });
});
