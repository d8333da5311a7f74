import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually, workspaceRoot } from "@tiphys/testing";
import { build } from "esbuild";

let dir: string;
let bundle: string;
let server: Server;
let url: string;
let reports: { token: string; body: Record<string, unknown> }[] = [];
/** Answers of the next requests; then 200. */
let answers: number[] = [];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "tiphys-executor-"));
  bundle = join(dir, "executor.mjs");
  await build({
    entryPoints: [join(workspaceRoot(), "apps/executor/src/main.ts")],
    bundle: true,
    platform: "node",
    format: "esm",
    outfile: bundle,
  });
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const status = answers.shift() ?? 200;
      if (status === 200)
        reports.push({
          token: request.headers.authorization ?? "",
          body: JSON.parse(Buffer.concat(chunks).toString()),
        });
      response.writeHead(status).end("{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(dir, { recursive: true, force: true });
});
beforeEach(() => {
  reports = [];
  answers = [];
});

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(command: string[], env: Record<string, string> = {}): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, [bundle, "emissary", "--", ...command], {
    env: {
      PATH: process.env["PATH"] ?? "",
      ARGO_TEMPLATE: "{}",
      TIPHYS_REPORT_URL: url,
      TIPHYS_REPORT_TOKEN: "token",
      ...env,
    },
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => (stdout += chunk));
  child.stderr.on("data", (chunk) => (stderr += chunk));
  const ended = new Promise<Ended>((resolve) => child.on("close", (code) => resolve({ code, stdout, stderr })));
  return { child, ended };
}
const run = (command: string[], env: Record<string, string> = {}) => start(command, env).ended;
const result = { ARGO_INCLUDE_SCRIPT_OUTPUT: "true" };

it("is the command to the outside: output, exit code, and no report when nothing is wanted", async () => {
  expect(await run(["sh", "-c", "echo out; echo err >&2; exit 7"])).toEqual({
    code: 7,
    stdout: "out\n",
    stderr: "err\n",
  });
  expect(reports).toEqual([]);
});

it("reports the output without its last newline, also of a failure", async () => {
  expect((await run(["sh", "-c", "printf 'a\\n\\n'; exit 2"], result)).code).toBe(2);
  expect(reports).toEqual([{ token: "Bearer token", body: { outputs: { exitCode: "2", result: "a\n" } } }]);
});

it("keeps the end of a long output", async () => {
  const { stdout } = await run(["sh", "-c", "head -c 700000 /dev/zero | tr '\\0' x; echo end"], result);
  expect(stdout).toHaveLength(700_004);
  const kept = (reports[0]!.body["outputs"] as { result: string }).result;
  expect(kept.length).toBe(256 * 1024 - 1);
  expect(kept.endsWith("xend")).toBe(true);
});

it("runs the script of the template, and hides the token from it", async () => {
  const template = { script: { source: 'echo "$1 token:$TIPHYS_REPORT_TOKEN"' } };
  await run(["sh", "/argo/staging/script", "arg"], { ...result, ARGO_TEMPLATE: JSON.stringify(template) });
  expect(reports[0]?.body).toEqual({ outputs: { exitCode: "0", result: "arg token:" } });
});

it("reads output parameters, or their defaults", async () => {
  writeFileSync(join(dir, "value"), "v1\n");
  const parameters = [
    { name: "a", globalName: "g", valueFrom: { path: join(dir, "value") } },
    { name: "b", valueFrom: { path: join(dir, "none"), default: 5 } },
  ];
  expect((await run(["true"], { ARGO_TEMPLATE: JSON.stringify({ outputs: { parameters } }) })).code).toBe(0);
  expect((reports[0]!.body["outputs"] as { parameters: unknown }).parameters).toEqual([
    { name: "a", value: "v1", globalName: "g" },
    { name: "b", value: "5" },
  ]);
});

it("fails with its own code when an output is missing", async () => {
  const parameters = [{ name: "b", valueFrom: { path: join(dir, "none") } }];
  const { code, stderr } = await run(["true"], { ARGO_TEMPLATE: JSON.stringify({ outputs: { parameters } }) });
  expect(code).toBe(64);
  expect(stderr).toContain("outputs.parameters.b: cannot read");
  expect(reports[0]?.body).toMatchObject({ phase: "Error" });
});

it("says that a program is not there", async () => {
  expect((await run(["no-such-program"])).code).toBe(127);
  expect(reports[0]?.body).toMatchObject({
    phase: "Error",
    message: 'cannot run "no-such-program": there is no such program in the image',
  });
});

it("tries a report again while the controller is away, and gives up when it is refused", async () => {
  answers = [503, 503];
  expect((await run(["true"], result)).code).toBe(0);
  expect(reports).toHaveLength(1);
  answers = [401];
  expect(await run(["true"], result)).toMatchObject({ code: 64, stderr: expect.stringContaining("HTTP 401") });
});

it("reports the progress that the command writes, before the outputs", async () => {
  const script =
    'echo 1/4 > "$ARGO_PROGRESS_FILE"; while ! grep -q . "$SEEN" 2>/dev/null; do sleep 0.02; done; echo 4/4 > "$ARGO_PROGRESS_FILE"; echo done';
  const seen = join(dir, "seen");
  const ended = run(["sh", "-c", script], { ...result, ARGO_PROGRESS_FILE_TICK_DURATION: "20ms", SEEN: seen });
  await eventually(() => reports.length > 0);
  writeFileSync(seen, "yes");
  expect(await ended).toMatchObject({ code: 0, stdout: "done\n" });
  expect(reports.map(({ body }) => body)).toEqual([
    { progress: "1/4" },
    { progress: "4/4" },
    { outputs: { exitCode: "0", result: "done" } },
  ]);
});

it("keeps to itself what is no progress", async () => {
  const script = 'echo soon > "$ARGO_PROGRESS_FILE"; sleep 0.1';
  expect((await run(["sh", "-c", script], { ARGO_PROGRESS_FILE_TICK_DURATION: "10ms" })).code).toBe(0);
  expect(reports).toEqual([]);
});

it("passes signals on", async () => {
  const { child, ended } = start([
    "sh",
    "-c",
    "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done",
  ]);
  await new Promise<void>((resolve) => child.stdout?.on("data", () => resolve()));
  child.kill("SIGTERM");
  expect(await ended).toMatchObject({ code: 3, stdout: "ready\nbye\n" });
});

it("ends the command at the deadline", async () => {
  const { code, stderr } = await run(["sleep", "60"], { ARGO_DEADLINE: "2020-01-01T00:00:00Z" });
  expect(code).toBe(143);
  expect(stderr).toContain("Step exceeded its deadline");
});
