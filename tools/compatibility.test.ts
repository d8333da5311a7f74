import { readFileSync } from "node:fs";
import { join } from "node:path";
import { workspaceRoot } from "@tiphys/testing";

it("docs/compatibility.md has no row for something that is missing and says nothing when it is used", () => {
  const lines = readFileSync(join(workspaceRoot(), "docs/compatibility.md"), "utf8").split("\n");
  const silent = lines.filter((line) => line.startsWith("|") && /\bsilent(ly)?\b/i.test(line));
  expect(silent).toEqual([]);
});
