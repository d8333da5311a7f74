import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeWith, programPath } from "@tiphys/testing";
import { type Engine, randomSources } from "./random.js";

/** Seconds for each kind of source; `npm run nightly` takes longer. */
const SECONDS = Number(process.env["TIPHYS_RANDOM_SECONDS"] ?? 20);

/** A fast machine compares what others have compared, too; the nightly run goes further. */
const MOST = process.env["TIPHYS_RANDOM_SECONDS"] ? Number.POSITIVE_INFINITY : 160;

describeWith(["helm", "kubectl", "jsonnet"], "sources made up from a seed", () => {
  const [helm = "", kubectl = "", jsonnet = ""] = [programPath("helm"), programPath("kubectl"), programPath("jsonnet")];
  const programs = { helm, kubectl, jsonnet };
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "tiphys-random-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each<Engine>(["charts", "kustomizations", "jsonnet"])(
    "%s come out as the program makes them",
    async (engine) => {
      const seed = Number(process.env["TIPHYS_SEED"] ?? 20_260_000);
      const result = await randomSources(engine, { programs, folder, seconds: SECONDS, seed, most: MOST });
      console.log(`${engine} by chance: ${JSON.stringify(result.counts)} from seed ${seed}`);
      expect(result.problems).toEqual([]);
      expect(result.counts.equal).toBeGreaterThan(SECONDS / 4);
    },
    SECONDS * 1000 + 100_000,
  );
});
