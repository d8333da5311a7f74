import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startTestServer, type TestServer } from "./testing.js";

let server: TestServer;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiphys-console-"));
  await mkdir(join(folder, "dist"));
  await writeFile(join(folder, "dist", "index.html"), "<title>console</title>");
  await writeFile(join(folder, "dist", "console.js"), "export {};");
  await writeFile(join(folder, "secret.txt"), "hidden");
  server = await startTestServer({ consoleFolder: join(folder, "dist") });
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true });
});

describe("the console's files", () => {
  it("serves the bundle, and its page for links into it", async () => {
    const script = await server.call("/console.js", { session: false });
    expect(script.headers["content-type"]).toContain("text/javascript");
    const page = await server.call("/applications/web", { session: false });
    expect(page.text).toContain("<title>console</title>");
    expect(page.headers["content-security-policy"]).toContain("default-src 'self'");
    expect(page.headers["x-frame-options"]).toBe("DENY");
    expect(page.headers["x-content-type-options"]).toBe("nosniff");
  });

  it.each(["/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/%00.js", "/..%5csecret.txt", "//secret.txt"])(
    "shows nothing outside its folder for %s",
    async (path) => {
      const { text } = await server.call(path.startsWith("//") ? `/.${path}` : path, { session: false });
      expect(text).not.toContain("hidden");
    },
  );
});
