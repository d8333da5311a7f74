import { inspect } from "node:util";
import { Secret } from "./index.js";

it("never shows its value", () => {
  const secret = new Secret("hunter2");
  for (const shown of [`${secret}`, String(secret), JSON.stringify({ secret }), inspect({ secret })]) {
    expect(shown).not.toContain("hunter2");
    expect(shown).toContain("[secret]");
  }
});

it("compares by value, also with texts of another length", () => {
  expect(new Secret("a").equals("a")).toBe(true);
  expect(new Secret("a").equals(new Secret("ab"))).toBe(false);
});
