import { createHmac } from "node:crypto";
import { limits } from "@tiphys/limits";
import { types } from "@tiphys/resources";
import { startTestServer, type TestServer } from "./testing.js";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

describe("repository webhook", () => {
  const push = JSON.stringify({
    ref: "refs/heads/main",
    repository: { clone_url: "https://git.example/config.git" },
    head_commit: { message: "Release\n\nTiphys-Change: 01JZZZZZZZZZZZZZZZZZZZZZZZ" },
  });
  const send = (headers: Record<string, string>, body = push) =>
    server.call("/api/webhook", { method: "POST", body, session: false, headers });

  it("tells the delivery controller what was pushed", async () => {
    expect((await send({ "x-github-event": "push" })).json).toEqual({ applications: ["argocd/web"] });
    expect(server.refreshed.at(-1)).toMatchObject({
      url: "https://git.example/config.git",
      revision: "main",
      change: "01JZZZZZZZZZZZZZZZZZZZZZZZ",
    });
    expect((await send({}, "{")).status).toBe(400);
    expect((await send({}, "{}")).json.message).toContain("repository");
    expect((await send({}, " ".repeat(limits.webhookBodyBytes + 1))).status).toBe(413);
  });

  it("believes only signed pushes once secrets are configured", async () => {
    const data = Object.fromEntries(
      ["github", "gitlab"].map((name) => [`webhook.${name}.secret`, Buffer.from(`${name}-key`).toString("base64")]),
    );
    await server.client.patch(
      types.secrets,
      { namespace: "argocd", name: "argocd-secret" },
      { type: "merge", body: { data } },
    );
    const count = server.refreshed.length;
    const signature = `sha256=${createHmac("sha256", "github-key").update(push).digest("hex")}`;
    const forged = `sha256=${createHmac("sha256", "other").update(push).digest("hex")}`;
    expect((await send({ "x-github-event": "push" })).status).toBe(401);
    expect((await send({ "x-github-event": "push", "x-hub-signature-256": forged })).status).toBe(401);
    expect((await send({ "x-gitlab-event": "Push Hook" })).status).toBe(401);
    expect((await send({ "x-gitlab-event": "Push Hook", "x-gitlab-token": "wrong" })).status).toBe(401);
    expect(server.refreshed).toHaveLength(count);
    expect((await send({ "x-github-event": "push", "x-hub-signature-256": signature })).status).toBe(200);
    expect((await send({ "x-gitlab-event": "Push Hook", "x-gitlab-token": "gitlab-key" })).status).toBe(200);
  });
});
