import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";
import { checkGrpc } from "./grpc-check.js";

const NOT_FOUND = 5;

interface Health {
  readonly service: string;
}

/** A health service that serves "" and "good", and is sick as "bad". */
async function healthServer(): Promise<{ port: number; close(): void }> {
  const server = new Server();
  const check = {
    path: "/grpc.health.v1.Health/Check",
    requestStream: false,
    responseStream: false,
    requestDeserialize: (bytes: Buffer) => ({ service: bytes.toString("utf8", 2) }),
    requestSerialize: ({ service }: Health) => Buffer.from(service),
    responseSerialize: (status: number) => Buffer.from([8, status]),
    responseDeserialize: (bytes: Buffer) => bytes[1] ?? 0,
  } as const;
  server.addService(
    { check },
    {
      check({ request }: ServerUnaryCall<Health, number>, answer: sendUnaryData<number>) {
        if (request.service === "unknown") answer({ code: NOT_FOUND, details: "no such service" });
        else answer(null, request.service === "bad" ? 2 : 1);
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { port, close: () => server.forceShutdown() };
}

it("asks the health protocol, and says what a kubelet says", async () => {
  const { port, close } = await healthServer();
  try {
    expect(await checkGrpc("127.0.0.1", port, "", 1000)).toBeUndefined();
    expect(await checkGrpc("127.0.0.1", port, "good", 1000)).toBeUndefined();
    expect(await checkGrpc("127.0.0.1", port, "bad", 1000)).toBe('service unhealthy (responded with "NOT_SERVING")');
    expect(await checkGrpc("127.0.0.1", port, "unknown", 1000)).toMatch(
      /^error: health rpc probe failed: .*no such service/,
    );
  } finally {
    close();
  }
  expect(await checkGrpc("127.0.0.1", port, "", 1000)).toMatch(/^(error: failed to connect service|timeout)/);
});
