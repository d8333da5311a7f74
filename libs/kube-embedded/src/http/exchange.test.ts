import type { IncomingMessage, ServerResponse } from "node:http";
import { Exchange } from "./exchange.js";

it.each([
  ["//", [""]],
  ["//x:99999999/", ["", "x:99999999"]],
  ["http://[", ["http:", "", "["]],
  ["*", ["*"]],
  ["/api/v1?limit=1", ["api", "v1"]],
  ["/%", []],
])("reads the target %s: a request must never end the process", (url, path) => {
  expect(new Exchange({ url } as IncomingMessage, {} as ServerResponse).path).toEqual(path);
});
