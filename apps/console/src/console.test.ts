import { existsSync } from "node:fs";
import { join } from "node:path";
import { application, rollout, startTestServer, type TestServer, workflow } from "@tiphys/api-server/testing";
import { types } from "@tiphys/resources";
import { describeWith, programPath, workspaceRoot } from "@tiphys/testing";
import { type Browser, chromium, type Page } from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

describeWith(["chromium"], "the console in a browser", () => {
  let server: TestServer;
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];

  beforeAll(async () => {
    const consoleFolder = join(workspaceRoot(), "apps/console/dist");
    if (!existsSync(join(consoleFolder, "console.js"))) throw new Error("build it: node tools/build.mjs console");
    server = await startTestServer({ consoleFolder });
    browser = await chromium.launch({ executablePath: programPath("chromium") ?? "", args: FLAGS });
    const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 800 } });
    page = await context.newPage();
    page.on("console", (message) => {
      // The first question without a session is answered 401, which the browser notes by itself.
      if (message.type() === "error" && !message.text().includes("401")) complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(String(error)));
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });

  const panel = (name: string) => page.getByRole("region", { name });
  const row = (list: string, name: string) => panel(list).getByRole("row").filter({ hasText: name });

  it("asks for a login and refuses a wrong password", async () => {
    await page.goto(server.api.url);
    await page.getByLabel("Password").fill("wrong");
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByRole("alert").filter({ hasText: "Invalid username or password" }).waitFor();
  }, 60_000);

  it("shows four lists after the login, empty at first", async () => {
    await page.getByLabel("Password").fill(server.password);
    await page.getByRole("button", { name: "Log in" }).click();
    for (const list of ["Applications", "Workflows", "Rollouts", "Events"]) {
      await panel(list).getByText("Nothing yet").waitFor();
    }
  }, 60_000);

  it("fills them live as objects come, change and go", async () => {
    const change = { annotations: { "tiphys.dev/change": "01JZZZZZZZZZZZZZZZCHANGE01" } };
    const app = application("web");
    await server.client.create(types.applications, { ...app, metadata: { ...app.metadata, ...change } });
    await server.client.create(types.workflows, workflow("release-1"));
    await server.client.create(types.rollouts, rollout("web"));
    server.events.push({
      id: "e1",
      namespace: "default",
      eventSource: "github",
      eventName: "push",
      type: "github",
      at: "2026-01-01T00:00:00Z",
      change: "01JZZZZZZZZZZZZZZZCHANGE01",
    });
    await row("Applications", "web").getByText("CHANGE01").waitFor();
    await row("Workflows", "release-1").getByText("Pending").waitFor();
    await row("Rollouts", "web").getByText("0/3").waitFor();
    await row("Events", "push").getByText("CHANGE01").waitFor();

    const key = { namespace: "argocd", name: "web" };
    const health = (status: string) => ({
      type: "merge" as const,
      body: {
        status: {
          sync: { status: "Synced", revision: "0123456789abcdef0123456789abcdef01234567" },
          health: { status },
        },
      },
    });
    await server.client.patch(types.applications, key, health("Progressing"));
    await row("Applications", "web").getByText("Progressing").waitFor();
    await server.client.patch(types.applications, key, health("Healthy"));
    await row("Applications", "web").getByText("Healthy").waitFor();
    await row("Applications", "web").getByText("0123456").waitFor();
    await server.client.patch(
      types.rollouts,
      { namespace: "default", name: "web" },
      { type: "merge", body: { status: { phase: "Paused", currentStepIndex: 1, availableReplicas: 2 } } },
      { subresource: "status" },
    );
    await row("Rollouts", "web").getByText("1/3").waitFor();
    await server.client.patch(
      types.workflows,
      { namespace: "default", name: "release-1" },
      { type: "merge", body: { status: { phase: "Succeeded", progress: "3/3" } } },
    );
    await row("Workflows", "release-1").getByText("Succeeded").waitFor();
    const picture = process.env["TIPHYS_CONSOLE_PICTURES"];
    if (picture) {
      await page.screenshot({ path: `${picture}.png` });
      await page.emulateMedia({ colorScheme: "dark" });
      await page.screenshot({ path: `${picture}-dark.png` });
      await page.emulateMedia({ colorScheme: "light" });
    }
    await server.client.delete(types.workflows, { namespace: "default", name: "release-1" });
    await row("Workflows", "release-1").waitFor({ state: "detached" });
  }, 60_000);

  it("logs out, and a new visit asks again", async () => {
    await page.getByRole("button", { name: "Log out" }).click();
    await page.getByRole("button", { name: "Log in" }).waitFor();
    await page.reload();
    await page.getByRole("button", { name: "Log in" }).waitFor();
  }, 60_000);

  it("leaves nothing in the browser's error log", () => {
    expect(complaints).toEqual([]);
  });
});
