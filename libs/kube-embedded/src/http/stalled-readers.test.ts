import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { endWhenStalled } from "./stalled-readers.js";

const LARGE = Buffer.alloc(32 << 20, "x");
let server: Server;
let client: Socket | undefined;
afterEach(() => {
  client?.destroy();
  server.closeAllConnections();
  server.close();
});

async function serve(milliseconds: number): Promise<{ port: number; closed: Promise<void> }> {
  let closed = () => {};
  const closing = new Promise<void>((resolve) => {
    closed = resolve;
  });
  server = createServer((request, response) => {
    endWhenStalled(response, milliseconds);
    request.socket.once("close", closed);
    response.end(request.url === "/large" ? LARGE : "ok");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as AddressInfo).port, closed: closing };
}

const ask = (port: number, path: string): Socket => {
  const socket = connect({ host: "127.0.0.1", port }).on("error", () => {});
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
  return socket;
};

it("ends the connection of a client that reads nothing of its answer", async () => {
  const { port, closed } = await serve(50);
  client = ask(port, "/large").pause();
  await closed;
});

it("leaves a client that reads, however much it is, and serves it again", async () => {
  const { port } = await serve(5_000);
  client = ask(port, "/large");
  let bytes = 0;
  await new Promise<void>((resolve) =>
    client!.on("data", (chunk) => {
      bytes += chunk.length;
      if (bytes > LARGE.length) resolve();
    }),
  );
  const again = new Promise<string>((resolve) => client!.once("data", (chunk) => resolve(chunk.toString())));
  client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  expect(await again).toContain("200 OK");
});
