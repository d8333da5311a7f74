import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@tiphys/clock";
import { createDialer } from "@tiphys/dialer";
import { Secret } from "@tiphys/secret";
import { noMetrics, silentLogger } from "@tiphys/telemetry";
import { artifactsContract } from "./contract.js";
import { createLocalArtifacts, createS3Artifacts, createS3Endpoint } from "./index.js";

const clock = systemClock();
const log = silentLogger;
const dialer = createDialer({ clock, log, metrics: noMetrics });
const access = { bucket: "artifacts", region: "us-east-1", accessKey: "tiphys", clock };

artifactsContract("local", async () => {
  const dir = await mkdtemp(join(tmpdir(), "artifacts-"));
  return { store: createLocalArtifacts({ dir }), dispose: () => rm(dir, { recursive: true }) };
});

async function endpoint() {
  const dir = await mkdtemp(join(tmpdir(), "artifacts-"));
  const server = await createS3Endpoint({
    ...access,
    store: createLocalArtifacts({ dir }),
    secretKey: new Secret("right"),
    log,
  });
  return {
    server,
    dispose: async () => {
      await server.close();
      await rm(dir, { recursive: true });
    },
  };
}

artifactsContract("S3", async () => {
  const { server, dispose } = await endpoint();
  return {
    store: createS3Artifacts({
      ...access,
      endpoint: server.url,
      secretKey: new Secret("right"),
      prefix: "team/",
      dialer,
    }),
    dispose,
  };
});

describe("the S3 endpoint", () => {
  it("refuses an unsigned request and a wrong key", async () => {
    const { server, dispose } = await endpoint();
    expect((await fetch(`${server.url}/artifacts/a`)).status).toBe(403);
    const stranger = createS3Artifacts({ ...access, endpoint: server.url, secretKey: new Secret("wrong"), dialer });
    await expect(stranger.put("a", Buffer.from("x"))).rejects.toThrow("the signature does not fit");
    await dispose();
  });

  it("is a bucket that an independent client can use", async () => {
    const { server, dispose } = await endpoint();
    const { S3mini } = await import("s3mini");
    const client = new S3mini({
      accessKeyId: "tiphys",
      secretAccessKey: "right",
      endpoint: `${server.url}/artifacts`,
      region: "us-east-1",
    });
    await client.putObject("shop/file.txt", "from elsewhere");
    expect(await client.getObject("shop/file.txt")).toBe("from elsewhere");
    await dispose();
  });
});
