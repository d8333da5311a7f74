// The protocol by hand: a child must not need our libraries.
import { Socket } from "node:net";

const channel = new Socket({ fd: 3, readable: true, writable: true });
let held = Buffer.alloc(0);
const reply = (value) => {
  const body = Buffer.from(JSON.stringify(value));
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length);
  channel.write(Buffer.concat([head, body]));
};
const kept = [];
channel.on("data", (chunk) => {
  held = Buffer.concat([held, chunk]);
  while (held.length >= 4 && held.length >= 4 + held.readUInt32BE(0)) {
    const size = held.readUInt32BE(0);
    const { id, request } = JSON.parse(held.subarray(4, 4 + size));
    held = held.subarray(4 + size);
    if (request.do === "echo") reply({ id, result: { echo: request.value, pid: process.pid } });
    if (request.do === "fail")
      reply({ id, error: { code: "InvalidArgument", message: "values.yaml: bad", field: "values.yaml" } });
    if (request.do === "heap") for (;;) kept.push(new Array(100_000).fill(Math.random()));
    if (request.do === "buffers") {
      const more = () => {
        for (let i = 0; i < 5; i++) kept.push(Buffer.alloc(10_000_000, 1));
        setImmediate(more);
      };
      more();
    }
    if (request.do === "loop") for (;;);
    if (request.do === "crash") {
      console.error("going down");
      process.exit(3);
    }
    if (request.do === "large") reply({ id, result: "x".repeat(request.bytes) });
  }
});
channel.on("close", () => process.exit(0));
