import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@tiphys/clock";
import { silentLogger } from "@tiphys/telemetry";
import { describeWith, eventually, programPath } from "@tiphys/testing";
import { busContract } from "./contract.js";
import { createNatsBus } from "./nats-bus.js";

const freePort = () =>
  new Promise<number>((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

describeWith(["nats-server"], "NATS bus", () => {
  let server: ChildProcess;
  let dir: string;
  let port: number;
  let streams = 0;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "tiphys-nats-"));
    port = await freePort();
    const args = ["-a", "127.0.0.1", "-p", String(port), "-js", "-sd", dir];
    server = spawn(programPath("nats-server")!, args, { stdio: "ignore" });
    const open = () =>
      createNatsBus({ servers: `127.0.0.1:${port}`, stream: "probe", clock: systemClock(), log: silentLogger });
    const bus = await eventually(() => open().catch(() => undefined));
    await bus.close();
  });
  afterAll(async () => {
    const gone = new Promise((resolve) => server.once("exit", resolve));
    server.kill("SIGKILL");
    await gone;
    await rm(dir, { recursive: true, force: true });
  });

  busContract(async () => {
    const stream = `test${streams++}`;
    return {
      open: () => createNatsBus({ servers: `127.0.0.1:${port}`, stream, clock: systemClock(), log: silentLogger }),
      cleanup: async () => {},
    };
  });

  it("says which server cannot be reached", async () => {
    const opening = createNatsBus({ servers: "127.0.0.1:1", clock: systemClock(), log: silentLogger });
    await expect(opening).rejects.toThrow("NATS at 127.0.0.1:1 cannot be reached");
  });
});
