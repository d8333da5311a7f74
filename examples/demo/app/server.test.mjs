import assert from "node:assert/strict";
import { test } from "node:test";
import { answer } from "./server.mjs";

test("greets a customer", () => {
  const { status, body } = answer("/?customer=2");
  assert.equal(status, 200);
  assert.match(body, /Hello customer 2/);
});

test("is healthy", () => {
  assert.equal(answer("/healthz").status, 200);
});
