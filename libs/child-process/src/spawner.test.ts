import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "@tiphys/telemetry";
import { runCommand } from "./run-command.js";
import { createSpawner, type Spawner } from "./spawner.js";

const env = { PATH: process.env["PATH"]! };

async function until(what: string, done: () => boolean): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (done()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`waited in vain for: ${what}`);
}

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(existsSync("/proc") ? readFileSync(`/proc/${pid}/status`, "utf8") : "");
  } catch {
    return false;
  }
};

describe("spawner", () => {
  let spawner: Spawner;
  let dir: string;
  beforeEach(() => {
    spawner = createSpawner({ log: silentLogger });
    dir = mkdtempSync(join(tmpdir(), "tiphys-spawner-"));
  });
  afterEach(async () => {
    await spawner.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it("gives exit code, output and errors of a program", async () => {
    const result = await runCommand(spawner, {
      command: "sh",
      args: ["-c", 'cat; echo "err $X" >&2; exit 7'],
      env: { ...env, X: "1" },
      input: "hello",
      timeoutMs: 5000,
      maxOutputBytes: 1000,
    });
    expect([result.code, String(result.stdout), result.stderr]).toEqual([7, "hello", "err 1\n"]);
  });

  it("passes large input and output unharmed", async () => {
    const input = Buffer.alloc(3_000_000, "abcdefg");
    const result = await runCommand(spawner, { command: "cat", env, input, timeoutMs: 20000, maxOutputBytes: 4e6 });
    expect(result.stdout.equals(input)).toBe(true);
  });

  it("writes to files and reports the signal that ended the process", async () => {
    const file = join(dir, "log");
    const child = await spawner.spawn({
      command: "sh",
      args: ["-c", "echo out; echo err >&2; exec sleep 60"],
      env,
      stdout: { file },
      stderr: "stdout",
    });
    await until("both lines", () => existsSync(file) && readFileSync(file, "utf8") === "out\nerr\n");
    child.kill("SIGTERM");
    await expect(child.exit).resolves.toEqual({ code: null, signal: "SIGTERM" });
  });

  it("names a program that is not there", async () => {
    await expect(spawner.spawn({ command: "no-such-program", env })).rejects.toThrow("cannot start no-such-program");
  });

  it("kills what runs too long or writes too much", async () => {
    const limits = { timeoutMs: 100, maxOutputBytes: 100 };
    await expect(runCommand(spawner, { command: "sleep", args: ["60"], env, ...limits })).rejects.toThrow(
      "did not end within 100 ms",
    );
    await expect(runCommand(spawner, { command: "yes", env, ...limits, timeoutMs: 5000 })).rejects.toThrow(
      "wrote more than 100 bytes",
    );
  });

  it("kills the whole group on abort", async () => {
    const abort = new AbortController();
    const child = await spawner.spawn({
      command: "sh",
      args: ["-c", "sleep 61 & sleep 62"],
      env,
      signal: abort.signal,
    });
    abort.abort();
    await expect(child.exit).resolves.toEqual({ code: null, signal: "SIGKILL" });
  });

  it("takes its children with it, but for those that were started to survive", async () => {
    const mortal = await spawner.spawn({ command: "sleep", args: ["63"], env });
    const survivor = await spawner.spawn({ command: "sleep", args: ["64"], env, survives: true });
    await spawner.stop();
    await until("the mortal one is gone", () => !alive(mortal.pid));
    expect(alive(survivor.pid)).toBe(true);
    process.kill(survivor.pid, "SIGKILL");
  });

  it("detects the death of its helper, and starts another one", async () => {
    const child = await spawner.spawn({ command: "sleep", args: ["65"], env });
    const parent = Number(/PPid:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]);
    process.kill(parent, "SIGKILL");
    await expect(child.exit).rejects.toThrow("the spawner's helper process ended (SIGKILL)");
    process.kill(child.pid, "SIGKILL");
    const next = await runCommand(spawner, { command: "true", env, timeoutMs: 5000, maxOutputBytes: 10 });
    expect(next.code).toBe(0);
  });
});
