import { connect as netConnect, type Socket } from "node:net";
import { connect as tlsConnect } from "node:tls";
import { UnimplementedError } from "@tiphys/errors";
import { tiphysApiV1Api as api, grpcHealthV1Health as health, session, version } from "@tiphys/proto";
import { types } from "@tiphys/resources";
import { eventually } from "@tiphys/testing";
import { application, startTestServer, type TestServer } from "./testing.js";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const port = () => Number(new URL(server.api.url).port);

/** What comes back on a connection until its end. */
const conversation = (socket: Socket): Promise<string> =>
  new Promise((resolve) => {
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
    });
    socket.on("error", () => {});
    socket.once("close", () => resolve(text));
  });

describe("one port for every protocol", () => {
  it("serves gRPC over TLS: login, version and our own service", async () => {
    const anonymous = server.channel("");
    const { token } = await anonymous
      .client(session.SessionServiceDefinition)
      .create({ username: "admin", password: server.password });
    expect(await anonymous.client(version.VersionServiceDefinition).version({})).toMatchObject({ Version: /^v/ });
    const client = server.channel(token).client(api.TiphysServiceDefinition);
    const { items } = await client.list({ resource: "applications" });
    expect(items).toEqual([]);
  });

  it("serves REST over HTTPS", async () => {
    const { status, json } = await server.call("/api/version", { session: false });
    expect({ status, json }).toMatchObject({ status: 200, json: { Version: "v0.1.0" } });
  });

  it("sends plain HTTP to HTTPS", async () => {
    const socket = netConnect(port(), "127.0.0.1");
    socket.end(`GET /applications?x=1 HTTP/1.1\r\nHost: 127.0.0.1:${port()}\r\nConnection: close\r\n\r\n`);
    const text = await conversation(socket);
    expect(text).toContain("HTTP/1.1 307");
    expect(text.toLowerCase()).toContain(`location: https://127.0.0.1:${port()}/applications?x=1`);
  });

  it.each([
    { name: "garbage", bytes: "\x00\x01\x02garbage" },
    { name: "gRPC without TLS", bytes: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" },
    { name: "a broken TLS handshake", bytes: "\x16\x03\x01\x00\x05hello" },
  ])("drops $name", async ({ bytes }) => {
    const socket = netConnect(port(), "127.0.0.1");
    socket.write(bytes, "latin1");
    const text = await conversation(socket);
    expect(text).not.toContain("HTTP/1.1 200");
    expect(text.length).toBeLessThan(100);
  });

  it("answers health without a session, and everything else not", async () => {
    const anonymous = server.channel("");
    const { status } = await anonymous
      .client(health.HealthDefinition)
      .check({ service: "tiphys.api.v1.TiphysService" });
    expect(status).toBe(health.HealthCheckResponse_ServingStatus.SERVING);
    await expect(
      anonymous.client(api.TiphysServiceDefinition).list({ resource: "applications" }),
    ).rejects.toMatchObject({ code: "Unauthenticated" });
  });

  it("lists its services by reflection", async () => {
    const definition = reflection("ListServices");
    async function* once() {
      yield {};
    }
    const names: string[] = await server.channel().client(definition).ask(once());
    expect(names.join(" ")).toContain("tiphys.api.v1.TiphysService");
  });

  it("answers Unimplemented for methods nobody serves", async () => {
    const unknown = {
      ...session.SessionServiceDefinition,
      fullName: "application.ApplicationService",
    } as unknown as typeof session.SessionServiceDefinition;
    await expect(server.channel().client(unknown).getUserInfo({})).rejects.toBeInstanceOf(UnimplementedError);
  });
});

describe("slow clients", () => {
  const patience = { silence: 1_000, headers: 1_000, request: 60_000 };
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ patience });
  });
  afterAll(() => server.stop());
  const port = () => Number(new URL(server.api.url).port);

  it("drops a client that says nothing", async () => {
    expect(await conversation(netConnect(port(), "127.0.0.1"))).toBe("");
  });

  it("drops a client that begins a TLS handshake and never ends it", async () => {
    const socket = netConnect(port(), "127.0.0.1");
    socket.write(Buffer.from([0x16, 0x03, 0x01]));
    expect(await conversation(socket)).toBe("");
  });

  it("drops a client that says nothing after the handshake", async () => {
    expect(await conversation(tlsConnect({ port: port(), host: "127.0.0.1", ca: server.api.certificate }))).toBe("");
  });

  it("drops a client whose headers never end", async () => {
    const socket = tlsConnect({
      port: port(),
      host: "127.0.0.1",
      ca: server.api.certificate,
      ALPNProtocols: ["http/1.1"],
    });
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n");
    expect(await conversation(socket)).toContain("408");
  });

  it("keeps a stream that has nothing to say for longer than that", async () => {
    const stream = await server.stream("/api/v1/stream/applications");
    await new Promise((resolve) => setTimeout(resolve, 2 * patience.headers));
    await server.client.create(types.applications, application("late"));
    await eventually(() => stream.text().includes('"late"'));
    stream.end();
  });
});

describe("start and stop", () => {
  it("names an occupied port and the way out", async () => {
    await expect(startTestServer({ port: port() })).rejects.toThrow(
      `port ${port()} on 127.0.0.1 is in use: stop the other program or choose another with --port`,
    );
  });

  it("frees the port and ends open streams when it stops", async () => {
    const own = await startTestServer();
    const taken = Number(new URL(own.api.url).port);
    const stream = await own.stream("/api/v1/stream/applications");
    const watching = own.channel().client(api.TiphysServiceDefinition).watch({ resource: "applications" });
    const next = watching[Symbol.asyncIterator]()
      .next()
      .catch((error) => error);
    await own.api.stop();
    await stream.ended;
    expect(await next).toMatchObject({ code: "Unavailable" });
    const free = await startTestServer({ port: taken });
    expect(new URL(free.api.url).port).toBe(String(taken));
    await free.stop();
    expect(await own.api.ready()).toBeDefined();
    await own.stop();
  });

  it("starts again on the same port with the same certificate and sessions", async () => {
    const own = await startTestServer();
    const first = { port: Number(new URL(own.api.url).port), certificate: own.api.certificate };
    await own.api.stop();
    await own.api.start();
    expect(own.api.certificate).toBe(first.certificate);
    expect((await own.call("/api/v1/session/userinfo")).json).toMatchObject({ loggedIn: true, username: "admin" });
    await own.stop();
  });
});

/** Bytes of a reflection request that lists services, and the names in the answer, without generated code. */
function reflection(name: string) {
  return {
    name,
    fullName: "grpc.reflection.v1.ServerReflection",
    methods: {
      ask: {
        name: "ServerReflectionInfo",
        requestStream: true,
        responseStream: false,
        requestType: { encode: () => ({ finish: () => new Uint8Array([0x3a, 0]) }), decode: () => ({}) },
        responseType: {
          encode: () => ({ finish: () => new Uint8Array() }),
          decode: (bytes: Uint8Array) =>
            Buffer.from(bytes)
              .toString("latin1")
              .match(/[\w.]+Service/g) ?? [],
        },
      },
    },
  };
}
