import { credentials, Metadata, Client as RawClient } from "@grpc/grpc-js";
import { virtualClock } from "@tiphys/clock";
import { codeOf, NotFoundError, UnauthenticatedError } from "@tiphys/errors";
import { servicePrincipal } from "@tiphys/identity";
import { tiphysControllerV1Controller as controller, descriptorSet, grpcHealthV1Health as health } from "@tiphys/proto";
import { Secret } from "@tiphys/secret";
import { createMetrics, silentLogger } from "@tiphys/telemetry";
import {
  bindGrpc,
  type Client,
  createGrpcServer,
  createServiceTokens,
  grpcChannel,
  memoryClient,
  serve,
} from "./index.js";

type Definition = typeof controller.ControllerServiceDefinition;

const served = serve(controller.ControllerServiceDefinition, {
  async explain(request, call) {
    if (request.name === "absent") throw new NotFoundError(`${request.resource} absent is not there`);
    return {
      decisions: [
        { position: "1", at: "", actions: ["apply"], reasons: [{ code: "Caller", message: call.principal.username }] },
      ],
    };
  },
});

const clock = virtualClock(new Date("2026-01-01T00:00:00Z"));
const tokens = createServiceTokens({ key: new Secret("k".repeat(32)), clock });

async function grpc(token: () => Promise<string>, ...more: ReturnType<typeof serve>[]) {
  const server = await createGrpcServer({
    services: [served, ...more],
    authenticate: (metadata) => tokens.verify((metadata["authorization"] ?? "").replace("Bearer ", "")),
    log: silentLogger,
    metrics: createMetrics(),
    descriptorSet,
  });
  const port = await bindGrpc(server, "127.0.0.1:0");
  const channel = grpcChannel({ target: `127.0.0.1:${port}`, token });
  return {
    port,
    channel,
    client: channel.client(controller.ControllerServiceDefinition),
    stop: () => {
      channel.close();
      server.forceShutdown();
    },
  };
}

describe.each(["gRPC", "memory", "memory, encoded"])("a service over %s", (transport) => {
  let client: Client<Definition>;
  let stop = () => {};
  beforeAll(async () => {
    if (transport === "gRPC") ({ client, stop } = await grpc(() => tokens.issue("api-server")));
    else {
      client = memoryClient(controller.ControllerServiceDefinition, served, {
        principal: servicePrincipal("api-server"),
        encoded: transport.includes("encoded"),
      });
    }
  });
  afterAll(() => stop());

  it("answers, and knows who called", async () => {
    const { decisions } = await client.explain({ resource: "rollouts", namespace: "shop", name: "web" });
    expect(decisions?.[0]?.reasons?.[0]?.message).toBe("system:tiphys:api-server");
    expect(decisions?.[0]?.actions).toEqual(["apply"]);
  });

  it("throws the error class that the handler threw", async () => {
    const failing = client.explain({ resource: "rollouts", name: "absent" });
    await expect(failing).rejects.toThrow("rollouts absent is not there");
    await expect(failing).rejects.toBeInstanceOf(NotFoundError);
  });
});

describe.each(["gRPC", "memory, encoded"])("messages that the caller streams over %s", (transport) => {
  const joining = {
    name: "Joining",
    fullName: "test.Joining",
    methods: {
      join: {
        name: "Join",
        requestType: controller.ExplainRequest,
        requestStream: true as const,
        responseType: controller.ExplainRequest,
        responseStream: false as const,
      },
    },
  };
  const service = serve(joining, {
    async join(requests, call) {
      const names: string[] = [];
      for await (const { name = "" } of requests) {
        if (name === "bad") throw new NotFoundError("bad is not there");
        names.push(name);
      }
      return { name: names.length > 5 ? String(names.length) : names.join(), namespace: call.principal.username };
    },
  });
  let client: Client<typeof joining>;
  let stop = () => {};
  beforeAll(async () => {
    if (transport !== "gRPC") {
      client = memoryClient(joining, service, { principal: servicePrincipal("api-server"), encoded: true });
      return;
    }
    const started = await grpc(() => tokens.issue("api-server"), service);
    client = started.channel.client(joining);
    stop = started.stop;
  });
  afterAll(() => stop());
  async function* sent(...names: string[]) {
    for (const name of names) yield { name };
  }

  it("arrive in their order, and are answered once", async () => {
    expect(await client.join(sent("a", "b"))).toEqual({ name: "a,b", namespace: "system:tiphys:api-server" });
    expect((await client.join(sent())).name ?? "").toBe("");
    const many = Array.from({ length: 2000 }, () => "x".repeat(1000));
    expect((await client.join(sent(...many))).name).toBe("2000");
  });

  it("end where the service refuses one, and where the caller gives up", async () => {
    await expect(client.join(sent("a", "bad", "c"))).rejects.toThrow("bad is not there");
    async function* broken() {
      yield { name: "a" };
      throw new NotFoundError("no more");
    }
    await expect(client.join(broken())).rejects.toThrow("no more");
  });
});

it("tells its health to anybody", async () => {
  const { stop, channel } = await grpc(async () => "forged");
  const client = channel.client(health.HealthDefinition);
  expect(await client.check({})).toEqual({ status: 1 });
  expect(await client.check({ service: "tiphys.controller.v1.ControllerService" })).toEqual({ status: 1 });
  await expect(client.check({ service: "elsewhere.Service" })).rejects.toThrow("elsewhere.Service is not served here");
  stop();
});

it("refuses a caller without a valid token", async () => {
  const { client, stop } = await grpc(async () => "forged");
  const error = await client.explain({ name: "web" }).catch((e: unknown) => e);
  expect(codeOf(error)).toBe("Unauthenticated");
  stop();
});

describe("reflection", () => {
  /** ServerReflectionInfo with `list_services: "*"`, as bytes: its own client package is not among ours. */
  const listServices = (port: number, token: string) =>
    new Promise<string>((resolve, reject) => {
      const raw = new RawClient(`127.0.0.1:${port}`, credentials.createInsecure());
      const metadata = new Metadata();
      metadata.set("authorization", `Bearer ${token}`);
      const same = (bytes: Buffer) => bytes;
      const path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
      const call = raw.makeBidiStreamRequest(path, same, same, metadata);
      call.on("data", (bytes: Buffer) => {
        resolve(bytes.toString("latin1"));
        raw.close();
      });
      call.on("error", (error) => {
        reject(error);
        raw.close();
      });
      call.end(Buffer.from([0x3a, 1, 0x2a]));
    });

  it("lists the services for a caller with a token", async () => {
    const { port, stop } = await grpc(async () => "");
    const answer = await listServices(port, await tokens.issue("api-server"));
    expect(answer).toContain("tiphys.controller.v1.ControllerService");
    stop();
  });

  it("lists what is served here, and nothing of the others", async () => {
    const { port, stop } = await grpc(async () => "");
    const answer = await listServices(port, await tokens.issue("api-server"));
    expect(answer).toContain("grpc.health.v1.Health");
    expect(answer).not.toContain("tiphys.repo.v1.ManifestService");
    stop();
  });

  it("refuses a caller without a valid token", async () => {
    const { port, stop } = await grpc(async () => "");
    await expect(listServices(port, "forged")).rejects.toThrow("UNAUTHENTICATED");
    stop();
  });
});

it("refuses a token after its life", async () => {
  const token = await tokens.issue("repo-server");
  await expect(tokens.verify(token)).resolves.toMatchObject({ username: "system:tiphys:repo-server" });
  await clock.advance(601_000);
  await expect(tokens.verify(token)).rejects.toBeInstanceOf(UnauthenticatedError);
});
