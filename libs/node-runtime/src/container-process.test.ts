import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSpawner } from "@tiphys/child-process";
import { systemClock } from "@tiphys/clock";
import { silentLogger } from "@tiphys/telemetry";
import { attemptFolder, findContainer, startContainer } from "./container-process.js";
import { createFifoSupply } from "./fifo-supply.js";
import { commandLine } from "./process-table.js";

describe("a container's folder after our death", () => {
  const clock = systemClock();
  const spawner = createSpawner({ log: silentLogger });
  let root: string;
  let dir: string;
  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), "tiphys-attempt-"));
    dir = join(root, "1");
    await attemptFolder(dir);
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));
  afterAll(() => spawner.stop());
  const shell = (script: string) => ({
    argv: ["/bin/sh", "-c", `echo '{"child-pid": '$$'}' >&3; ${script}`],
    env: { PATH: "/usr/bin:/bin" },
    cwd: "/",
  });

  it("tells the exit code of what has ended", async () => {
    const started = await startContainer(dir, "process", shell("exit 6"), { spawner, clock });
    await expect(started.ended).resolves.toMatchObject({ code: 6 });
    await expect(findContainer(dir, "process", clock)).resolves.toMatchObject({ state: "ended", end: { code: 6 } });
  });

  it("has all of what came out of the pipes in the logs when it tells the exit code", async () => {
    const piped = join(root, "piped");
    await attemptFolder(piped, undefined, createFifoSupply(join(root, "pipes"), spawner));
    const line = shell("head -c 300000 /dev/zero; echo kept > /dev/stderr; echo too > /dev/stdout; exit 4");
    const started = await startContainer(piped, "bubblewrap", line, { spawner, clock });
    await expect(started.ended).resolves.toMatchObject({ code: 4 });
    expect(readFileSync(join(piped, "log")).subarray(300_000).toString()).toBe("too\n");
    expect(readFileSync(join(piped, "log.err"), "utf8")).toBe("kept\n");
  });

  it("finds what still runs, and ends it", async () => {
    const started = await startContainer(dir, "process", shell("exec sleep 60"), { spawner, clock });
    await started.inner();
    const found = await findContainer(dir, "process", clock);
    if (found.state !== "running") throw new Error(found.state);
    await found.process.destroy();
    await expect(found.process.ended).resolves.toMatchObject({ code: 137 });
  });

  it("says unknown when the machine took the process with it, even when its pid is another's now", async () => {
    mkdirSync(join(dir, "claimed"));
    writeFileSync(join(dir, "shim"), `${process.pid}\n`);
    await expect(findContainer(dir, "process", clock)).resolves.toEqual({ state: "ended", end: "unknown" });
    expect(await commandLine(process.pid)).toBeDefined();
  });

  it("takes the claim of what never started, so that a late shim leaves without running anything", async () => {
    await expect(findContainer(dir, "process", clock)).resolves.toEqual({ state: "never started" });
    const late = await startContainer(dir, "process", shell(`touch ${root}/ran`), { spawner, clock });
    await expect(late.ended).resolves.toBe("unknown");
    expect(readdirSync(root)).toEqual(["1"]);
  });
});
