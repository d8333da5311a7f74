#!/usr/bin/env node
// Renders the template tables of libs/helm/src/testdata/expressions with the pinned helm program and stores what it printed,
// or its error, in recorded.json beside them. Run it after a change in a table: `node tools/record-helm.mjs`.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { root } from "./setup.mjs";

const folder = join(root, "libs/helm/src/testdata/expressions");
const program = join(root, ".cache/programs/helm");
const chart = JSON.parse(readFileSync(join(folder, "chart.json"), "utf8"));
const work = mkdtempSync(join(tmpdir(), "tiphys-record-"));

/** A table's lines; a line that starts with `# ` is a heading. */
const linesOf = (file) =>
  readFileSync(join(folder, file), "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("# "));

function write(path, text) {
  mkdirSync(dirname(join(work, path)), { recursive: true });
  writeFileSync(join(work, path), text);
}

for (const [path, text] of Object.entries(chart)) write(path, text);
write("values.yaml", readFileSync(join(folder, "values.yaml"), "utf8"));

/** A partial is parsed and not rendered by itself, so its output may be anything. */
function render(text) {
  write("templates/_case.tpl", text);
  write("templates/show.yaml", `out: {{ include "cases/templates/_case.tpl" . | toJson }}\n`);
  return spawnSync(program, ["template", "rel", work, "-n", "ns"], {
    encoding: "utf8",
    maxBuffer: 64 << 20,
    env: { HOME: "/nonexistent", TZ: "UTC" },
  });
}

const recorded = {};
try {
  for (const file of readdirSync(folder)
    .filter((name) => name.endsWith(".txt"))
    .sort()) {
    for (const text of linesOf(file)) {
      const { status, stdout, stderr } = render(text);
      if (status === 0) recorded[text] = { out: JSON.parse(stdout.slice(stdout.indexOf("out: ") + "out: ".length)) };
      else {
        const message = stderr.replace(/^(?:level=|time=).*\n/gm, "").replace(/^Error: /, "");
        recorded[text] = { error: message.replace(/\n\nUse --debug.*$/s, "").trim() };
      }
    }
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
writeFileSync(join(folder, "recorded.json"), `${JSON.stringify(recorded, null, 1)}\n`);
const errors = Object.values(recorded).filter((each) => "error" in each).length;
console.log(`${Object.keys(recorded).length} templates recorded, ${errors} of them errors`);
