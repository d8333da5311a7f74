import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createLogger, createMetrics, createOtlpTracer } from "./index.js";

it("writes one JSON line per message, with the fields and without stacks", () => {
  const lines: string[] = [];
  const log = createLogger({ service: "api-server", destination: { write: (line) => void lines.push(line) } });
  log.with({ application: "shop" }).info("plan ready", { steps: 2, problem: new TypeError("boom") });
  expect(JSON.parse(lines[0]!)).toMatchObject({
    service: "api-server",
    level: "info",
    msg: "plan ready",
    application: "shop",
    steps: 2,
    problem: { type: "TypeError", message: "boom" },
  });
  expect(lines[0]).not.toContain("telemetry.test");
});

it("gives the same metric when asked twice for its name", async () => {
  const metrics = createMetrics();
  metrics.counter("tiphys_things_total", "Things", ["kind"]).add({ kind: "a" });
  metrics.counter("tiphys_things_total", "Things", ["kind"]).add({ kind: "a" }, 2);
  expect(await metrics.expose()).toContain('tiphys_things_total{kind="a"} 3');
});

it("exports spans over OTLP with the change's trace id", async () => {
  const bodies: Buffer[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      bodies.push(Buffer.concat(chunks));
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const tracer = await createOtlpTracer({ service: "test", endpoint: `http://127.0.0.1:${port}/v1/traces` });
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  await tracer.span("sync", { traceparent: `00-${traceId}-b7ad6b7169203331-01` }, async () => {});
  await tracer.stop();
  server.close();
  expect(Buffer.concat(bodies).includes(Buffer.from(traceId, "hex"))).toBe(true);
});
