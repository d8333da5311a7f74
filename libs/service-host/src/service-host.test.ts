import { virtualClock } from "@tiphys/clock";
import { tiphysControllerV1Controller as controller } from "@tiphys/proto";
import { createServiceTokens, grpcChannel, serve } from "@tiphys/rpc";
import { Secret } from "@tiphys/secret";
import { createMetrics, silentLogger } from "@tiphys/telemetry";
import { createHost, readSettings, runUntilSignal, type Service } from "./index.js";

const required = { TIPHYS_INTERNAL_KEY_FILE: "/key", TIPHYS_DATA: "/data" };

it("reads settings and the addresses of the others", () => {
  const settings = readSettings({ ...required, TIPHYS_REPO_SERVER: "repo:8081" });
  expect(settings).toMatchObject({ namespace: "argocd", peers: { "repo-server": "repo:8081" }, logLevel: "info" });
});

it.each([
  { env: {}, why: "TIPHYS_INTERNAL_KEY_FILE: must be set" },
  { env: { ...required, TIPHYS_GRPC_LISTEN: "0.0.0.0:8081" }, why: "TIPHYS_GRPC_LISTEN: listens beyond loopback" },
  { env: { ...required, TIPHYS_JOURNAL: "nats" }, why: "TIPHYS_JOURNAL: is nats, so TIPHYS_NATS must be set" },
  { env: { ...required, TIPHYS_HTTP_LISTEN: "nowhere" }, why: 'TIPHYS_HTTP_LISTEN: "nowhere" is not host:port' },
])("refuses $env", ({ env, why }) => {
  expect(() => readSettings(env)).toThrow(why);
});

it("serves health, readiness, metrics and authenticated RPCs", async () => {
  let reason: string | undefined = "caches are filling";
  const service: Service = {
    name: "app-controller",
    start: async () => {},
    stop: async () => {},
    ready: async () => reason,
  };
  const tokens = createServiceTokens({
    key: new Secret("k".repeat(32)),
    clock: virtualClock(new Date("2026-01-01T00:00:00Z")),
  });
  const rpc = [serve(controller.ControllerServiceDefinition, { explain: async () => ({ decisions: [] }) })];
  const host = createHost({
    service,
    rpc,
    tokens,
    grpcListen: "127.0.0.1:0",
    httpListen: "127.0.0.1:0",
    log: silentLogger,
    metrics: createMetrics(),
  });
  await host.start();
  const get = (path: string) => fetch(`http://127.0.0.1:${host.httpPort}${path}`);
  expect((await get("/healthz")).status).toBe(200);
  expect(await (await get("/readyz")).text()).toBe("caches are filling\n");
  reason = undefined;
  expect((await get("/readyz")).status).toBe(200);
  const channel = grpcChannel({ target: `127.0.0.1:${host.grpcPort}`, token: () => tokens.issue("api-server") });
  expect(await channel.client(controller.ControllerServiceDefinition).explain({ name: "x" })).toEqual({
    decisions: [],
  });
  expect(await (await get("/metrics")).text()).toContain("grpc_server_handled_total");
  channel.close();
  await host.stop();
});

it("stops what it started, in reverse, when a later start fails", async () => {
  const seen: string[] = [];
  const part = (name: string, fail = false): Service => ({
    name,
    start: async () => {
      seen.push(`start ${name}`);
      if (fail) throw new Error("no");
    },
    stop: async () => void seen.push(`stop ${name}`),
    ready: async () => undefined,
  });
  await runUntilSignal([part("a"), part("b", true)], silentLogger, {
    once: () => {},
    exit: (code) => seen.push(`exit ${code}`),
  });
  expect(seen).toEqual(["start a", "start b", "stop b", "stop a", "exit 1"]);
});
