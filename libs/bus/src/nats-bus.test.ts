import { systemClock } from "@tiphys/clock";
import { silentLogger } from "@tiphys/telemetry";
import { describeWith, startNats, type TestServer } from "@tiphys/testing";
import { busContract } from "./contract.js";
import { createNatsBus } from "./nats-bus.js";

describeWith(["nats-server"], "NATS bus", () => {
  let server: TestServer;
  let streams = 0;
  beforeAll(async () => {
    server = await startNats();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  busContract(async () => {
    const stream = `test${streams++}`;
    const servers = `127.0.0.1:${server.port}`;
    return {
      open: () => createNatsBus({ servers, stream, clock: systemClock(), log: silentLogger }),
      cleanup: async () => {},
    };
  });

  it("says which server cannot be reached", async () => {
    const opening = createNatsBus({ servers: "127.0.0.1:1", clock: systemClock(), log: silentLogger });
    await expect(opening).rejects.toThrow("NATS at 127.0.0.1:1 cannot be reached");
  });
});
