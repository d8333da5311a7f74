import { execFileSync } from "node:child_process";
import { appendFileSync, closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { virtualClock } from "@tiphys/clock";
import { eventually } from "@tiphys/testing";
import { followOutput, readLog } from "./log-reader.js";
import { logFile, pipeFile, recordLog } from "./log-recorder.js";

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

  describe("of two outputs", () => {
    const write = (stream: "stdout" | "stderr", text: string) => appendFileSync(logFile(dir, stream), text);
    beforeEach(() => writeFileSync(join(dir, "log.err"), ""));

    it("keeps their lines in the order in which they were written, also of one burst", async () => {
      const recorder = recordLog(dir, clock);
      write("stderr", "+ echo a\n");
      write("stdout", "a\n");
      write("stderr", "+ echo b\n");
      write("stdout", "b\n");
      write("stdout", "c\n");
      await recorder.changed();
      await recorder.close();
      expect(await read({})).toBe("+ echo a\na\n+ echo b\nb\nc\n");
      expect(await read({ tailLines: 3 })).toBe("+ echo b\nb\nc\n");
      expect((await read({ timestamps: true })).match(/Z \+? ?[a-z]/g)).toHaveLength(5);
    });

    it("goes by the order of the writes into their pipes, whichever comes out of them first", async () => {
      execFileSync("mkfifo", [pipeFile(dir, "stdout"), pipeFile(dir, "stderr")]);
      const [out, err] = (["stdout", "stderr"] as const).map((stream) => openSync(pipeFile(dir, stream), "r+"));
      const recorder = recordLog(dir, clock);
      const said: ["stdout" | "stderr", string][] = [
        ["stderr", "+ echo a\n"],
        ["stdout", "a\n"],
        ["stderr", "+ echo b\n"],
        ["stdout", "b\n"],
      ];
      for (const [stream, text] of said) writeSync((stream === "stdout" ? out : err)!, text);
      for (const wanted of ["stdout", "stderr"])
        for (const [stream, text] of said) if (stream === wanted) write(stream, text);
      await recorder.changed();
      await recorder.close();
      expect(await read({})).toBe("+ echo a\na\n+ echo b\nb\n");
      for (const fd of [out, err]) closeSync(fd!);
    });

    it("gives whole lines only, and what has no end when the container ends", async () => {
      const recorder = recordLog(dir, clock);
      write("stdout", "first half, ");
      await recorder.changed();
      write("stderr", "trouble\n");
      await recorder.changed();
      write("stdout", "second half\nno end");
      await recorder.changed();
      await recorder.close();
      expect(await read({}, recorder)).toBe("trouble\nfirst half, second half\nno end");
    });

    it("takes up the order again after a time when nobody looked, and loses nothing of it", async () => {
      const first = recordLog(dir, clock);
      write("stderr", "1\n");
      await first.changed();
      await first.close();
      write("stdout", "2\n");
      write("stderr", "3\n");
      const second = recordLog(dir, clock);
      await second.changed();
      write("stderr", "4\n");
      await second.changed();
      await second.close();
      expect(await read({})).toBe("1\n2\n3\n4\n");
    });

    it("follows both, and one alone", async () => {
      const recorder = recordLog(dir, clock);
      write("stderr", "old\n");
      await recorder.changed();
      const both = read({ follow: true }, recorder);
      const alone = (async () => {
        let text = "";
        for await (const chunk of followOutput(dir, "stderr", 4, recorder, never)) text += Buffer.from(chunk);
        return text;
      })();
      await new Promise((resolve) => setImmediate(resolve));
      write("stdout", "out\n");
      await recorder.changed();
      write("stderr", "err");
      await recorder.changed();
      await recorder.close();
      expect(await alone).toBe("err");
      expect(await both).toBe("old\nout\nerr");
    });

    it("begins anew with an output that the container has cut off", async () => {
      const recorder = recordLog(dir, clock);
      write("stdout", "much that is gone\n");
      write("stderr", "kept\n");
      await recorder.changed();
      writeFileSync(join(dir, "log"), "new\n");
      await recorder.changed();
      await recorder.close();
      expect(await read({})).toBe("kept\nnew\n");
    });

    it("reads the times of earlier versions, which had one file", async () => {
      writeFileSync(join(dir, "log"), "a\nb\n");
      writeFileSync(join(dir, "times"), "2 1000\n4 2000\n");
      expect(await read({ since: 1500 })).toBe("b\n");
    });
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
