import { readFileSync } from "node:fs";
import { join } from "node:path";
import { builtins } from "@tiphys/template";
import { workspaceRoot } from "@tiphys/testing";
import { helmFunctions, loadDirectory, renderChart } from "./index.js";

// What helm 4.1.4 made of each template of the tables (tools/record-helm.mjs): its output, or its error.
const folder = join(workspaceRoot(), "libs/helm/src/testdata/expressions");
const read = (name: string) => readFileSync(join(folder, name), "utf8");
const recorded = JSON.parse(read("recorded.json")) as Record<string, { out: string } | { error: string }>;
const chartFiles = JSON.parse(read("chart.json")) as Record<string, string>;
let seed = 1;
const environment = {
  now: () => Date.UTC(2026, 0, 2),
  random: (count: number) =>
    Uint8Array.from({ length: count }, () => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return seed >> 16;
    }),
};

const rendered = new Map<string, ReturnType<typeof renderCase>>();
/** Each case is rendered once. */
function render(text: string): ReturnType<typeof renderCase> {
  const known = rendered.get(text) ?? renderCase(text);
  rendered.set(text, known);
  return known;
}

function renderCase(text: string): { out: unknown } | { error: string } {
  const show = 'out: {{ include "cases/templates/_case.tpl" . | toJson }}\n';
  const files = {
    ...chartFiles,
    "values.yaml": read("values.yaml"),
    "templates/_case.tpl": text,
    "templates/show.yaml": show,
  };
  const chart = loadDirectory(Object.entries(files).map(([name, content]) => ({ name, data: Buffer.from(content) })));
  try {
    const { manifests } = renderChart(chart, new Map(), { releaseName: "rel", namespace: "ns", environment });
    return { out: manifests[0]!.object!["out"] };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

describe("templates as helm renders them", () => {
  it("gives the recorded output, and fails where helm fails", () => {
    const wrong: unknown[] = [];
    for (const [text, want] of Object.entries(recorded)) {
      const got = render(text);
      if ("out" in want ? !("out" in got) || got.out !== want.out : !("error" in got)) wrong.push({ text, want, got });
    }
    expect(wrong).toEqual([]);
  }, 60_000);

  it("says what helm says where both fail", () => {
    const errors = Object.entries(recorded).flatMap(([text, want]) =>
      "error" in want ? [{ text, want: want.error }] : [],
    );
    const other = errors.filter(({ text, want }) => {
      const got = render(text);
      return !("error" in got) || got.error.trim() !== want;
    });
    // Texts that come out of Go's reflection or its base64 reader may differ.
    expect(other.map(({ text }) => text)).toEqual(["{{ len nil }}", "{{ .Capabilities.KubeVersion.Nope }}"]);
  }, 60_000);

  it("reaches every function and every action", () => {
    const all = Object.keys(recorded).join("\n");
    const uses = (word: string) => new RegExp(`[\\s({|]${word}(?![\\w])`).test(all);
    const functions = [...Object.keys(builtins), ...Object.keys(helmFunctions)];
    const missing = functions.filter((name) => !uses(name));
    const actions = [
      "if",
      "else",
      "else if",
      "else with",
      "end",
      "range",
      "with",
      "define",
      "template",
      "block",
      "break",
      "continue",
      "nil",
    ];
    const missingActions = actions.filter((name) => !uses(name));
    console.log(
      `${functions.length - missing.length} of ${functions.length} functions, ${actions.length - missingActions.length} of ${actions.length} actions`,
    );
    expect([missing, missingActions]).toEqual([[], []]);
  });
});
