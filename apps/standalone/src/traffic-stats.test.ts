import { once } from "node:events";
import { connect } from "node:net";
import { serveTrafficStats } from "./traffic-stats.js";

/** The first line of the answer to a request with this target, sent as it is. */
async function statusOf(port: number, target: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.end(`GET ${target} HTTP/1.1\r\nhost: traffic\r\nconnection: close\r\n\r\n`);
  const [chunk] = await once(socket, "data");
  socket.destroy();
  return String(chunk).split("\r\n")[0] ?? "";
}

it.each(["//", "/\\", "http://[", "//x:99999999/", "/%"])(
  "answers the target %s, which is no URL, instead of ending the process",
  async (target) => {
    const stats = await serveTrafficStats(() => [], { get: () => undefined });
    try {
      expect(await statusOf(stats.port, target)).toContain("404");
    } finally {
      stats.close();
    }
  },
);
