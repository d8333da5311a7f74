import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { virtualClock } from "@tiphys/clock";
import { eventually } from "@tiphys/testing";
import { readLog, recordLog } from "./log-store.js";

describe("log store", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "tiphys-log-"));
    writeFileSync(join(dir, "log"), "");
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));
  const clock = virtualClock(new Date("2026-01-01T00:00:00Z"));
  const never = new AbortController().signal;
  const read = async (options: Parameters<typeof readLog>[1], recorder?: ReturnType<typeof recordLog>) => {
    let text = "";
    for await (const chunk of readLog(dir, options, recorder, clock, never)) text += Buffer.from(chunk).toString();
    return text;
  };

  it.each([
    { tailLines: 0, want: "" },
    { tailLines: 1, want: "c" },
    { tailLines: 2, want: "b\nc" },
    { tailLines: 9, want: "a\nb\nc" },
  ])("gives the last $tailLines lines", async ({ tailLines, want }) => {
    writeFileSync(join(dir, "log"), "a\nb\nc");
    expect(await read({ tailLines })).toBe(want);
    writeFileSync(join(dir, "log"), `${"x".repeat(70_000)}\na\nb\nc\n`);
    if (tailLines === 2) expect(await read({ tailLines })).toBe("b\nc\n");
  });

  it("knows when each line was written, and follows until the container ends", async () => {
    const recorder = recordLog(dir, clock);
    appendFileSync(join(dir, "log"), "first\n");
    await recorder.changed();
    const followed = read({ follow: true, timestamps: true }, recorder);
    await clock.advance(90_000);
    appendFileSync(join(dir, "log"), "sec");
    await recorder.changed();
    appendFileSync(join(dir, "log"), "ond\n");
    await recorder.changed();
    await recorder.close();
    const lines = "2026-01-01T00:00:00.000000000Z first\n2026-01-01T00:01:30.000000000Z second\n";
    expect(await followed).toBe(lines);
    expect(await read({ timestamps: true })).toBe(lines);
    expect(await read({ since: clock.now().getTime() - 60_000 })).toBe("second\n");
  });

  it("stops following when its reader goes", async () => {
    const recorder = recordLog(dir, clock);
    const gone = new AbortController();
    const seen: string[] = [];
    const reading = (async () => {
      for await (const chunk of readLog(dir, { follow: true }, recorder, clock, gone.signal)) seen.push(String(chunk));
    })();
    appendFileSync(join(dir, "log"), "x\n");
    await eventually(() => seen.length > 0);
    gone.abort();
    await reading;
    await recorder.close();
  });
});
