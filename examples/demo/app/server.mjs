// A small shop: greets customers and tells its version. One file, no packages.
import { createServer } from "node:http";

const version = "1.0.0";

/** The answer to one request, as a status and a body. */
export function answer(path) {
  const url = new URL(path, "http://shop");
  if (url.pathname === "/healthz") return { status: 200, body: "ok" };
  const customer = Number(url.searchParams.get("customer") ?? 0);
  return { status: 200, body: `Hello customer ${customer}, this is shop ${version}` };
}

export function start(port) {
  const server = createServer((request, response) => {
    const { status, body } = answer(request.url ?? "/");
    response.writeHead(status, { "content-type": "text/plain", "x-shop-version": version }).end(`${body}\n`);
  });
  process.on("SIGTERM", () => server.close(() => process.exit(0)));
  server.listen(port);
  return server;
}

if (process.env.PORT) {
  start(Number(process.env.PORT));
  console.log(`shop ${version} listens on ${process.env.PORT}`);
}
