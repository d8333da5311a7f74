/** States of grpc.health.v1.HealthCheckResponse. */
const STATES = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
const UNIMPLEMENTED = 12;
const DEADLINE_EXCEEDED = 4;
const UNAVAILABLE = 14;

/** One check of the gRPC health protocol, as a kubelet makes it; undefined when the service serves. */
export async function checkGrpc(
  host: string,
  port: number,
  service: string,
  timeoutMs: number,
): Promise<string | undefined> {
  // Only pods with such a probe pay for loading it.
  const { Client, credentials } = await import("@grpc/grpc-js");
  const address = `${host}:${port}`;
  const client = new Client(address, credentials.createInsecure(), {
    "grpc.primary_user_agent": "kube-probe/1.36",
    "grpc.enable_retries": 0,
  });
  const timeout = `${timeoutMs / 1000}s`;
  try {
    return await new Promise<string | undefined>((resolve) => {
      client.makeUnaryRequest(
        "/grpc.health.v1.Health/Check",
        (name: string) => requestOf(name),
        (bytes: Buffer) => statusOf(bytes),
        service,
        // Real time: the probed process lives in it.
        { deadline: Date.now() + timeoutMs },
        (error, status) => {
          if (!error) {
            const name = STATES[status ?? 0] ?? String(status);
            resolve(name === "SERVING" ? undefined : `service unhealthy (responded with "${name}")`);
          } else if (error.code === UNIMPLEMENTED) {
            resolve(
              `error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${error.details}`,
            );
          } else if (error.code === DEADLINE_EXCEEDED)
            resolve(`timeout: health rpc did not complete within ${timeout}`);
          else if (error.code === UNAVAILABLE)
            resolve(`error: failed to connect service at "${address}": ${error.details}`);
          else resolve(`error: health rpc probe failed: ${error.message}`);
        },
      );
    });
  } finally {
    client.close();
  }
}

/** `{ string service = 1 }` */
function requestOf(service: string): Buffer {
  const name = Buffer.from(service);
  if (name.length === 0) return Buffer.alloc(0);
  const length: number[] = [];
  for (let rest = name.length; ; rest >>>= 7) {
    length.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) break;
  }
  return Buffer.concat([Buffer.from([0x0a, ...length]), name]);
}

/** `{ ServingStatus status = 1 }` */
const statusOf = (bytes: Buffer): number => (bytes[0] === 0x08 ? (bytes[1] ?? 0) : 0);
