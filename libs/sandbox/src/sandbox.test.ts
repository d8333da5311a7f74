import { createSpawner, type Spawner } from "@tiphys/child-process";
import { silentLogger as log } from "@tiphys/telemetry";
import { describeWith } from "@tiphys/testing";
import { findSandbox, type Sandbox, type SandboxedProgram, shellWord } from "./index.js";

const searchPath = "/usr/sbin:/usr/bin:/sbin:/bin";
let spawner: Spawner;
beforeAll(() => {
  spawner = createSpawner({ log });
});
afterAll(() => spawner.stop());

describeWith(["bwrap"], "a program in a sandbox", () => {
  describe.each(["bubblewrap", "unshare"] as const)("of %s", (kind) => {
    let sandbox: Sandbox;
    beforeAll(async () => {
      sandbox = (await findSandbox({ spawner, searchPath, kinds: [kind] }))!;
    });
    const run = (script: string, rest: Partial<SandboxedProgram> = {}) => sandbox.run({ script, ...rest });

    it("gives its output, its words and its exit code", async () => {
      const result = await run("cat; echo words >&2; exit 3", { input: Buffer.from("in") });
      expect({ ...result, stdout: String(result.stdout) }).toEqual({
        code: 3,
        signal: null,
        stdout: "in",
        stderr: "words\n",
      });
    });

    it("has the variables it is given, whatever is in them", async () => {
      const text = 'a\'b "c" $(d) `e`\n\\';
      const { stdout } = await run('printf %s "$TEXT"', { env: { TEXT: text } });
      expect(String(stdout)).toBe(text);
      expect(String((await run(`printf %s ${shellWord(text)}`)).stdout)).toBe(text);
    });

    it("sees folders that are mounted, and cannot write to them", async () => {
      const { stdout } = await run("ls /given; touch /given/x 2>&1 | grep -ci 'read-only'", {
        mounts: [{ source: import.meta.dirname, target: "/given" }],
      });
      expect(String(stdout)).toContain("sandbox.test.ts");
      expect(String(stdout)).toMatch(/^1$/m);
    });

    it("reaches nothing of the host's network", async () => {
      const { stdout } = await run("cat /proc/net/route /proc/net/dev");
      expect(String(stdout)).not.toMatch(/eth|ens|enp|wl/);
    });

    it.each([
      { why: "time", script: "sleep 100 & wait", limits: { timeoutMs: 400 }, want: /did not end within 400 ms/ },
      { why: "output", script: "yes", limits: { maxOutputBytes: 100_000 }, want: /wrote more than 100000 bytes/ },
      {
        why: "memory",
        script: "for i in 1 2 3 4; do head -c 60000000 /dev/zero | tail -c 50000000 | sleep 20 & done; wait",
        limits: { memoryBytes: 80_000_000, timeoutMs: 15_000 },
        want: /more than its 80000000 bytes of memory/,
      },
      {
        why: "processes",
        script: "i=0; while [ $i -lt 80 ]; do sleep 20 & i=$((i+1)); done; wait",
        limits: { processes: 40, timeoutMs: 15_000 },
        want: /more than its 40 processes|code/,
      },
    ])("is ended at the limit of its $why", async ({ script, limits, want }) => {
      const end = await run(script, { limits }).then(
        (result) => `code ${result.code}`,
        (error: Error) => error.message,
      );
      expect(end).toMatch(want);
    });

    it("has no more room for files than it may", async () => {
      const { code, stderr } = await run("head -c 3000000 /dev/zero > large", { limits: { workBytes: 1_000_000 } });
      expect(code).not.toBe(0);
      expect(stderr).toMatch(/No space left/);
    });
  });
});

it("is not found where its programs are not", async () => {
  expect(await findSandbox({ spawner, searchPath: "/nonexistent" })).toBeUndefined();
});
